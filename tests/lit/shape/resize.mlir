// RUN: omb-opt %s --onnx-infer-shapes --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @scales
// CHECK: onnx.Resize({{.*}} -> tensor<?x6x?x2xf32, #onnx.dims<"n", ?, "h floordiv 2", ?>>
func.func @scales(%x: tensor<?x3x?x3xf32, #onnx.dims<"n", ?, "h", ?>>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<[1.0, 2.0, 0.5, 0.7]> : tensor<4xf32>} : () -> tensor<4xf32>
  %0 = onnx.Resize(%x, none, %s) : (tensor<?x3x?x3xf32, #onnx.dims<"n", ?, "h", ?>>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @not_larger
// CHECK: onnx.Resize({{.*}} -> tensor<1x5x7xf32>
func.func @not_larger(%x: tensor<1x4x6xf32>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<[8, 7]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Resize(%x, none, none, %s) {axes = array<i64: 1, 2>, keep_aspect_ratio_policy = "not_larger"} : (tensor<1x4x6xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @computed_sizes
// CHECK: onnx.Resize({{.*}} -> tensor<1x?xf32
func.func @computed_sizes(%x: tensor<1x4xf32>, %s: tensor<1xi64>) -> tensor<*xf32> {
  %0 = onnx.Resize(%x, none, none, %s) {axes = array<i64: -1>} : (tensor<1x4xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @neither(%x: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{needs either scales or sizes}}
  %0 = onnx.Resize(%x) : (tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @count(%x: tensor<4xf32>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  // expected-error @+1 {{has 2 scales for 1 axes}}
  %0 = onnx.Resize(%x, none, %s) : (tensor<4xf32>, tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_scale(%x: tensor<4xf32>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<-1.0> : tensor<1xf32>} : () -> tensor<1xf32>
  // expected-error @+1 {{has a scale of -1.0}}
  %0 = onnx.Resize(%x, none, %s) : (tensor<4xf32>, tensor<1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @mode(%x: tensor<4xf32>, %s: tensor<1xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has the mode 'lanczos', which is unknown}}
  %0 = onnx.Resize(%x, none, %s) {mode = "lanczos"} : (tensor<4xf32>, tensor<1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @no_roi(%x: tensor<4xf32>, %s: tensor<1xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has no roi, which tf_crop_and_resize needs}}
  %0 = onnx.Resize(%x, none, %s) {coordinate_transformation_mode = "tf_crop_and_resize"} : (tensor<4xf32>, tensor<1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @grid_sample
// CHECK: onnx.GridSample({{.*}} -> tensor<?x3x?x7xf32, #onnx.dims<"n", ?, "h", ?>>
func.func @grid_sample(%x: tensor<?x3x?x?xf32, #onnx.dims<"n", ?, ?, ?>>, %g: tensor<?x?x7x2xf32, #onnx.dims<?, "h", ?, ?>>) -> tensor<*xf32> {
  %0 = onnx.GridSample(%x, %g) : (tensor<?x3x?x?xf32, #onnx.dims<"n", ?, ?, ?>>, tensor<?x?x7x2xf32, #onnx.dims<?, "h", ?, ?>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @grid_batch(%x: tensor<2x3x4x4xf32>, %g: tensor<1x7x7x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has the batch sizes 2 and 1}}
  %0 = onnx.GridSample(%x, %g) : (tensor<2x3x4x4xf32>, tensor<1x7x7x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @grid_dims(%x: tensor<2x3x4x4xf32>, %g: tensor<2x7x7x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a grid of points in 3 dimensions for 2}}
  %0 = onnx.GridSample(%x, %g) : (tensor<2x3x4x4xf32>, tensor<2x7x7x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @grid_padding(%x: tensor<2x3x4x4xf32>, %g: tensor<2x7x7x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has the padding_mode 'wrap', which is unknown}}
  %0 = onnx.GridSample(%x, %g) {padding_mode = "wrap"} : (tensor<2x3x4x4xf32>, tensor<2x7x7x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @affine_grid
// CHECK: onnx.AffineGrid({{.*}} -> tensor<?x5x6x2xf32, #onnx.dims<"n", ?, ?, ?>>
// CHECK: onnx.AffineGrid({{.*}} -> tensor<2x?x?x?x3xf32
func.func @affine_grid(%t: tensor<?x2x3xf32, #onnx.dims<"n", ?, ?>>, %u: tensor<2x3x4xf32>, %s: tensor<5xi64>) -> (tensor<*xf32>, tensor<*xf32>) {
  %n = onnx.Shape(%t) {end = 1 : i64} : (tensor<?x2x3xf32, #onnx.dims<"n", ?, ?>>) -> tensor<1xi64>
  %c = onnx.Constant() {value = dense<[4, 5, 6]> : tensor<3xi64>} : () -> tensor<3xi64>
  %size = onnx.Concat(%n, %c) {axis = 0 : i64} : (tensor<1xi64>, tensor<3xi64>) -> tensor<4xi64>
  %0 = onnx.AffineGrid(%t, %size) : (tensor<?x2x3xf32, #onnx.dims<"n", ?, ?>>, tensor<4xi64>) -> tensor<*xf32>
  %1 = onnx.AffineGrid(%u, %s) : (tensor<2x3x4xf32>, tensor<5xi64>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

func.func @affine_matrix(%t: tensor<1x3x4xf32>, %s: tensor<4xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{takes matrices of 2 rows and 3 columns}}
  %0 = onnx.AffineGrid(%t, %s) : (tensor<1x3x4xf32>, tensor<4xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
