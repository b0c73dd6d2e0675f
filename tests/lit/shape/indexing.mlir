// RUN: omb-opt %s --onnx-infer-shapes --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @names
// CHECK: onnx.Gather({{.*}} -> tensor<?x2x?xf32, #onnx.dims<"a", ?, "b">>
// CHECK: onnx.TopK({{.*}} -> (tensor<?x3x?xf32, #onnx.dims<"a", ?, "b">>, tensor<?x3x?xi64, #onnx.dims<"a", ?, "b">>)
// CHECK: onnx.ScatterND({{.*}} -> tensor<?x?x?xf32, #onnx.dims<"a", "n", "b">>
func.func @names(%x: tensor<?x?x?xf32, #onnx.dims<"a", "n", "b">>, %i: tensor<2xi64>, %j: tensor<2x1xi64>, %u: tensor<*xf32>)
    -> (tensor<*xf32>, tensor<*xf32>, tensor<*xi64>, tensor<*xf32>) {
  %k = onnx.Constant() {value_ints = array<i64: 3>} : () -> tensor<1xi64>
  %0 = onnx.Gather(%x, %i) {axis = -2 : i64} : (tensor<?x?x?xf32, #onnx.dims<"a", "n", "b">>, tensor<2xi64>) -> tensor<*xf32>
  %1, %2 = onnx.TopK(%x, %k) {axis = 1 : i64} : (tensor<?x?x?xf32, #onnx.dims<"a", "n", "b">>, tensor<1xi64>) -> (tensor<*xf32>, tensor<*xi64>)
  %3 = onnx.ScatterND(%x, %j, %u) : (tensor<?x?x?xf32, #onnx.dims<"a", "n", "b">>, tensor<2x1xi64>, tensor<*xf32>) -> tensor<*xf32>
  return %0, %1, %2, %3 : tensor<*xf32>, tensor<*xf32>, tensor<*xi64>, tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @gather_nd
// CHECK: onnx.GatherND({{.*}} -> tensor<2x7x5xf32>
func.func @gather_nd(%x: tensor<2x3x4x5xf32>, %i: tensor<2x7x2xi64>) -> tensor<*xf32> {
  %0 = onnx.GatherND(%x, %i) {batch_dims = 1 : i64} : (tensor<2x3x4x5xf32>, tensor<2x7x2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @one_hot
// CHECK: onnx.OneHot({{.*}} -> tensor<4x?x3xf32, #onnx.dims<?, "n", ?>>
func.func @one_hot(%i: tensor<?x3xi64, #onnx.dims<"n", ?>>, %v: tensor<2xf32>) -> tensor<*xf32> {
  %d = onnx.Constant() {value_float = 4.0 : f32} : () -> tensor<f32>
  %0 = onnx.OneHot(%i, %d, %v) {axis = 0 : i64} : (tensor<?x3xi64, #onnx.dims<"n", ?>>, tensor<f32>, tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @gather_out_of_range(%x: tensor<3xf32>) -> tensor<*xf32> {
  %i = onnx.Constant() {value_int = 3 : i64} : () -> tensor<i64>
  // expected-error @+1 {{has index 3 for a dimension of size 3}}
  %0 = onnx.Gather(%x, %i) : (tensor<3xf32>, tensor<i64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @gather_elements_too_large(%x: tensor<3x4xf32>, %i: tensor<4x4xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has indices of size 4 in dimension 0, where the data has 3}}
  %0 = onnx.GatherElements(%x, %i) {axis = 1 : i64} : (tensor<3x4xf32>, tensor<4x4xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @gather_nd_too_deep(%x: tensor<3x4xf32>, %i: tensor<2x3xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has indices of 3 numbers for data of rank 2}}
  %0 = onnx.GatherND(%x, %i) : (tensor<3x4xf32>, tensor<2x3xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @gather_nd_batch(%x: tensor<3x4xf32>, %i: tensor<2x1xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has batch dimension 0 of size 3 and 2}}
  %0 = onnx.GatherND(%x, %i) {batch_dims = 1 : i64} : (tensor<3x4xf32>, tensor<2x1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @scatter_nd_updates(%x: tensor<3x4xf32>, %i: tensor<2x1xi64>, %u: tensor<2x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has updates of size 5 in dimension 1; it must be 4}}
  %0 = onnx.ScatterND(%x, %i, %u) : (tensor<3x4xf32>, tensor<2x1xi64>, tensor<2x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @scatter_elements_axis(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{axis 1}}
  %0 = onnx.ScatterElements(%x, %i, %u) {axis = 1 : i64} : (tensor<3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @top_k_too_many(%x: tensor<3xf32>) -> (tensor<*xf32>, tensor<*xi64>) {
  %k = onnx.Constant() {value_ints = array<i64: 4>} : () -> tensor<1xi64>
  // expected-error @+1 {{picks 4 elements of a dimension of size 3}}
  %0, %1 = onnx.TopK(%x, %k) : (tensor<3xf32>, tensor<1xi64>) -> (tensor<*xf32>, tensor<*xi64>)
  return %0, %1 : tensor<*xf32>, tensor<*xi64>
}
