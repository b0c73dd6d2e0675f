// RUN: omb-opt %s --split-input-file --omb-simplify --verify-diagnostics | FileCheck %s

// A last window that would start in the padding at the end isn't there.
// CHECK-LABEL: func.func @ceil_mode
// CHECK: onnx.MaxPool({{.*}} -> tensor<1x1x2x2xf32>
// CHECK: onnx.GlobalAveragePool({{.*}} -> tensor<1x1x1x1xf32>
func.func @ceil_mode(%x: tensor<1x1x4x3xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %0 = onnx.MaxPool(%x) {ceil_mode = 1 : i64, kernel_shape = array<i64: 1, 2>, strides = array<i64: 3, 2>, pads = array<i64: 0, 0, 2, 0>} : (tensor<1x1x4x3xf32>) -> tensor<*xf32>
  %1 = onnx.GlobalAveragePool(%x) : (tensor<1x1x4x3xf32>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @dynamic
// CHECK: onnx.AveragePool({{.*}} -> tensor<?x3x?x?xf32, #onnx.dims<"n", ?, "h floordiv 2", "w">>
func.func @dynamic(%x: tensor<?x3x?x?xf32, #onnx.dims<"n", ?, "h", "w">>) -> tensor<*xf32> {
  %0 = onnx.AveragePool(%x) {kernel_shape = array<i64: 2, 3>, strides = array<i64: 2, 1>, pads = array<i64: 0, 1, 0, 1>} : (tensor<?x3x?x?xf32, #onnx.dims<"n", ?, "h", "w">>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @kernel_shape(%x: tensor<1x1x4x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{takes 2 kernel_shape, not 1}}
  %0 = onnx.AveragePool(%x) {kernel_shape = array<i64: 2>} : (tensor<1x1x4x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @rank(%x: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{takes an input of rank 2 or more, not 1}}
  %0 = onnx.GlobalMaxPool(%x) : (tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @norm(%x: tensor<1x1x4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has p = 0, which is no norm}}
  %0 = onnx.LpPool(%x) {kernel_shape = array<i64: 2>, p = 0 : i64} : (tensor<1x1x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @roi_align
// CHECK: onnx.RoiAlign({{.*}} -> tensor<?x3x1x7xf32, #onnx.dims<"regions", ?, ?, ?>>
func.func @roi_align(%x: tensor<?x3x?x?xf32>, %r: tensor<?x4xf32, #onnx.dims<"regions", ?>>, %b: tensor<?xi64>) -> tensor<*xf32> {
  %0 = onnx.RoiAlign(%x, %r, %b) {output_width = 7 : i64} : (tensor<?x3x?x?xf32>, tensor<?x4xf32, #onnx.dims<"regions", ?>>, tensor<?xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @roi_align_indices(%x: tensor<1x3x4x4xf32>, %r: tensor<5x4xf32>, %b: tensor<4xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has 5 regions, but 4 batch indices}}
  %0 = onnx.RoiAlign(%x, %r, %b) : (tensor<1x3x4x4xf32>, tensor<5x4xf32>, tensor<4xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @roi_align_mode(%x: tensor<1x3x4x4xf32>, %r: tensor<5x4xf32>, %b: tensor<5xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has the mode 'min', which is unknown}}
  %0 = onnx.RoiAlign(%x, %r, %b) {mode = "min"} : (tensor<1x3x4x4xf32>, tensor<5x4xf32>, tensor<5xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @max_unpool
// CHECK: onnx.MaxUnpool({{.*}} -> tensor<?x2x?x5xf32, #onnx.dims<"n", ?, "(h * 2) + 1", ?>>
// CHECK: onnx.MaxUnpool({{.*}} -> tensor<1x2x9x9xf32>
func.func @max_unpool(%x: tensor<?x2x?x3xf32, #onnx.dims<"n", ?, "h", ?>>, %i: tensor<?x2x?x3xi64>) -> (tensor<*xf32>, tensor<*xf32>) {
  %s = onnx.Constant() {value = dense<[1, 2, 9, 9]> : tensor<4xi64>} : () -> tensor<4xi64>
  %0 = onnx.MaxUnpool(%x, %i) {kernel_shape = array<i64: 3, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 1, 0, 0>} : (tensor<?x2x?x3xf32, #onnx.dims<"n", ?, "h", ?>>, tensor<?x2x?x3xi64>) -> tensor<*xf32>
  %1 = onnx.MaxUnpool(%x, %i, %s) {kernel_shape = array<i64: 3, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 1, 0, 0>} : (tensor<?x2x?x3xf32, #onnx.dims<"n", ?, "h", ?>>, tensor<?x2x?x3xi64>, tensor<4xi64>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

func.func @max_unpool_small(%x: tensor<1x2x3x3xf32>, %i: tensor<1x2x3x3xi64>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<[1, 2, 4, 6]> : tensor<4xi64>} : () -> tensor<4xi64>
  // expected-error @+1 {{has an output_shape of 4 in dimension 2, which is too small}}
  %0 = onnx.MaxUnpool(%x, %i, %s) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x2x3x3xf32>, tensor<1x2x3x3xi64>, tensor<4xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
