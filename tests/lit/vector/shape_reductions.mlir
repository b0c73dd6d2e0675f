// RUN: omb-opt %s --split-input-file --omb-shape-reductions --canonicalize --cse | FileCheck %s

#id = affine_map<(n, c, h, w) -> (n, c, h, w)>
#rows = affine_map<(n, c, h, w) -> (n, c)>
#ones = affine_map<(n, c, h, w) -> (n, c, 0, 0)>
#channels = affine_map<(n, c, h, w) -> (c, 0, 0)>

// What is summed is one dimension, also where the sums are read, and what follows.
// CHECK-LABEL: func.func @rows
// CHECK-SAME:    %[[X:.*]]: tensor<2x3x?x7xf32>
// CHECK:         %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0], [1], [2, 3]] : tensor<2x3x?x7xf32> into tensor<2x3x?xf32>
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} ["parallel", "parallel", "reduction"]} ins(%[[FLAT]] : tensor<2x3x?xf32>)
// CHECK:         %[[WIDE:.*]] = linalg.generic {{.*}} ["parallel", "parallel", "parallel"]} ins(%[[FLAT]], %[[SUM]], %{{.*}} : tensor<2x3x?xf32>, tensor<2x3xf32>, tensor<3xf32>)
// CHECK:         linalg.generic {{.*}} ["parallel", "parallel", "parallel"]} ins(%[[WIDE]] : tensor<2x3x?xf32>)
func.func @rows(%x: tensor<2x3x?x7xf32>, %scale: tensor<3x1x1xf32>, %h: index) -> tensor<2x3x?x7xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  %s = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
    ins(%x : tensor<2x3x?x7xf32>) outs(%f : tensor<2x3xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.addf %o, %in : f32
    linalg.yield %a : f32
  } -> tensor<2x3xf32>
  %ones = tensor.expand_shape %s [[0], [1, 2, 3]] output_shape [2, 3, 1, 1] : tensor<2x3xf32> into tensor<2x3x1x1xf32>
  %out = tensor.empty(%h) : tensor<2x3x?x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #ones, #channels, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%x, %ones, %scale : tensor<2x3x?x7xf32>, tensor<2x3x1x1xf32>, tensor<3x1x1xf32>) outs(%out : tensor<2x3x?x7xf32>) {
  ^bb0(%in: f32, %sum: f32, %c: f32, %o: f32):
    %a = arith.subf %in, %sum : f32
    %b = arith.mulf %a, %c : f32
    linalg.yield %b : f32
  } -> tensor<2x3x?x7xf32>
  %relu = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%r : tensor<2x3x?x7xf32>) outs(%out : tensor<2x3x?x7xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.maximumf %in, %zero : f32
    linalg.yield %a : f32
  } -> tensor<2x3x?x7xf32>
  return %relu : tensor<2x3x?x7xf32>
}

// -----

#image = affine_map<(n, c, h, w) -> (n, h, w, c)>
#id = affine_map<(n, h, w, c) -> (n, h, w, c)>
#rows = affine_map<(n, c, h, w) -> (n, c)>

