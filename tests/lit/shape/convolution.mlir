// RUN: omb-opt %s --split-input-file --omb-simplify --verify-diagnostics | FileCheck %s

// Equal sizes have equal names, however the padding is given.
// CHECK-LABEL: func.func @conv_dynamic
// CHECK: onnx.Conv({{.*}} -> tensor<?x16x?x?xf32, #onnx.dims<"n", ?, "(h + 1) floordiv 2", "(w + 1) floordiv 2">>
// CHECK: onnx.Conv({{.*}} -> tensor<?x16x?x?xf32, #onnx.dims<"n", ?, "(h + 1) floordiv 2", "(w + 1) floordiv 2">>
func.func @conv_dynamic(%x: tensor<?x8x?x?xf32, #onnx.dims<"n", ?, "h", "w">>, %w: tensor<16x8x3x3xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %0 = onnx.Conv(%x, %w) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<?x8x?x?xf32, #onnx.dims<"n", ?, "h", "w">>, tensor<16x8x3x3xf32>) -> tensor<*xf32>
  %1 = onnx.Conv(%x, %w) {auto_pad = "SAME_UPPER", strides = array<i64: 2, 2>} : (tensor<?x8x?x?xf32, #onnx.dims<"n", ?, "h", "w">>, tensor<16x8x3x3xf32>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @conv_transpose
// CHECK: onnx.ConvTranspose({{.*}} -> tensor<?x6x?xf32, #onnx.dims<"n", ?, "l * 2">>
func.func @conv_transpose(%x: tensor<?x4x?xf32, #onnx.dims<"n", ?, "l">>, %w: tensor<4x3x4xf32>) -> tensor<*xf32> {
  %0 = onnx.ConvTranspose(%x, %w) {group = 2 : i64, pads = array<i64: 1, 1>, strides = array<i64: 2>} : (tensor<?x4x?xf32, #onnx.dims<"n", ?, "l">>, tensor<4x3x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @stride(%x: tensor<1x1x5xf32>, %w: tensor<1x1x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has 0 in strides, which is out of range}}
  %0 = onnx.Conv(%x, %w) {strides = array<i64: 0>} : (tensor<1x1x5xf32>, tensor<1x1x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @pads(%x: tensor<1x1x5xf32>, %w: tensor<1x1x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{takes 2 pads, not 4}}
  %0 = onnx.Conv(%x, %w) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x1x5xf32>, tensor<1x1x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @auto_pad(%x: tensor<1x1x5xf32>, %w: tensor<1x1x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has the unknown auto_pad 'SAME'}}
  %0 = onnx.Conv(%x, %w) {auto_pad = "SAME"} : (tensor<1x1x5xf32>, tensor<1x1x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @kernel(%x: tensor<1x1x5xf32>, %w: tensor<1x1x4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has no room for a window of 7 in spatial dimension 0, which is 6 with its padding}}
  %0 = onnx.Conv(%x, %w) {pads = array<i64: 1, 0>, dilations = array<i64: 2>} : (tensor<1x1x5xf32>, tensor<1x1x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @kernel_shape(%x: tensor<1x1x5xf32>, %w: tensor<1x1x4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a kernel_shape of 3 in spatial dimension 0, but the weights have 4}}
  %0 = onnx.Conv(%x, %w) {kernel_shape = array<i64: 3>} : (tensor<1x1x5xf32>, tensor<1x1x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @channels(%x: tensor<1x4x5xf32>, %w: tensor<2x3x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has an input of 4 channels, but weights for 6}}
  %0 = onnx.Conv(%x, %w) {group = 2 : i64} : (tensor<1x4x5xf32>, tensor<2x3x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @groups(%x: tensor<1x4x5xf32>, %w: tensor<3x2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't divide 3 feature maps into 2 groups}}
  %0 = onnx.Conv(%x, %w) {group = 2 : i64} : (tensor<1x4x5xf32>, tensor<3x2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @bias(%x: tensor<1x1x5xf32>, %w: tensor<2x1x3xf32>, %b: tensor<3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a bias of 3 elements for 2 channels}}
  %0 = onnx.Conv(%x, %w, %b) : (tensor<1x1x5xf32>, tensor<2x1x3xf32>, tensor<3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @col2im
// CHECK: onnx.Col2Im({{.*}} -> tensor<?x3x5x6xf32, #onnx.dims<"n", ?, ?, ?>>
// CHECK: onnx.Col2Im({{.*}} -> tensor<?x?x?x?xf32, #onnx.dims<"n",
func.func @col2im(%x: tensor<?x12x20xf32, #onnx.dims<"n", ?, ?>>, %s: tensor<2xi64>) -> (tensor<*xf32>, tensor<*xf32>) {
  %i = onnx.Constant() {value = dense<[5, 6]> : tensor<2xi64>} : () -> tensor<2xi64>
  %b = onnx.Constant() {value = dense<2> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Col2Im(%x, %i, %b) : (tensor<?x12x20xf32, #onnx.dims<"n", ?, ?>>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32>
  %1 = onnx.Col2Im(%x, %s, %s) : (tensor<?x12x20xf32, #onnx.dims<"n", ?, ?>>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

func.func @col2im_blocks(%x: tensor<1x12x19xf32>) -> tensor<*xf32> {
  %i = onnx.Constant() {value = dense<[5, 6]> : tensor<2xi64>} : () -> tensor<2xi64>
  %b = onnx.Constant() {value = dense<2> : tensor<2xi64>} : () -> tensor<2xi64>
  // expected-error @+1 {{has 19 blocks for an image of 20}}
  %0 = onnx.Col2Im(%x, %i, %b) : (tensor<1x12x19xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @col2im_rows(%x: tensor<1x11x20xf32>) -> tensor<*xf32> {
  %i = onnx.Constant() {value = dense<[5, 6]> : tensor<2xi64>} : () -> tensor<2xi64>
  %b = onnx.Constant() {value = dense<2> : tensor<2xi64>} : () -> tensor<2xi64>
  // expected-error @+1 {{has 11 rows, which aren't blocks of 4 elements}}
  %0 = onnx.Col2Im(%x, %i, %b) : (tensor<1x11x20xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @deform_conv
// CHECK: onnx.DeformConv({{.*}} -> tensor<?x6x6x?xf32, #onnx.dims<"n", ?, ?, "w + -2">>
func.func @deform_conv(%x: tensor<?x4x8x?xf32, #onnx.dims<"n", ?, ?, "w">>, %w: tensor<6x2x3x3xf32>, %o: tensor<?x36x6x?xf32>) -> tensor<*xf32> {
  %0 = onnx.DeformConv(%x, %w, %o) {group = 2 : i64, offset_group = 2 : i64} : (tensor<?x4x8x?xf32, #onnx.dims<"n", ?, ?, "w">>, tensor<6x2x3x3xf32>, tensor<?x36x6x?xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @deform_offset(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %o: tensor<1x9x6x6xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has an offset of 9 channels, not 18}}
  %0 = onnx.DeformConv(%x, %w, %o) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<1x9x6x6xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @deform_mask(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %o: tensor<1x18x6x6xf32>, %m: tensor<1x9x6x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a mask of 5 in dimension 3, but a result of 6}}
  %0 = onnx.DeformConv(%x, %w, %o, none, %m) : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<1x18x6x6xf32>, tensor<1x9x6x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
