// RUN: omb-opt %s --split-input-file --verify-diagnostics --onnx-infer-shapes | FileCheck %s

// CHECK-LABEL: func.func @names
// CHECK: onnx.ReduceMean{{.*}} -> tensor<?xf32, #onnx.dims<"n">>
func.func @names(%x: tensor<?x3x4xf32, #onnx.dims<"n", ?, ?>>) -> tensor<*xf32> {
  %axes = onnx.Constant() {value = dense<[-1, 1]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.ReduceMean(%x, %axes) {keepdims = 0 : i64} : (tensor<?x3x4xf32, #onnx.dims<"n", ?, ?>>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @noop
// CHECK: onnx.ReduceSum{{.*}} -> tensor<2x3xf32>
func.func @noop(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %0 = onnx.ReduceSum(%x) {noop_with_empty_axes = 1 : i64} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// The number of axes is enough for the rank.

// CHECK-LABEL: func.func @runtime_axes
// CHECK: onnx.ReduceSum{{.*}} -> tensor<?x?xf32
func.func @runtime_axes(%x: tensor<2x3x4xf32>, %axes: tensor<1xi64>) -> tensor<*xf32> {
  %0 = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @range(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %axes = onnx.Constant() {value = dense<2> : tensor<1xi64>} : () -> tensor<1xi64>
  // expected-error @+1 {{has axis 2, which is out of range for rank 2}}
  %0 = onnx.ReduceSum(%x, %axes) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @no_extreme(%x: tensor<2x0xf32>) -> tensor<*xi64> {
  // expected-error @+1 {{looks for an extreme in dimension 1, which is empty}}
  %0 = onnx.ArgMax(%x) {axis = 1 : i64} : (tensor<2x0xf32>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}