// The squares become part of the sum, of which there are 16 parts.
// CHECK-LABEL: func.func @columns
// CHECK-SAME:    %[[X:.*]]: tensor<1x128x128x32xf32>
// CHECK:         %[[PARTS:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0], [1, 2], [3], [4]] {{.*}} into tensor<1x16x8x128x32xf32>
// CHECK:         %[[SUMS:.*]] = linalg.generic {{.*}} ins(%[[PARTS]] : tensor<1x16x8x128x32xf32>) outs(%{{.*}} : tensor<16x1x32xf32>)
// CHECK:           arith.mulf
// CHECK:           arith.addf
// CHECK:         linalg.generic {{.*}} ["reduction", "parallel", "parallel"]} ins(%[[SUMS]] : tensor<16x1x32xf32>)
func.func @columns(%x: tensor<1x128x128x32xf32>) -> tensor<1x32xf32> {
  %zero = arith.constant 0.0 : f32
  %ex = tensor.empty() : tensor<1x128x128x32xf32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%x : tensor<1x128x128x32xf32>) outs(%ex : tensor<1x128x128x32xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.mulf %in, %in : f32
    linalg.yield %a : f32
  } -> tensor<1x128x128x32xf32>
  %e = tensor.empty() : tensor<1x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x32xf32>) -> tensor<1x32xf32>
  %s = linalg.generic {indexing_maps = [#image, #rows], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
    ins(%q : tensor<1x128x128x32xf32>) outs(%f : tensor<1x32xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.addf %o, %in : f32
    linalg.yield %a : f32
  } -> tensor<1x32xf32>
  return %s : tensor<1x32xf32>
}

// -----

#image = affine_map<(n, c, h) -> (n, h, c)>
#rows = affine_map<(n, c, h) -> (n, c)>

// Products of parts that start with something else than 1 would be others, and a short reduction stays whole.
// CHECK-LABEL: func.func @whole
// CHECK-NOT:     tensor.expand_shape
func.func @whole(%x: tensor<1x65536x32xf32>, %short: tensor<1x64x32xf32>) -> (tensor<1x32xf32>, tensor<1x32xf32>) {
  %two = arith.constant 2.0 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x32xf32>
  %f2 = linalg.fill ins(%two : f32) outs(%e : tensor<1x32xf32>) -> tensor<1x32xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e : tensor<1x32xf32>) -> tensor<1x32xf32>
  %p = linalg.generic {indexing_maps = [#image, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x : tensor<1x65536x32xf32>) outs(%f2 : tensor<1x32xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.mulf %o, %in : f32
    linalg.yield %a : f32
  } -> tensor<1x32xf32>
  %s = linalg.generic {indexing_maps = [#image, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%short : tensor<1x64x32xf32>) outs(%f0 : tensor<1x32xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.addf %o, %in : f32
    linalg.yield %a : f32
  } -> tensor<1x32xf32>
  return %p, %s : tensor<1x32xf32>, tensor<1x32xf32>
}

// -----

#id = affine_map<(m, k) -> (m, k)>
#row = affine_map<(m, k) -> (m)>

// A few rows that are long, in 16 parts; what reads indices, or has more rows, stays whole.
// CHECK-DAG:   #[[PARTS:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-LABEL: func.func @long
// CHECK:         %[[X:.*]] = tensor.expand_shape %{{.*}} {{\[\[}}0], [1, 2]] output_shape [2, 16, 1250] : tensor<2x20000xf32> into tensor<2x16x1250xf32>
// CHECK:         %[[P:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]} ins(%[[X]] : tensor<2x16x1250xf32>) outs(%{{.*}} : tensor<16x2xf32>)
// CHECK:         linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%[[P]] : tensor<16x2xf32>) outs(%{{.*}} : tensor<2xf32>)
// CHECK-NOT:     tensor.expand_shape
func.func @long(%x: tensor<2x20000xf32>, %prime: tensor<1x20014xf32>, %rows: tensor<4x20000xf32>) -> (tensor<2xf32>, tensor<1xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e2 = tensor.empty() : tensor<2xf32>
  %e1 = tensor.empty() : tensor<1xf32>
  %e4 = tensor.empty() : tensor<4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2xf32>) -> tensor<2xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
  %f4 = linalg.fill ins(%zero : f32) outs(%e4 : tensor<4xf32>) -> tensor<4xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x20000xf32>) outs(%f2 : tensor<2xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.addf %o, %in : f32
    linalg.yield %a : f32
  } -> tensor<2xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%prime : tensor<1x20014xf32>) outs(%f1 : tensor<1xf32>) {
  ^bb0(%in: f32, %o: f32):
    %i = linalg.index 1 : index
    %n = arith.index_cast %i : index to i32
    %g = arith.sitofp %n : i32 to f32
    %m = arith.mulf %in, %g : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1xf32>
  %s4 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%rows : tensor<4x20000xf32>) outs(%f4 : tensor<4xf32>) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.addf %o, %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %s2, %s1, %s4 : tensor<2xf32>, tensor<1xf32>, tensor<4xf32>
}
