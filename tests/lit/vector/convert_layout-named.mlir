// RUN: omb-opt %s --split-input-file --omb-convert-layout=named | FileCheck %s

// Named operations stay such, with filters in the order taps, channels, features; the padding between them moves.
// CHECK-LABEL: func.func @chain
// CHECK-SAME:    %[[X:.*]]: tensor<?x3x?x?xf32>
// CHECK:         %[[LAST:.*]] = linalg.transpose ins(%[[X]] : {{.*}} permutation = [0, 2, 3, 1]
// CHECK:         %[[W:.*]] = linalg.transpose ins(%{{.*}} : tensor<4x3x2x1xf32>) outs(%{{.*}} : tensor<2x1x3x4xf32>) permutation = [2, 3, 1, 0]
// CHECK:         linalg.conv_2d_nhwc_hwcf {{.*}} ins(%[[LAST]], %[[W]] : tensor<?x?x?x3xf32>, tensor<2x1x3x4xf32>)
// CHECK:         tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK:         %[[V:.*]] = linalg.transpose ins(%{{.*}} : tensor<4x3x3xf32>) outs(%{{.*}} : tensor<3x3x4xf32>) permutation = [1, 2, 0]
// CHECK:         %[[D:.*]] = linalg.depthwise_conv_2d_nhwc_hwc {{.*}} ins(%{{.*}}, %[[V]] : tensor<?x?x?x4xf32>, tensor<3x3x4xf32>)
// CHECK:         %[[OUT:.*]] = linalg.transpose ins(%[[D]] : {{.*}} permutation = [0, 3, 1, 2]
// CHECK:         return %[[OUT]]
func.func @chain(%x: tensor<?x3x?x?xf32>, %start: tensor<?x4x?x?xf32>, %last: tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32> {
  %w = arith.constant dense<1.0> : tensor<4x3x2x1xf32>
  %v = arith.constant dense<1.0> : tensor<4x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<?x3x?x?xf32>, tensor<4x3x2x1xf32>) outs(%start : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = tensor.pad %c low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<?x4x?x?xf32> to tensor<?x4x?x?xf32>
  %d = linalg.depthwise_conv_2d_nchw_chw {dilations = dense<1> : tensor<2xi64>, strides = dense<2> : tensor<2xi64>}
    ins(%p, %v : tensor<?x4x?x?xf32>, tensor<4x3x3xf32>) outs(%last : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  return %d : tensor<?x4x?x?xf32>
}

// -----

// Left alone: integers, and groups, which have no such name.
// CHECK-LABEL: func.func @integers
// CHECK:         linalg.conv_2d_nchw_fchw
// CHECK:         linalg.conv_2d_ngchw_gfchw
func.func @integers(%x: tensor<1x3x8x8xi32>, %g: tensor<1x2x3x8x8xf32>, %start: tensor<1x4x8x8xi32>, %last: tensor<1x2x4x8x8xf32>) -> (tensor<1x4x8x8xi32>, tensor<1x2x4x8x8xf32>) {
  %w = arith.constant dense<1> : tensor<4x3x1x1xi32>
  %v = arith.constant dense<1.0> : tensor<2x4x3x1x1xf32>
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x3x8x8xi32>, tensor<4x3x1x1xi32>) outs(%start : tensor<1x4x8x8xi32>) -> tensor<1x4x8x8xi32>
  %d = linalg.conv_2d_ngchw_gfchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%g, %v : tensor<1x2x3x8x8xf32>, tensor<2x4x3x1x1xf32>) outs(%last : tensor<1x2x4x8x8xf32>) -> tensor<1x2x4x8x8xf32>
  return %c, %d : tensor<1x4x8x8xi32>, tensor<1x2x4x8x8xf32>
}
