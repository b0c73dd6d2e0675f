// RUN: omb-opt %s --split-input-file --omb-convert-layout | FileCheck %s

// Two convolutions with what is between them: one transposition before, one after.
// CHECK-LABEL: func.func @chain
// CHECK-SAME:    %[[X:.*]]: tensor<?x5x8x8xf32>
// CHECK:         linalg.broadcast {{.*}} outs({{.*}} : tensor<?x6x6x4xf32>) dimensions = [0, 1, 2]
// CHECK:         %[[LAST:.*]] = linalg.transpose ins(%[[X]] : {{.*}} permutation = [0, 2, 3, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[LAST]], %{{.*}} : tensor<?x8x8x5xf32>, tensor<4x5x3x3xf32>)
// CHECK:         linalg.generic {{.*}} ins(%{{.*}} : tensor<?x6x6x4xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.maximumf
// CHECK:         %[[PAD:.*]] = tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK:         linalg.pooling_nhwc_max {{.*}} ins(%[[PAD]], {{.*}} -> tensor<?x6x6x4xf32>
// CHECK-NOT:     linalg.transpose
// CHECK:         %[[LINEAR:.*]] = linalg.generic {{.*}} tensor<2x4x1x1xf32>)
// CHECK-NOT:     linalg.transpose
// CHECK:         %[[OUT:.*]] = linalg.transpose ins(%[[LINEAR]] : {{.*}} permutation = [0, 3, 1, 2]
// CHECK-NOT:     omb.channels_second
// CHECK:         return %[[OUT]]
func.func @chain(%x: tensor<?x5x8x8xf32>, %bias: tensor<4xf32>, %n: index) -> tensor<?x2x6x6xf32> {
  %w = arith.constant dense<1.0> : tensor<4x5x3x3xf32>
  %v = arith.constant dense<1.0> : tensor<2x4x1x1xf32>
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -1.0 : f32
  %e = tensor.empty(%n) : tensor<?x4x6x6xf32>
  %b = linalg.broadcast ins(%bias : tensor<4xf32>) outs(%e : tensor<?x4x6x6xf32>) dimensions = [0, 2, 3]
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<?x5x8x8xf32>, tensor<4x5x3x3xf32>) outs(%b : tensor<?x4x6x6xf32>) -> tensor<?x4x6x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%c : tensor<?x4x6x6xf32>) outs(%e : tensor<?x4x6x6xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.maximumf %in, %zero : f32
    linalg.yield %m : f32
  } -> tensor<?x4x6x6xf32>
  %p = tensor.pad %r low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %low : f32
  } : tensor<?x4x6x6xf32> to tensor<?x4x8x8xf32>
  %window = tensor.empty() : tensor<3x3xf32>
  %start = linalg.fill ins(%low : f32) outs(%e : tensor<?x4x6x6xf32>) -> tensor<?x4x6x6xf32>
  %q = linalg.pooling_nchw_max {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%p, %window : tensor<?x4x8x8xf32>, tensor<3x3xf32>) outs(%start : tensor<?x4x6x6xf32>) -> tensor<?x4x6x6xf32>
  %f = tensor.empty(%n) : tensor<?x2x6x6xf32>
  %g = linalg.fill ins(%zero : f32) outs(%f : tensor<?x2x6x6xf32>) -> tensor<?x2x6x6xf32>
  %d = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%q, %v : tensor<?x4x6x6xf32>, tensor<2x4x1x1xf32>) outs(%g : tensor<?x2x6x6xf32>) -> tensor<?x2x6x6xf32>
  return %d : tensor<?x2x6x6xf32>
}

// -----

