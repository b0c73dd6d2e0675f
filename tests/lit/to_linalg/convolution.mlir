// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @dense
// CHECK: %[[INIT:[a-z0-9_]+]] = linalg.broadcast ins(%{{.*}} : tensor<4xf32>)
// CHECK: %[[PADDED:[a-z0-9_]+]] = tensor.pad %{{.*}} low[0, 0, 1, 0] high[0, 0, 2, 1]
// CHECK: linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<2> : tensor<2xi64>} ins(%[[PADDED]], {{.*}} outs(%[[INIT]]
func.func @dense(%x: tensor<?x3x?x?xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.Conv(%x, %w, %b) {pads = array<i64: 1, 0, 2, 1>, strides = array<i64: 2, 2>} : (tensor<?x3x?x?xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// SAME depends on the size: the padding is computed at run time.
// CHECK-LABEL: func.func @same
// CHECK: tensor.pad %{{.*}} low[0, 0, %{{.*}}] high[0, 0, %{{.*}}]
// CHECK: linalg.conv_1d_ncw_fcw
func.func @same(%x: tensor<1x3x?xf32>, %w: tensor<4x3x3xf32>) -> tensor<*xf32> {
  %0 = onnx.Conv(%x, %w) {auto_pad = "SAME_LOWER", strides = array<i64: 2>} : (tensor<1x3x?xf32>, tensor<4x3x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// Narrow floats are added up in f32 and rounded once.
// CHECK-LABEL: func.func @half
// CHECK: linalg.conv_3d_ncdhw_fcdhw {{.*}} outs(%{{.*}} : tensor<1x2x3x3x3xf32>)
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @half(%x: tensor<1x3x5x5x5xf16>, %w: tensor<2x3x3x3x3xf16>) -> tensor<*xf16> {
  %0 = onnx.Conv(%x, %w) : (tensor<1x3x5x5x5xf16>, tensor<2x3x3x3x3xf16>) -> tensor<*xf16>
  return %0 : tensor<*xf16>
}

// CHECK-LABEL: func.func @depthwise
// CHECK: linalg.depthwise_conv_2d_nchw_chw
func.func @depthwise(%x: tensor<?x8x9x9xf32>, %w: tensor<8x1x3x3xf32>) -> tensor<*xf32> {
  %0 = onnx.Conv(%x, %w) {group = 8 : i64} : (tensor<?x8x9x9xf32>, tensor<8x1x3x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// CHECK-LABEL: func.func @grouped
// CHECK: tensor.expand_shape %{{.*}} : tensor<?x8x9x9xf32> into tensor<?x2x4x9x9xf32>
// CHECK: linalg.conv_2d_ngchw_gfchw
// CHECK: tensor.collapse_shape %{{.*}} : tensor<?x2x3x7x7xf32> into tensor<?x6x7x7xf32>
func.func @grouped(%x: tensor<?x8x9x9xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<*xf32> {
  %0 = onnx.Conv(%x, %w) {group = 2 : i64} : (tensor<?x8x9x9xf32>, tensor<6x4x3x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// The bias is added to the sums: IREE has no code for a bias that is broadcast,
// and then expanded.
// CHECK-LABEL: func.func @grouped_bias
// CHECK: linalg.fill
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x2x3x?xf32>)
// CHECK: %[[JOINED:.*]] = tensor.collapse_shape %[[SUM]]
// CHECK: linalg.generic {{.*}} ins(%[[JOINED]], %{{.*}} : tensor<1x6x?xf32>, tensor<6xf32>)
func.func @grouped_bias(%x: tensor<1x8x?xf32>, %w: tensor<6x4x3xf32>, %b: tensor<6xf32>) -> tensor<*xf32> {
  %0 = onnx.Conv(%x, %w, %b) {group = 2 : i64} : (tensor<1x8x?xf32>, tensor<6x4x3xf32>, tensor<6xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// linalg reads no more than the only window has.
// CHECK-LABEL: func.func @only_window
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0] [1, 1, 3] [1, 1, 1]
// CHECK: linalg.conv_1d_ncw_fcw
func.func @only_window(%x: tensor<1x1x4xf32>, %w: tensor<1x1x3xf32>) -> tensor<*xf32> {
  %0 = onnx.Conv(%x, %w) {strides = array<i64: 2>} : (tensor<1x1x4xf32>, tensor<1x1x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// Both phases of each feature are a convolution, of constant weights a constant; they are interleaved, and the pads cut off.

// CHECK-LABEL: func.func @transposed(
// CHECK: %[[W:.*]] = arith.constant {{.*}} : tensor<6x2x2xf32>
// CHECK: %[[PADDED:.*]] = tensor.pad %{{.*}} low[0, 0, 1] high[0, 0, 1]
// CHECK: %[[SUM:.*]] = linalg.conv_1d_ncw_fcw {dilations = dense<1> : tensor<1xi64>, strides = dense<1> : tensor<1xi64>} ins(%[[PADDED]], %[[W]] : tensor<1x2x7xf32>, tensor<6x2x2xf32>)
// CHECK: %[[SPLIT:.*]] = tensor.expand_shape %[[SUM]] {{\[}}[0], [1, 2], [3]] output_shape [1, 2, 3, 6]
// CHECK: linalg.transpose ins(%[[SPLIT]] {{.*}} permutation = [0, 2, 3, 1]
// CHECK: %[[JOINED:.*]] = tensor.collapse_shape {{.*}} : tensor<1x3x6x2xf32> into tensor<1x3x12xf32>
// CHECK: tensor.extract_slice %[[JOINED]][0, 0, 1] [1, 3, 11] [1, 1, 1]
func.func @transposed(%x: tensor<1x2x5xf32>) -> tensor<*xf32> {
  %w = onnx.Constant() {value = dense<[[[0., 1., 2.], [3., 4., 5.], [6., 7., 8.]], [[9., 10., 11.], [12., 13., 14.], [15., 16., 17.]]]> : tensor<2x3x3xf32>} : () -> tensor<2x3x3xf32>
  %0 = onnx.ConvTranspose(%x, %w) {pads = array<i64: 1, 0>, strides = array<i64: 2>, output_padding = array<i64: 1>} : (tensor<1x2x5xf32>, tensor<2x3x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// A kernel as large as its stride: a product, and nothing is cut off.

// CHECK-LABEL: func.func @transposed_blocks
// CHECK-NOT: tensor.pad
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<12x4x1x1xf32>)
// CHECK: tensor.extract %
// CHECK-NOT: extract_slice
// CHECK: linalg.conv_2d_nchw_fchw
// CHECK: tensor.collapse_shape {{.*}} : tensor<1x3x?x2x?x2xf32> into tensor<1x3x?x?xf32>
// CHECK-NEXT: return
func.func @transposed_blocks(%x: tensor<1x4x?x?xf32>, %w: tensor<4x3x2x2xf32>, %b: tensor<3xf32>) -> tensor<*xf32> {
  %0 = onnx.ConvTranspose(%x, %w, %b) {strides = array<i64: 2, 2>} : (tensor<1x4x?x?xf32>, tensor<4x3x2x2xf32>, tensor<3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// Without strides there are no phases, and the convolution keeps the dilation.

// CHECK-LABEL: func.func @transposed_dilated
// CHECK: tensor.pad %{{.*}} low[0, 0, 4] high[0, 0, 4]
// CHECK: linalg.conv_1d_ncw_fcw {dilations = dense<2>
// CHECK-NEXT: return
func.func @transposed_dilated(%x: tensor<1x2x5xf32>, %w: tensor<2x3x3xf32>) -> tensor<1x3x9xf32> {
  %0 = onnx.ConvTranspose(%x, %w) {dilations = array<i64: 2>} : (tensor<1x2x5xf32>, tensor<2x3x3xf32>) -> tensor<1x3x9xf32>
  return %0 : tensor<1x3x9xf32>
}

// Every element of the image adds up the elements of the blocks that it lies
// in, and reads no others.

// CHECK-LABEL: func.func @col2im
// CHECK-SAME: %[[X:.*]]: tensor<?x12x?xf16>
// CHECK: cf.assert {{.*}} has another number of blocks
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}}"parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]{{.*}} ins(%{{.*}} : tensor<2x2xf32>) outs(%{{.*}} : tensor<?x3x?x?xf32>)
// CHECK: tensor.extract %[[X]]
// CHECK: arith.select
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins(%[[SUM]]
// CHECK: arith.truncf
func.func @col2im(%x: tensor<?x12x?xf16>, %i: tensor<2xi64>) -> tensor<?x3x?x?xf16> {
  %b = onnx.Constant() {value = dense<2> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Col2Im(%x, %i, %b) {strides = array<i64: 2, 1>} : (tensor<?x12x?xf16>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x3x?x?xf16>
  return %0 : tensor<?x3x?x?xf16>
}

// One column of samples a window, and a convolution with a kernel of one
// element over them.

// CHECK-LABEL: func.func @deform_conv
// CHECK-SAME: %[[X:.*]]: tensor<?x4x8x8xf32>, %[[W:.*]]: tensor<6x4x3x3xf32>, %[[O:.*]]: tensor<?x18x6x6xf32>
// CHECK: %[[COLUMNS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x4x3x3x6x6xf32>)
// CHECK-COUNT-2: tensor.extract %[[O]]
// CHECK-COUNT-4: tensor.extract %[[X]]
// CHECK: tensor.collapse_shape %[[COLUMNS]] {{\[}}[0], [1, 2, 3], [4, 5]]
// CHECK: linalg.conv_1d_ncw_fcw {{.*}} tensor<?x36x36xf32>, tensor<6x36x1xf32>
func.func @deform_conv(%x: tensor<?x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %o: tensor<?x18x6x6xf32>) -> tensor<?x6x6x6xf32> {
  %0 = onnx.DeformConv(%x, %w, %o) : (tensor<?x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<?x18x6x6xf32>) -> tensor<?x6x6x6xf32>
  return %0 : tensor<?x6x6x6xf32>
}
