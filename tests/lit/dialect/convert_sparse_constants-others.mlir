// RUN: omb-opt %s --onnx-convert-sparse-constants=to=nm | FileCheck %s

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>
#VECTOR = #sparse_tensor.encoding<{ map = (i) -> (i : compressed) }>

// What isn't a matrix stays, and what something else than an op of the dialect takes.
// CHECK:       #[[COO:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : compressed(nonunique), d1 : singleton(soa)) }>
// CHECK-NOT:   structured
// CHECK-LABEL: func.func @others
// CHECK:         return %{{.*}} : tensor<?x?xf32>, tensor<8x3xf32, #[[COO]]>
func.func @others(%x: tensor<3x8xf32>) -> (tensor<?x?xf32>, tensor<8x3xf32, #COO>) {
  %s = onnx.Constant() {sparse_value = sparse<[[0], [1]], [6, 4]> : tensor<2xi64, #VECTOR>} : () -> tensor<2xi64, #VECTOR>
  %0 = onnx.Reshape(%x, %s) : (tensor<3x8xf32>, tensor<2xi64, #VECTOR>) -> tensor<?x?xf32>
  %w = onnx.Constant() {sparse_value = sparse<[[0, 2]], [1.0]> : tensor<8x3xf32, #COO>} : () -> tensor<8x3xf32, #COO>
  return %0, %w : tensor<?x?xf32>, tensor<8x3xf32, #COO>
}