// A sum over the positions reads what the convolution gives; its result isn't an image.
// CHECK-LABEL: func.func @sum
// CHECK:         %[[CONV:.*]] = linalg.generic
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #{{.*}}], iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK-SAME:      ins(%[[CONV]] : tensor<2x5x4xf32>) outs(%{{.*}} : tensor<2x4xf32>)
// CHECK-NOT:     linalg.transpose
func.func @sum(%x: tensor<2x3x7xf32>) -> tensor<2x4xf32> {
  %w = arith.constant dense<1.0> : tensor<4x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  %c = linalg.conv_1d_ncw_fcw {dilations = dense<1> : tensor<1xi64>, strides = dense<1> : tensor<1xi64>}
    ins(%x, %w : tensor<2x3x7xf32>, tensor<4x3x3xf32>) outs(%f : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  %g = tensor.empty() : tensor<2x4xf32>
  %h = linalg.fill ins(%zero : f32) outs(%g : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r = linalg.reduce {arith.addf} ins(%c : tensor<2x4x5xf32>) outs(%h : tensor<2x4xf32>) dimensions = [2]
  return %r : tensor<2x4xf32>
}

// -----

// Left alone: weights that aren't constant, and a model's own transposition.
// CHECK-LABEL: func.func @alone
// CHECK:         linalg.conv_2d_nchw_fchw
// CHECK:         %[[T:.*]] = linalg.transpose {{.*}} permutation = [0, 2, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[T]] :
func.func @alone(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %y: tensor<2x3x4xf32>)
    -> (tensor<1x4x6x6xf32>, tensor<2x4x3xf32>) {
  %e = tensor.empty() : tensor<1x4x6x6xf32>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) outs(%f : tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %g = tensor.empty() : tensor<2x4x3xf32>
  %t = linalg.transpose ins(%y : tensor<2x3x4xf32>) outs(%g : tensor<2x4x3xf32>) permutation = [0, 2, 1]
  %n = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
    iterator_types = ["parallel", "parallel", "parallel"]} ins(%t : tensor<2x4x3xf32>) outs(%g : tensor<2x4x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.negf %in : f32
    linalg.yield %m : f32
  } -> tensor<2x4x3xf32>
  return %c, %n : tensor<1x4x6x6xf32>, tensor<2x4x3xf32>
}

// -----

// Most of what is joined isn't the convolution's: its result is transposed back, not all the others there.
// CHECK-LABEL: func.func @mostly_others
// CHECK-SAME:    %{{.*}}: tensor<1x3x8x8xf32>, %[[OTHER:.*]]: tensor<1x9x8x8xf32>
// CHECK:         %[[BACK:.*]] = linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
// CHECK:         tensor.concat dim(1) %[[BACK]], %[[OTHER]]
func.func @mostly_others(%x: tensor<1x3x8x8xf32>, %other: tensor<1x9x8x8xf32>) -> tensor<1x17x8x8xf32> {
  %w = arith.constant dense<1.0> : tensor<8x3x1x1xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x8x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x3x8x8xf32>, tensor<8x3x1x1xf32>) outs(%f : tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %r = tensor.concat dim(1) %c, %other : (tensor<1x8x8x8xf32>, tensor<1x9x8x8xf32>) -> tensor<1x17x8x8xf32>
  return %r : tensor<1x17x8x8xf32>
}

// -----

// A model's image of few channels is read where it is.
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d6, d1 + d4, d2 + d5)>
// CHECK-LABEL: func.func @few_channels
// CHECK-SAME:    %[[X:.*]]: tensor<1x3x8x8xf32>
// CHECK-NOT:     linalg.transpose
// CHECK:         linalg.generic {indexing_maps = [#[[IMAGE]], {{.*}} ins(%[[X]], %{{.*}} : tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>)
// CHECK:         linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
func.func @few_channels(%x: tensor<1x3x8x8xf32>, %start: tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> {
  %w = arith.constant dense<1.0> : tensor<4x3x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%start : tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) outs(%f : tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  return %c : tensor<1x4x6x6xf32>
}

// -----

// One filter for each channel; the reshaped weights, which are beside the module's text, stay a constant.
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1 * 2 + d3, d2)>
// CHECK-DAG:   #[[FILTERS:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
// CHECK-LABEL: func.func @depthwise
// CHECK:         %[[W:.*]] = arith.constant dense_resource<filters> : tensor<2x3xf32>
// CHECK:         linalg.generic {indexing_maps = [#[[IMAGE]], #[[FILTERS]], {{.*}} iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// CHECK-SAME:      ins(%{{.*}}, %[[W]] : tensor<?x9x2xf32>, tensor<2x3xf32>) outs(%{{.*}} : tensor<?x4x2xf32>)
func.func @depthwise(%x: tensor<?x2x9xf32>, %start: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
  %w = arith.constant dense_resource<filters> : tensor<2x1x3xf32>
  %v = tensor.collapse_shape %w [[0, 1], [2]] : tensor<2x1x3xf32> into tensor<2x3xf32>
  %c = linalg.depthwise_conv_1d_ncw_cw {dilations = dense<1> : tensor<1xi64>, strides = dense<2> : tensor<1xi64>}
    ins(%x, %v : tensor<?x2x9xf32>, tensor<2x3xf32>) outs(%start : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %c : tensor<?x2x4xf32>
}

{-#
  dialect_resources: { builtin: { filters: "0x04000000000080400000A0400000C0400000E0400000004100001041" } }
#-}

// -----

// Groups are a dimension of their own before the channels; images are joined at once.
// CHECK-LABEL: func.func @grouped
// CHECK:         %[[LAST:.*]] = linalg.transpose {{.*}} outs(%{{.*}} : tensor<1x8x8x10xf32>) permutation = [0, 2, 3, 1]
// CHECK:         %[[SPLIT:.*]] = tensor.expand_shape %[[LAST]] {{.*}} into tensor<1x8x8x2x5xf32>
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[SPLIT]], %{{.*}} : tensor<1x8x8x2x5xf32>, tensor<2x3x5x3x3xf32>)
// CHECK:         %[[JOINED:.*]] = tensor.collapse_shape %[[SUM]] {{.*}} into tensor<1x6x6x6xf32>
// CHECK:         %[[OUT:.*]] = linalg.transpose ins(%[[JOINED]] : {{.*}} permutation = [0, 3, 1, 2]
// CHECK-NEXT:    return %[[OUT]]
func.func @grouped(%x: tensor<1x10x8x8xf32>, %start: tensor<1x6x6x6xf32>) -> tensor<1x6x6x6xf32> {
  %w = arith.constant dense<1.0> : tensor<2x3x5x3x3xf32>
  %g = tensor.expand_shape %x [[0], [1, 2], [3], [4]] output_shape [1, 2, 5, 8, 8] : tensor<1x10x8x8xf32> into tensor<1x2x5x8x8xf32>
  %s = tensor.expand_shape %start [[0], [1, 2], [3], [4]] output_shape [1, 2, 3, 6, 6] : tensor<1x6x6x6xf32> into tensor<1x2x3x6x6xf32>
  %c = linalg.conv_2d_ngchw_gfchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%g, %w : tensor<1x2x5x8x8xf32>, tensor<2x3x5x3x3xf32>) outs(%s : tensor<1x2x3x6x6xf32>) -> tensor<1x2x3x6x6xf32>
  %r = tensor.collapse_shape %c [[0], [1, 2], [3], [4]] : tensor<1x2x3x6x6xf32> into tensor<1x6x6x6xf32>
  return %r : tensor<1x6x6x6xf32>
}

