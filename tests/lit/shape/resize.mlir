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
