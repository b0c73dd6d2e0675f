// RUN: omb-opt %s --onnx-infer-shapes --split-input-file --verify-diagnostics | FileCheck %s

// Sizes are computed with names. What a slice leaves of a dimension that may be
// empty has none.

// CHECK-LABEL: func.func @names
// CHECK: onnx.Concat({{.*}} -> tensor<?x?xf32, #onnx.dims<"a * 2", "b">>
// CHECK: onnx.Slice({{.*}} -> tensor<?x?xf32, #onnx.dims<"a", "?{{[0-9]+}}">>
// CHECK: onnx.SpaceToDepth({{.*}} -> tensor<?x12x?x4xf32, #onnx.dims<"a", ?, "h floordiv 2", ?>>
func.func @names(%x: tensor<?x?xf32, #onnx.dims<"a", "b">>, %y: tensor<?x3x?x8xf32, #onnx.dims<"a", ?, "h", ?>>)
    -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) {
  %s = onnx.Constant() {value_ints = array<i64: 0>} : () -> tensor<1xi64>
  %e = onnx.Constant() {value_ints = array<i64: -1>} : () -> tensor<1xi64>
  %one = onnx.Constant() {value_ints = array<i64: 1>} : () -> tensor<1xi64>
  %0 = onnx.Concat(%x, %x) {axis = 0 : i64} : (tensor<?x?xf32, #onnx.dims<"a", "b">>, tensor<?x?xf32, #onnx.dims<"a", "b">>) -> tensor<*xf32>
  %1 = onnx.Slice(%x, %s, %e, %one) : (tensor<?x?xf32, #onnx.dims<"a", "b">>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  %2 = onnx.SpaceToDepth(%y) {blocksize = 2 : i64} : (tensor<?x3x?x8xf32, #onnx.dims<"a", ?, "h", ?>>) -> tensor<*xf32>
  return %0, %1, %2 : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// Of computed axes, the number tells the rank.

// CHECK-LABEL: func.func @computed_axes
// CHECK: onnx.Unsqueeze({{.*}} -> tensor<?x?x?xf32
// CHECK: onnx.Squeeze({{.*}} -> tensor<?xf32
func.func @computed_axes(%x: tensor<2x3xf32>, %a: tensor<1xi64>) -> (tensor<*xf32>, tensor<*xf32>) {
  %0 = onnx.Unsqueeze(%x, %a) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %1 = onnx.Squeeze(%x, %a) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

func.func @concat_ranks(%x: tensor<2x3xf32>, %y: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{joins tensors of ranks 2 and 1}}
  %0 = onnx.Concat(%x, %y) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @slice_step(%x: tensor<4xf32>) -> tensor<*xf32> {
  %z = onnx.Constant() {value_ints = array<i64: 0>} : () -> tensor<1xi64>
  // expected-error @+1 {{has a step of 0}}
  %0 = onnx.Slice(%x, %z, %z, %z, %z) : (tensor<4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @split_sizes(%x: tensor<7xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %s = onnx.Constant() {value_ints = array<i64: 3, 3>} : () -> tensor<2xi64>
  // expected-error @+1 {{has sizes that make 6, but the dimension has 7}}
  %0, %1 = onnx.Split(%x, %s) : (tensor<7xf32>, tensor<2xi64>) -> (tensor<*xf32>, tensor<*xf32>)
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

func.func @pad_count(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %p = onnx.Constant() {value_ints = array<i64: 1, 1>} : () -> tensor<2xi64>
  // expected-error @+1 {{has 2 pads for 2 axes}}
  %0 = onnx.Pad(%x, %p) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @perm(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has axis 1 twice}}
  %0 = onnx.Transpose(%x) {perm = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @squeeze(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %a = onnx.Constant() {value_ints = array<i64: 0>} : () -> tensor<1xi64>
  // expected-error @+1 {{can't take away dimension 0, whose size is 2}}
  %0 = onnx.Squeeze(%x, %a) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @reshape(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %s = onnx.Constant() {value_ints = array<i64: 4, -1>} : () -> tensor<2xi64>
  // expected-error @+1 {{can't infer the dimension given as -1}}
  %0 = onnx.Reshape(%x, %s) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @reverse_sequence(%x: tensor<2x3xf32>, %l: tensor<2xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has 2 sequence_lens for a batch of 3}}
  %0 = onnx.ReverseSequence(%x, %l) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @reverse_sequence_axes(%x: tensor<2x3xf32>, %l: tensor<3xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has time_axis 1 and batch_axis 1; they must be 0 and 1 or 1 and 0}}
  %0 = onnx.ReverseSequence(%x, %l) {time_axis = 1 : i64} : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @trilu(%x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{takes an input of rank 2 or more, not 1}}
  %0 = onnx.Trilu(%x) : (tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Without axes, dynamic dimensions stay: the lowering stops the run where one
// is 1.

// CHECK-LABEL: func.func @squeeze_dynamic
// CHECK: onnx.Squeeze({{.*}} -> tensor<?x3xf32
func.func @squeeze_dynamic(%x: tensor<?x1x3xf32>) -> tensor<*xf32> {
  %0 = onnx.Squeeze(%x) : (tensor<?x1x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
