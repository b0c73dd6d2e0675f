// RUN: omb-opt %s --split-input-file --omb-winograd-convolutions="vector-bytes=64" --mlir-elide-resource-strings-if-larger=32 | FileCheck %s

// 56 x 56 outputs are 14 x 14 tiles of 4 x 4. The padding becomes that of the transform; the start is added afterwards.
// CHECK-DAG:   #[[V:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG:   #[[U:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG:   #[[M:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-LABEL: func.func @conv
// CHECK-SAME:    %[[X:.*]]: tensor<1x56x56x64xf32>
// CHECK:         %[[START:.*]] = linalg.broadcast
// CHECK:         %[[W:.*]] = arith.constant dense_resource<weights.winograd> : tensor<36x64x64xf32>
// CHECK:         %[[P:.*]] = tensor.pad %[[X]] low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK:         %[[T:.*]] = linalg.winograd_input_transform fmr(F_4_3) ins(%[[P]] : tensor<1x58x58x64xf32>)
// CHECK:         %[[C:.*]] = tensor.collapse_shape %[[T]] {{\[\[}}0, 1], [2, 3, 4], [5]]
// CHECK:         %[[R:.*]] = linalg.generic {indexing_maps = [#[[V]], #[[U]], #[[M]]]
// CHECK-SAME:      ins(%[[C]], %[[W]] : tensor<36x196x64xf32>, tensor<36x64x64xf32>)
// CHECK:         %[[E:.*]] = tensor.expand_shape %[[R]]
// CHECK:         %[[O:.*]] = linalg.winograd_output_transform fmr(F_4_3) ins(%[[E]] : tensor<6x6x14x14x1x64xf32>)
// CHECK:         linalg.add ins(%[[O]], %[[START]]
#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @conv(%x: tensor<1x56x56x64xf32>, %bias: tensor<64xf32>) -> tensor<1x56x56x64xf32> {
  %w = arith.constant dense<1.0> : tensor<64x64x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<1x56x56x64xf32> to tensor<1x58x58x64xf32>
  %e = tensor.empty() : tensor<1x56x56x64xf32>
  %s = linalg.broadcast ins(%bias : tensor<64xf32>) outs(%e : tensor<1x56x56x64xf32>) dimensions = [0, 1, 2]
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%p, %w : tensor<1x58x58x64xf32>, tensor<64x64x3x3xf32>) outs(%s : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// -----

// The sizes of the images are known, their number isn't. 29 rows and 30 columns are made whole tiles with zeros, and
// what was computed of them is left out.
// CHECK-LABEL: func.func @ragged
// CHECK-SAME:    %[[X:.*]]: tensor<?x31x32x128xf32>
// CHECK:         %[[N:.*]] = tensor.dim %[[X]]
// CHECK:         %[[P:.*]] = tensor.pad %[[X]] low[0, 0, 0, 0] high[0, [[H:[0-9]+]], [[W:[0-9]+]], 0]
// CHECK:         linalg.winograd_input_transform fmr(F_4_3) ins(%[[P]] : tensor<?x34x34x128xf32>) outs(%{{.*}} : tensor<6x6x8x8x?x128xf32>)
// CHECK:         %[[O:.*]] = linalg.winograd_output_transform fmr(F_4_3) {{.*}} -> tensor<?x32x32x128xf32>
// CHECK:         tensor.extract_slice %[[O]][0, 0, 0, 0] [%{{.*}}, 29, 30, 128] [1, 1, 1, 1]
// CHECK-NOT:     linalg.add
#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @ragged(%x: tensor<?x31x32x128xf32>, %images: index) -> tensor<?x29x30x128xf32> {
  %w = arith.constant dense<1.0> : tensor<128x128x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%images) : tensor<?x29x30x128xf32>
  %s = linalg.fill ins(%zero : f32) outs(%e : tensor<?x29x30x128xf32>) -> tensor<?x29x30x128xf32>
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<?x31x32x128xf32>, tensor<128x128x3x3xf32>) outs(%s : tensor<?x29x30x128xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<?x29x30x128xf32>
  return %r : tensor<?x29x30x128xf32>
}
