// RUN: omb-opt %s | omb-opt | FileCheck %s --check-prefix=SAME
// RUN: omb-opt %s --onnx-qdq-to-quant | FileCheck %s --check-prefix=QUANT
// RUN: omb-opt %s --onnx-qdq-to-quant --onnx-sparsify-constants=mode=on --cse | FileCheck %s
// RUN: omb-opt %s --onnx-qdq-to-quant --onnx-sparsify-constants="mode=on threshold=0.9" | FileCheck %s --check-prefix=FEW
// RUN: omb-opt %s --onnx-densify-constants --canonicalize | FileCheck %s --check-prefix=DENSE
// RUN: omb-opt %s --onnx-qdq-to-quant --onnx-sparsify-constants=mode=on --onnx-quant-to-qdq --cse | FileCheck %s --check-prefix=QDQ
// RUN: omb-opt %s --omb-to-linalg="sparse=on" | FileCheck %s --check-prefix=LINALG

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>
#CSC = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// A constant has the integers that are stored. The others are the zero points.
// SAME-DAG:    #[[CSC:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed) }>
// SAME-LABEL:  func.func @constant
// SAME:          onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 1], [2, 0]], [1, 6]> : tensor<4x2xi8, #[[CSC]]>} : () -> tensor<4x2x!quant.uniform<i8:f32:1, {5.000000e-01:5,2.000000e+00:8}>, #[[CSC]]>
// DENSE-LABEL: func.func @constant
// DENSE:         %[[W:.*]] = onnx.Constant() {value = dense<{{\[\[}}5, 1], [5, 8], [6, 8], [5, 8]]> : tensor<4x2xi8>}
// DENSE:         onnx.StorageCast %[[W]] : tensor<4x2xi8> to tensor<4x2x!quant.uniform<i8:f32:1, {5.000000e-01:5,2.000000e+00:8}>>
// QDQ-LABEL:   func.func @constant
// LINALG-LABEL: func.func @constant
func.func @constant() -> tensor<2x4xf32> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 1], [2, 0]], [1, 6]> : tensor<4x2xi8, #CSC>} : () -> tensor<4x2x!quant.uniform<i8:f32:1, {0.5:5, 2.0:8}>, #CSC>
  %0 = onnx.Transpose(%w) : (tensor<4x2x!quant.uniform<i8:f32:1, {0.5:5, 2.0:8}>, #CSC>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// A product of f32 takes the weights as they are; the scales of channels come after the sums, which are of bytes.
// QUANT-LABEL: func.func @weights
// QUANT:         onnx.DequantizeCast
// CHECK-DAG:   #[[CSC:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed) }>
// CHECK-LABEL: func.func @weights
// CHECK-SAME:    %[[X:.*]]: tensor<?x4xf32>
// CHECK:         %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 1], [2, 0]], [1, 6]> : tensor<4x2xi8, #[[CSC]]>} : () -> tensor<4x2x!quant.uniform<i8:f32:1, {5.000000e-01:5,2.000000e+00:8}>, #[[CSC]]>
// CHECK:         onnx.MatMul(%[[X]], %[[W]]){{.*}} -> tensor<?x2xf32>
// FEW-LABEL:   func.func @weights
// FEW-NOT:       tensor<{{.*}}!quant{{.*}}#sparse
// FEW:           return
// QDQ-LABEL:   func.func @weights
// QDQ:           %[[W:.*]] = onnx.Constant() {value = dense<{{\[\[}}5, 1], [5, 8], [6, 8], [5, 8]]> : tensor<4x2xi8>}
// QDQ:           onnx.DequantizeLinear(%[[W]]
// LINALG-LABEL: func.func @weights
// LINALG-SAME:   %[[X:.*]]: tensor<?x4xf32>
// LINALG-DAG:    %[[W:.*]] = arith.constant sparse<{{\[\[}}0, 1], [2, 0]], [-7, 1]> : tensor<4x2xi8, #{{.*}}>
// LINALG-DAG:    %[[S:.*]] = arith.constant dense<[5.000000e-01, 2.000000e+00]> : tensor<2xf32>
// LINALG:        %[[P:.*]] = linalg.matmul ins(%[[X]], %[[W]] : tensor<?x4xf32>, tensor<4x2xi8, #{{.*}}>)
// LINALG:        linalg.generic {{.*}} ins(%[[P]], %[[S]]
func.func @weights(%x: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %w = onnx.Constant() {value = dense<[[5, 1], [5, 8], [6, 8], [5, 8]]> : tensor<4x2xi8>} : () -> tensor<4x2xi8>
  %s = onnx.Constant() {value = dense<[0.5, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %z = onnx.Constant() {value = dense<[5, 8]> : tensor<2xi8>} : () -> tensor<2xi8>
  %d = onnx.DequantizeLinear(%w, %s, %z) {axis = 1 : i64} : (tensor<4x2xi8>, tensor<2xf32>, tensor<2xi8>) -> tensor<4x2xf32>
  %0 = onnx.MatMul(%x, %d) : (tensor<?x4xf32>, tensor<4x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// Of quantized rows, differences of integers are multiplied; transposed weights are turned, with their scales.
// QUANT-LABEL: func.func @both
// CHECK-LABEL: func.func @both
// CHECK:         %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 1], [3, 0]], [125, 135]> : tensor<4x2xui8, #[[CSC]]>} : () -> tensor<4x2x!quant.uniform<u8:f32:1, {2.000000e+00:128,4.000000e+00:128}>, #[[CSC]]>
// CHECK:         onnx.Gemm(%{{.*}}, %[[W]], %{{.*}}){{.*}}transB = 0{{.*}} (tensor<3x4x!quant.uniform<u8:f32, 2.500000e-01:117>>
// LINALG-LABEL: func.func @both
// LINALG-SAME:   %[[X:.*]]: tensor<3x4xi8>
// LINALG-DAG:    %[[W:.*]] = arith.constant sparse<{{\[\[}}0, 1], [3, 0]], [-3, 7]> : tensor<4x2xi8
// LINALG-DAG:    %[[S:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// LINALG:        %[[D:.*]] = linalg.generic {{.*}} ins(%[[X]]
// LINALG:          arith.subf
// LINALG:        linalg.matmul ins(%[[D]], %[[W]]
func.func @both(%x: tensor<3x4xui8>, %c: tensor<2xf32>) -> tensor<3x2xf32> {
  %xs = onnx.Constant() {value = dense<0.25> : tensor<f32>} : () -> tensor<f32>
  %xz = onnx.Constant() {value = dense<117> : tensor<ui8>} : () -> tensor<ui8>
  %w = onnx.Constant() {value = dense<[[128, 128, 128, 135], [125, 128, 128, 128]]> : tensor<2x4xui8>} : () -> tensor<2x4xui8>
  %s = onnx.Constant() {value = dense<[2.0, 4.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %z = onnx.Constant() {value = dense<128> : tensor<2xui8>} : () -> tensor<2xui8>
  %xd = onnx.DequantizeLinear(%x, %xs, %xz) : (tensor<3x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<3x4xf32>
  %d = onnx.DequantizeLinear(%w, %s, %z) {axis = 0 : i64} : (tensor<2x4xui8>, tensor<2xf32>, tensor<2xui8>) -> tensor<2x4xf32>
  %0 = onnx.Gemm(%xd, %d, %c) {transB = 1 : i64, alpha = 2.0 : f32} : (tensor<3x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// What a model stores sparse stays so where it doesn't store the zero points.
// QUANT-LABEL: func.func @stored
// QUANT-DAG:     %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 1], [3, 0]], [7, -3]> : tensor<4x2xi8, #[[COO:.*]]>} : () -> tensor<4x2x!quant.uniform<i8:f32, 5.000000e-01>, #[[COO]]>
// QUANT-DAG:     %[[V:.*]] = onnx.Constant() {value = dense<{{\[\[}}0, 7], [0, 0], [0, 0], [-3, 0]]>
// QUANT-DAG:     onnx.DequantizeCast %[[W]]
// QUANT-DAG:     onnx.StorageCast %[[V]] {{.*}} to tensor<4x2x!quant.uniform<i8:f32, 5.000000e-01:7>>
// CHECK-LABEL: func.func @stored
func.func @stored(%x: tensor<3x4xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 1], [3, 0]], [7, -3]> : tensor<4x2xi8, #COO>} : () -> tensor<4x2xi8, #COO>
  %s = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = onnx.Constant() {value = dense<7> : tensor<i8>} : () -> tensor<i8>
  %d = onnx.DequantizeLinear(%w, %s) : (tensor<4x2xi8, #COO>, tensor<f32>) -> tensor<4x2xf32>
  %e = onnx.DequantizeLinear(%w, %s, %z) : (tensor<4x2xi8, #COO>, tensor<f32>, tensor<i8>) -> tensor<4x2xf32>
  %0 = onnx.MatMul(%x, %d) : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %1 = onnx.MatMul(%x, %e) : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  return %0, %1 : tensor<3x2xf32>, tensor<3x2xf32>
}

// Scales of inputs can't come after the sums.
// CHECK-LABEL: func.func @scales_of_inputs
// CHECK-NOT:     sparse_value
// CHECK:         return
func.func @scales_of_inputs(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = onnx.Constant() {value = dense<[[0, 0], [6, 0]]> : tensor<2x2xi8>} : () -> tensor<2x2xi8>
  %s = onnx.Constant() {value = dense<[0.5, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %d = onnx.DequantizeLinear(%w, %s) {axis = 0 : i64} : (tensor<2x2xi8>, tensor<2xf32>) -> tensor<2x2xf32>
  %0 = onnx.MatMul(%x, %d) : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// Sums of 32 bits have more digits than f32.
// CHECK-LABEL: func.func @integers
// CHECK-NOT:     sparse_value
// CHECK:         return
func.func @integers(%x: tensor<3x2xi8>) -> tensor<3x2xi32> {
  %w = onnx.Constant() {value = dense<[[0, 0], [6, 0]]> : tensor<2x2xi8>} : () -> tensor<2x2xi8>
  %0 = onnx.MatMulInteger(%x, %w) : (tensor<3x2xi8>, tensor<2x2xi8>) -> tensor<3x2xi32>
  return %0 : tensor<3x2xi32>
}
