// RUN: omb-opt %s --onnx-sparsify-constants=mode=on | FileCheck %s
// RUN: omb-opt %s --onnx-sparsify-constants="mode=on annotate" | FileCheck %s --check-prefix=SAYS
// RUN: omb-opt %s --onnx-sparsify-constants=mode=auto | FileCheck %s --check-prefix=AUTO

#COO = #sparse_tensor.encoding<{ map = (b, k, n) -> (b : compressed(nonunique), k : singleton(nonunique, soa), n : singleton(soa)) }>

// Each of two matrices is a constant, also one without any value.

// CHECK: #[[CHANNELS:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed) }>
// CHECK-LABEL: func.func @each
// CHECK-DAG:     %[[FIRST:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 1], [2, 0]], [1.000000e+00, 2.000000e+00]> : tensor<3x2xf32, #[[CHANNELS]]>}
// CHECK-DAG:     %[[SECOND:.*]] = onnx.Constant() {sparse_value = sparse<> : tensor<3x2xf32, #[[CHANNELS]]>}
// CHECK:         %[[PARTS:.*]]:2 = onnx.Split(%arg0) {axis = 0 : i64, num_outputs = 2 : i64} : (tensor<2x5x3xf32>) -> (tensor<1x5x3xf32>, tensor<1x5x3xf32>)
// CHECK:         %[[P0:.*]] = onnx.MatMul(%[[PARTS]]#0, %[[FIRST]]) {{.*}} -> tensor<1x5x2xf32>
// CHECK:         %[[P1:.*]] = onnx.MatMul(%[[PARTS]]#1, %[[SECOND]]) {{.*}} -> tensor<1x5x2xf32>
// CHECK:         onnx.Concat(%[[P0]], %[[P1]]) {axis = 0 : i64} {{.*}} -> tensor<2x5x2xf32>
// SAYS-LABEL:  func.func @each
// SAYS-COUNT-2:  onnx.sparse_estimate
// AUTO-LABEL:  func.func @each
// AUTO-NOT:      onnx.Split
func.func @each(%x: tensor<2x5x3xf32>) -> tensor<2x5x2xf32> {
  %w = onnx.Constant() {value = dense<[[[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]> : tensor<2x3x2xf32>} : () -> tensor<2x3x2xf32>
  %y = onnx.MatMul(%x, %w) : (tensor<2x5x3xf32>, tensor<2x3x2xf32>) -> tensor<2x5x2xf32>
  return %y : tensor<2x5x2xf32>
}

// The same rows for all matrices, of an unknown number.

// CHECK-LABEL: func.func @shared
// CHECK-NOT:     onnx.Split
// CHECK:         onnx.MatMul(%arg0, %{{.*}}) : (tensor<1x?x3xf32>, tensor<3x2xf32, #[[CHANNELS]]>) -> tensor<1x?x2xf32>
// CHECK:         onnx.MatMul(%arg0, %{{.*}}) : (tensor<1x?x3xf32>, tensor<3x2xf32, #[[CHANNELS]]>) -> tensor<1x?x2xf32>
// CHECK:         onnx.Concat
func.func @shared(%x: tensor<1x?x3xf32>) -> tensor<2x?x2xf32> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 0, 1], [1, 2, 0]], [1.0, 2.0]> : tensor<2x3x2xf32, #COO>} : () -> tensor<2x3x2xf32, #COO>
  %y = onnx.MatMul(%x, %w) : (tensor<1x?x3xf32>, tensor<2x3x2xf32, #COO>) -> tensor<2x?x2xf32>
  return %y : tensor<2x?x2xf32>
}

// An unknown number of images may be 1, or as many as there are matrices.

// CHECK-LABEL: func.func @unknown
// CHECK:         onnx.MatMul(%arg0, %{{.*}}) : (tensor<?x5x3xf32>, tensor<2x3x2xf32>)
func.func @unknown(%x: tensor<?x5x3xf32>) -> tensor<2x5x2xf32> {
  %w = onnx.Constant() {value = dense<[[[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]> : tensor<2x3x2xf32>} : () -> tensor<2x3x2xf32>
  %y = onnx.MatMul(%x, %w) : (tensor<?x5x3xf32>, tensor<2x3x2xf32>) -> tensor<2x5x2xf32>
  return %y : tensor<2x5x2xf32>
}
