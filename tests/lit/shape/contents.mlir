// RUN: omb-opt %s --omb-simplify | FileCheck %s

// CHECK-LABEL: func.func @constant
// CHECK: %[[S:.*]] = onnx.Constant() {value = dense<[2, 3]> : tensor<2xi64>}
// CHECK-NEXT: return %[[S]]
func.func @constant(%x: tensor<2x3xf32>) -> tensor<?xi64> {
  %0 = onnx.Shape(%x) : (tensor<2x3xf32>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}

// CHECK-LABEL: func.func @dynamic(
// CHECK-SAME: %[[X:.*]]: tensor<?x3xf32
// CHECK-NOT: onnx.Shape
// CHECK: %[[D:.*]] = tensor.dim %[[X]]
// CHECK: %[[I:.*]] = arith.index_cast %[[D]] : index to i64
// CHECK: %[[S:.*]] = tensor.from_elements %[[I]], %{{.*}} : tensor<2xi64>
// CHECK: return %[[S]]
func.func @dynamic(%x: tensor<?x3xf32, #onnx.dims<"batch", ?>>) -> tensor<2xi64> {
  %0 = onnx.Abs(%x) : (tensor<?x3xf32, #onnx.dims<"batch", ?>>) -> tensor<*xf32>
  %1 = onnx.Shape(%0) : (tensor<*xf32>) -> tensor<2xi64>
  return %1 : tensor<2xi64>
}