// -----

// Sums that start with zeros do so with the channels last.
// CHECK-LABEL: func.func @grouped_zeros
// CHECK:         %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<1x6x6x2x3xf32>
// CHECK:         linalg.generic {{.*}} outs(%[[ZEROS]] :
func.func @grouped_zeros(%x: tensor<1x10x8x8xf32>) -> tensor<1x2x3x6x6xf32> {
  %w = arith.constant dense<1.0> : tensor<2x3x5x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %g = tensor.expand_shape %x [[0], [1, 2], [3], [4]] output_shape [1, 2, 5, 8, 8] : tensor<1x10x8x8xf32> into tensor<1x2x5x8x8xf32>
  %e = tensor.empty() : tensor<1x2x3x6x6xf32>
  %s = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x3x6x6xf32>) -> tensor<1x2x3x6x6xf32>
  %c = linalg.conv_2d_ngchw_gfchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%g, %w : tensor<1x2x5x8x8xf32>, tensor<2x3x5x3x3xf32>) outs(%s : tensor<1x2x3x6x6xf32>) -> tensor<1x2x3x6x6xf32>
  return %c : tensor<1x2x3x6x6xf32>
}

// -----

// A shuffle of channels: what is split, permuted and joined has its channels last before and after.
// CHECK-LABEL: func.func @shuffled
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x8x8x6xf32>)
// CHECK:         %[[SPLIT:.*]] = tensor.expand_shape %[[SUM]] {{\[}}[0], [1], [2], [3, 4]] output_shape [%{{.*}}, 8, 8, 2, 3]
// CHECK:         %[[SHUFFLED:.*]] = linalg.transpose ins(%[[SPLIT]] {{.*}} permutation = [0, 1, 2, 4, 3]
// CHECK:         %[[JOINED:.*]] = tensor.collapse_shape %[[SHUFFLED]] {{\[}}[0], [1], [2], [3, 4]] : {{.*}} into tensor<?x8x8x6xf32>
// CHECK:         linalg.transpose ins(%[[JOINED]] : {{.*}} permutation = [0, 3, 1, 2]
func.func @shuffled(%x: tensor<?x5x8x8xf32>, %start: tensor<?x6x8x8xf32>, %n: index) -> tensor<?x6x8x8xf32> {
  %w = arith.constant dense<1.0> : tensor<6x5x1x1xf32>
  %c = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<?x5x8x8xf32>, tensor<6x5x1x1xf32>) outs(%start : tensor<?x6x8x8xf32>) -> tensor<?x6x8x8xf32>
  %e = tensor.expand_shape %c [[0], [1, 2], [3], [4]] output_shape [%n, 2, 3, 8, 8] : tensor<?x6x8x8xf32> into tensor<?x2x3x8x8xf32>
  %o = tensor.empty(%n) : tensor<?x3x2x8x8xf32>
  %t = linalg.transpose ins(%e : tensor<?x2x3x8x8xf32>) outs(%o : tensor<?x3x2x8x8xf32>) permutation = [0, 2, 1, 3, 4]
  %r = tensor.collapse_shape %t [[0], [1, 2], [3], [4]] : tensor<?x3x2x8x8xf32> into tensor<?x6x8x8xf32>
  return %r : tensor<?x6x8x8xf32>
}

