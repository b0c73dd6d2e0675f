// RUN: omb-opt %s --split-input-file --omb-pack-contractions="narrow=bf16" | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-pack-contractions | FileCheck %s --check-prefix=FLOAT

// Three channels aren't groups of two. The columns of a window and the channels of each, with a fourth of zeros, are one
// loop of groups, along a row of the image with its channels last, which has the padding.
// CHECK-DAG:   #[[ROWS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1 * 2 + d4, d2 * 8 + d5 * 2 + d7)>
// CHECK-LABEL: func.func @stem
// CHECK:         linalg.transpose {{.*}} permutation = [0, 2, 3, 1]
// CHECK:         arith.truncf
// CHECK:         tensor.pad {{.*}} low[0, 1, 1, 0] high[0, 1, 1, 1]
// CHECK:         tensor.collapse_shape {{.*}} {{\[\[}}0], [1], [2, 3]] : tensor<1x10x12x4xbf16> into tensor<1x10x48xbf16>
// CHECK:         linalg.generic {indexing_maps = [#[[ROWS]],
// CHECK-SAME:      ins({{.*}} : tensor<1x10x48xbf16>, tensor<1x3x6x16x2xbf16>)
// FLOAT-LABEL: func.func @stem
// FLOAT-NOT:     tensor.collapse_shape
func.func @stem(%x: tensor<1x3x8x10xf32>) -> tensor<1x4x5x16xf32> {
  %w = arith.constant dense<1.0> : tensor<16x3x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x3x8x10xf32> to tensor<1x3x10x12xf32>
  %e = tensor.empty() : tensor<1x4x5x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x5x16xf32>) -> tensor<1x4x5x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c, i, j) -> (n, c, h * 2 + i, w * 2 + j)>, affine_map<(n, h, w, f, c, i, j) -> (f, c, i, j)>, affine_map<(n, h, w, f, c, i, j) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%p, %w : tensor<1x3x10x12xf32>, tensor<16x3x3x3xf32>) outs(%f : tensor<1x4x5x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x4x5x16xf32>
  return %r : tensor<1x4x5x16xf32>
}

// -----

// Columns that are two apart don't follow each other: the channels alone are groups.
// CHECK-LABEL: func.func @apart
// CHECK-NOT:     tensor.collapse_shape
// CHECK:         return
func.func @apart(%x: tensor<1x10x12x3xf32>) -> tensor<1x8x8x16xf32> {
  %w = arith.constant dense<1.0> : tensor<16x3x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x8x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x8x16xf32>) -> tensor<1x8x8x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c, i, j) -> (n, h + i, w + j * 2, c)>, affine_map<(n, h, w, f, c, i, j) -> (f, c, i, j)>, affine_map<(n, h, w, f, c, i, j) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x10x12x3xf32>, tensor<16x3x3x3xf32>) outs(%f : tensor<1x8x8x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x8x16xf32>
  return %r : tensor<1x8x8x16xf32>
}

// -----

// Four channels are groups.
// CHECK-LABEL: func.func @four
// CHECK-NOT:     tensor.collapse_shape
// CHECK:         return
func.func @four(%x: tensor<1x10x12x4xf32>) -> tensor<1x8x10x16xf32> {
  %w = arith.constant dense<1.0> : tensor<16x4x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x10x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x10x16xf32>) -> tensor<1x8x10x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, f, c, i, j) -> (f, c, i, j)>, affine_map<(n, h, w, f, c, i, j) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x10x12x4xf32>, tensor<16x4x3x3xf32>) outs(%f : tensor<1x8x10x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x10x16xf32>
  return %r : tensor<1x8x10x16xf32>
}
