// RUN: omb-opt %s --onnx-sparsify-quantized --cse | FileCheck %s
// RUN: omb-opt %s --onnx-sparsify-quantized=threshold=0.9 --cse | FileCheck %s --check-prefix=FEW

// The scales of channels come after the product, and what is stored are bytes less their zero points.
// CHECK-DAG:   #[[COO:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : compressed(nonunique), d1 : singleton(soa)) }>
// CHECK-LABEL: func.func @weights
// CHECK-SAME:    %[[X:.*]]: tensor<?x4xf32>
// CHECK-DAG:     %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 1], [2, 0]], [-7.000000e+00, 1.000000e+00]> : tensor<4x2xf32, #[[COO]]>}
// CHECK-DAG:     %[[S:.*]] = onnx.Constant() {value = dense<[5.000000e-01, 2.000000e+00]> : tensor<2xf32>}
// CHECK:         %[[P:.*]] = onnx.MatMul(%[[X]], %[[W]])
// CHECK:         onnx.Mul(%[[P]], %[[S]])
// FEW-LABEL:   func.func @weights
// FEW-NOT:       sparse_value
func.func @weights(%x: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %w = onnx.Constant() {value = dense<[[5, 1], [5, 8], [6, 8], [5, 8]]> : tensor<4x2xi8>} : () -> tensor<4x2xi8>
  %s = onnx.Constant() {value = dense<[0.5, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %z = onnx.Constant() {value = dense<[5, 8]> : tensor<2xi8>} : () -> tensor<2xi8>
  %d = onnx.DequantizeLinear(%w, %s, %z) {axis = 1 : i64} : (tensor<4x2xi8>, tensor<2xf32>, tensor<2xi8>) -> tensor<4x2xf32>
  %0 = onnx.MatMul(%x, %d) : (tensor<?x4xf32>, tensor<4x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// Of a dequantized first factor, differences of integers are multiplied; transposed weights are turned.
// CHECK-LABEL: func.func @both
// CHECK-SAME:    %[[X:.*]]: tensor<3x4xui8>, %[[C:.*]]: tensor<2xf32>
// CHECK-DAG:     %[[Z:.*]] = onnx.Constant() {value = dense<117> : tensor<ui8>}
// CHECK-DAG:     %[[ONE:.*]] = onnx.Constant() {value = dense<1.000000e+00> : tensor<f32>}
// CHECK-DAG:     %[[D:.*]] = onnx.DequantizeLinear(%[[X]], %[[ONE]], %[[Z]])
// CHECK-DAG:     %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 1], [3, 0]], [-3.000000e+00, 7.000000e+00]> : tensor<4x2xf32, #[[COO]]>}
// CHECK:         %[[P:.*]] = onnx.MatMul(%[[D]], %[[W]])
// CHECK:         %[[S:.*]] = onnx.Constant() {value = dense<5.000000e-01> : tensor<1xf32>}
// CHECK:         %[[M:.*]] = onnx.Mul(%[[P]], %[[S]])
// CHECK:         onnx.Add(%[[M]], %[[C]])
func.func @both(%x: tensor<3x4xui8>, %c: tensor<2xf32>) -> tensor<3x2xf32> {
  %xs = onnx.Constant() {value = dense<0.25> : tensor<f32>} : () -> tensor<f32>
  %xz = onnx.Constant() {value = dense<117> : tensor<ui8>} : () -> tensor<ui8>
  %w = onnx.Constant() {value = dense<[[0, 0, 0, 7], [-3, 0, 0, 0]]> : tensor<2x4xi8>} : () -> tensor<2x4xi8>
  %s = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %xd = onnx.DequantizeLinear(%x, %xs, %xz) : (tensor<3x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<3x4xf32>
  %d = onnx.DequantizeLinear(%w, %s) : (tensor<2x4xi8>, tensor<f32>) -> tensor<2x4xf32>
  %0 = onnx.Gemm(%xd, %d, %c) {transB = 1 : i64} : (tensor<3x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// Scales of inputs can't come after the product.
// CHECK-LABEL: func.func @scales_of_inputs
// CHECK-NOT:     sparse_value
func.func @scales_of_inputs(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = onnx.Constant() {value = dense<[[0, 0], [6, 0]]> : tensor<2x2xi8>} : () -> tensor<2x2xi8>
  %s = onnx.Constant() {value = dense<[0.5, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %d = onnx.DequantizeLinear(%w, %s) {axis = 0 : i64} : (tensor<2x2xi8>, tensor<2xf32>) -> tensor<2x2xf32>
  %0 = onnx.MatMul(%x, %d) : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}