// -----

// What interleaves positions has nothing to move: the phases come last but one before and after.
// CHECK-LABEL: func.func @interleaved
// CHECK:         %[[SPLIT:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0], [1], [2, 3]] output_shape [1, 8, 2, 3]
// CHECK:         %[[JOINED:.*]] = tensor.collapse_shape %[[SPLIT]] {{\[}}[0], [1, 2], [3]] : {{.*}} into tensor<1x16x3xf32>
// CHECK:         linalg.transpose ins(%[[JOINED]] : {{.*}} permutation = [0, 2, 1]
func.func @interleaved(%x: tensor<1x5x8xf32>, %start: tensor<1x6x8xf32>) -> tensor<1x3x16xf32> {
  %w = arith.constant dense<1.0> : tensor<6x5x1xf32>
  %c = linalg.conv_1d_ncw_fcw {dilations = dense<1> : tensor<1xi64>, strides = dense<1> : tensor<1xi64>}
    ins(%x, %w : tensor<1x5x8xf32>, tensor<6x5x1xf32>) outs(%start : tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  %e = tensor.expand_shape %c [[0], [1, 2], [3]] output_shape [1, 2, 3, 8] : tensor<1x6x8xf32> into tensor<1x2x3x8xf32>
  %o = tensor.empty() : tensor<1x3x8x2xf32>
  %t = linalg.transpose ins(%e : tensor<1x2x3x8xf32>) outs(%o : tensor<1x3x8x2xf32>) permutation = [0, 2, 3, 1]
  %r = tensor.collapse_shape %t [[0], [1], [2, 3]] : tensor<1x3x8x2xf32> into tensor<1x3x16xf32>
  return %r : tensor<1x3x16xf32>
}

// -----

// Left alone: weights that aren't constant.
// CHECK-LABEL: func.func @computed_filters
// CHECK:         linalg.depthwise_conv_2d_nchw_chw
func.func @computed_filters(%x: tensor<1x2x9x9xf32>, %w: tensor<2x3x3xf32>, %start: tensor<1x2x7x7xf32>) -> tensor<1x2x7x7xf32> {
  %c = linalg.depthwise_conv_2d_nchw_chw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x2x9x9xf32>, tensor<2x3x3xf32>) outs(%start : tensor<1x2x7x7xf32>) -> tensor<1x2x7x7xf32>
  return %c : tensor<1x2x7x7xf32>
}
