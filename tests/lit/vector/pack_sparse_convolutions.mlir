// RUN: omb-opt %s --split-input-file --omb-pack-sparse-contractions="vector-bytes=16 vector-registers=16" | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-densify-constants | FileCheck %s --check-prefix=DENSE

#F = #sparse_tensor.encoding<{ map = (f, c, y, x) -> (f : dense, c : compressed(nonunique), y : singleton(nonunique, soa), x : singleton(soa)) }>

// Filters of one position are a matrix, and positions rows; the bias is added to what comes out.
// CHECK-LABEL: func.func @positions
// CHECK-SAME:    %[[X:.*]]: tensor<?x4x?x?xf32>, {{.*}}, %[[B:.*]]: tensor<3xf32>
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[X]] {{.*}} permutation = [0, 2, 3, 1]
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %[[T]] {{\[\[}}0, 1, 2], [3]] : tensor<?x?x?x4xf32> into tensor<?x4xf32>
// CHECK:         sparse_tensor.assemble {{.*}} to tensor<4x3xf32,
// CHECK:         linalg.pack %[[ROWS]]
// CHECK:         linalg.unpack
// CHECK:         %[[SUMS:.*]] = tensor.expand_shape {{.*}} : tensor<?x3xf32> into tensor<?x?x?x3xf32>
// CHECK:         %[[R:.*]] = linalg.generic {{.*}} ins(%[[SUMS]], %[[B]]
// CHECK:         linalg.transpose ins(%[[R]] {{.*}} permutation = [0, 3, 1, 2]{{ *}}{omb.channels_second}
// CHECK-DAG:   coordinates: "0x400000000102"
// DENSE-LABEL: func.func @positions
// DENSE:         linalg.conv_2d_nchw_fchw ins(%{{.*}}, %{{.*}} : tensor<?x4x?x?xf32>, tensor<3x4x1x1xf32>)
func.func @positions(%x: tensor<?x4x?x?xf32>, %n: index, %h: index, %w: index, %b: tensor<3xf32>) -> tensor<?x3x?x?xf32> {
  %f = arith.constant sparse<[[0, 1, 0, 0], [2, 2, 0, 0]], [1.5, 3.0]> : tensor<3x4x1x1xf32, #F>
  %e = tensor.empty(%n, %h, %w) : tensor<?x3x?x?xf32>
  %s = linalg.broadcast ins(%b : tensor<3xf32>) outs(%e : tensor<?x3x?x?xf32>) dimensions = [0, 2, 3]
  %r = linalg.conv_2d_nchw_fchw ins(%x, %f : tensor<?x4x?x?xf32>, tensor<3x4x1x1xf32, #F>) outs(%s : tensor<?x3x?x?xf32>) -> tensor<?x3x?x?xf32>
  return %r : tensor<?x3x?x?xf32>
}

// -----

#F = #sparse_tensor.encoding<{ map = (f, c, y, x) -> (f : dense, c : compressed(nonunique), y : singleton(nonunique, soa), x : singleton(soa)) }>

// With strides of 2, each channel has 4 planes, of 5 x 5: (1, 0, 0) is in the first one of channel 1; (2, 2, 1) is in the
// second one of channel 2, a line further. All 3 x 4 x 3 x 3 elements are in one chunk.
// CHECK-DAG:   #[[FROM:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4 * 2 + d2, d5 * 2 + d3, d1)>
// CHECK-DAG:   #[[AT:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1 * 5 + d2 + d4)>
// CHECK-DAG:   #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d4, d3)>
// CHECK-DAG:   #[[OUT:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
// CHECK-DAG:   #[[CHUNKS:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 floordiv 400 : dense, d1 : dense, d0 mod 400 : compressed), posWidth = 32, crdWidth = 16 }>
// CHECK-LABEL: func.func @windows
// CHECK-SAME:    %[[X:.*]]: tensor<?x4x7x7xf32>
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[X]]
// CHECK:         %[[PAD:.*]] = tensor.pad %[[T]] low[0, 1, 1, 0] high[0, 2, 2, 0]
// CHECK:         %[[PLANES:.*]] = linalg.generic {indexing_maps = [#[[FROM]], #{{.*}}]{{.*}} ins(%[[PAD]] : tensor<?x10x10x4xf32>) outs(%{{.*}} : tensor<?x4x2x2x5x5xf32>)
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %[[PLANES]]
// CHECK:         %[[IMAGES:.*]] = tensor.insert_slice %[[ROWS]] into %{{.*}} : tensor<?x400xf32> into tensor<?x432xf32>
// CHECK:         %[[F:.*]] = sparse_tensor.assemble {{.*}} to tensor<382x3xf32, #[[CHUNKS]]>
// CHECK:         linalg.generic {indexing_maps = [#[[AT]], #[[W]], #[[OUT]]]{{.*}} ins(%[[IMAGES]], %[[F]] {{.*}} outs(%{{.*}} : tensor<?x4x4x3xf32>)
// CHECK-DAG:   coordinates: "0x400000006400E600"
// CHECK-DAG:   positions: "0x4000000000000000010000000100000002000000"
// DENSE-LABEL: func.func @windows
func.func @windows(%x: tensor<?x4x7x7xf32>, %n: index) -> tensor<?x3x4x4xf32> {
  %f = arith.constant sparse<[[0, 1, 0, 0], [2, 2, 2, 1]], [1.5, 3.0]> : tensor<3x4x3x3xf32, #F>
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %z : f32
  } : tensor<?x4x7x7xf32> to tensor<?x4x9x9xf32>
  %e = tensor.empty(%n) : tensor<?x3x4x4xf32>
  %s = linalg.fill ins(%z : f32) outs(%e : tensor<?x3x4x4xf32>) -> tensor<?x3x4x4xf32>
  %r = linalg.conv_2d_nchw_fchw {strides = dense<2> : tensor<2xi64>} ins(%p, %f : tensor<?x4x9x9xf32>, tensor<3x4x3x3xf32, #F>) outs(%s : tensor<?x3x4x4xf32>) -> tensor<?x3x4x4xf32>
  return %r : tensor<?x3x4x4xf32>
}

// -----

#B = #sparse_tensor.encoding<{ map = (f, c, x) -> (f floordiv 16 : dense, c : compressed, x : dense, f mod 16 : dense) }>

// Blocks of filters of one position, in one dimension.
// CHECK-LABEL: func.func @blocks
// CHECK:         sparse_tensor.assemble {{.*}} to tensor<4x16xf32,
// CHECK-NOT:     linalg.pack
// CHECK:         linalg.unpack %{{.*}} inner_dims_pos = [1] inner_tiles = [16]
func.func @blocks(%x: tensor<2x4x5xf32>) -> tensor<2x16x5xf32> {
  %f = arith.constant sparse<[[0, 1, 0], [2, 2, 0]], [1.5, 3.0]> : tensor<16x4x1xf32, #B>
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x16x5xf32>
  %s = linalg.fill ins(%z : f32) outs(%e : tensor<2x16x5xf32>) -> tensor<2x16x5xf32>
  %r = linalg.conv_1d_ncw_fcw ins(%x, %f : tensor<2x4x5xf32>, tensor<16x4x1xf32, #B>) outs(%s : tensor<2x16x5xf32>) -> tensor<2x16x5xf32>
  return %r : tensor<2x16x5xf32>
}
