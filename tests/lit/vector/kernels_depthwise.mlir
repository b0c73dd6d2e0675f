// RUN: omb-opt %s --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s

// A depthwise convolution of a padded image: the image is read where it is, as vectors of channels. Rows skip the taps
// above and below the image. Of the columns, which make three tiles of ten, the first and the last tile skip one tap
// beside the image, so that they have one multiplication fewer.
// CHECK-DAG:   #[[TOP:.*]] = affine_map<(d0) -> (-d0 + 1)>
// CHECK-DAG:   #[[BOTTOM:.*]] = affine_map<(d0) -> (-d0 + 6)>
// CHECK-LABEL: func.func @main
// CHECK-NOT:     tensor.pad
// CHECK-NOT:     linalg.pack
// CHECK:         "flow.dispatch"{{.*}} : (tensor<1x5x30x4xf32>, tensor<1x3x3x4xf32>) -> tensor<1x5x30x4xf32>
// CHECK:       func.func @kernel
// CHECK:         %[[TO:.*]] = affine.apply #[[TOP]]
// CHECK:         %[[FROM:.*]] = affine.apply #[[BOTTOM]]
// CHECK:         arith.maxsi %[[TO]]
// CHECK:         arith.minsi %[[FROM]]
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-29:  vector.fma {{.*}} : vector<4xf32>
// CHECK-NOT:       vector.fma
// CHECK:         scf.for %[[COLUMN:.*]] = %c10 to %c20
// CHECK:           scf.for {{.*}} iter_args
// CHECK-COUNT-30:    vector.fma
// CHECK-NOT:         vector.fma
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-29:  vector.fma
// CHECK-NOT:       vector.fma
func.func @main(%x: tensor<1x5x30x4xf32>) -> tensor<1x5x30x4xf32> {
  %w = arith.constant dense<1.0> : tensor<4x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x5x30x4xf32> to tensor<1x7x32x4xf32>
  %e = tensor.empty() : tensor<1x5x30x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x5x30x4xf32>) -> tensor<1x5x30x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w : tensor<1x7x32x4xf32>, tensor<4x3x3xf32>) outs(%f : tensor<1x5x30x4xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x5x30x4xf32>
  return %r : tensor<1x5x30x4xf32>
}
