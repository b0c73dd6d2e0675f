// RUN: omb-opt %s --omb-vectorize-kernels="vector-bytes=64 vector-registers=32 threads=2" --canonicalize | FileCheck %s

#in = affine_map<(m, j, k, v) -> (m, k)>
#w = affine_map<(m, j, k, v) -> (j, k, v)>
#out = affine_map<(m, j, k, v) -> (m, j, v)>

// CHECK-DAG: #[[NEXT:.*]] = affine_map<()[s0] -> (s0 + ((s0 + 1) floordiv 2) * 2 - (s0 floordiv 2) * 2 + 1)>
// CHECK-DAG: #[[SECOND:.*]] = affine_map<()[s0] -> (s0 + 2)>
// CHECK-DAG: #[[PART:.*]] = affine_map<(d0, d1) -> (d0 + d1 * 2)>
// CHECK-DAG: #[[AFTER:.*]] = affine_map<(d0, d1, d2) -> (d0 + d1 * 3 + d2 * 45 + 36864)>
// CHECK-DAG: #[[FROM_LAST:.*]] = affine_map<(d0, d1) -> (d0 + d1 * 3 - 6912)>

// Two threads take two panels at a time, of four blocks each, and the other one has the two after
// those. Each of 19 tiles fetches a part of the panel that comes next, two of 32 elements a step.
// CHECK-LABEL: func.func @next_panel
// CHECK:         %[[PANEL:.*]] = "stream.dispatch.workgroup.id"() {dimension = 1 : index}
// CHECK:         %[[EXPECTED:.*]] = affine.apply #[[NEXT]]()[%[[PANEL]]]
// CHECK:         %[[FOLLOWING:.*]] = arith.minsi %[[EXPECTED]], %c95
// CHECK:         scf.for %[[TILE:.*]] = %{{.*}} to %{{.*}} step %c14
// CHECK:           %[[FIRST:.*]] = arith.muli %[[TILE]], %c93
// CHECK:           scf.for %[[K:.*]] = %c0 to %c768
// CHECK:             %[[AT:.*]] = affine.apply #[[PART]](%[[FIRST]], %[[K]])
// CHECK:             memref.prefetch %[[PANELS:.*]][%[[FOLLOWING]], %c0, %[[AT]]]
// CHECK-NOT:         memref.prefetch
// CHECK:             vector.load %[[PANELS]][%[[PANEL]], %[[K]], %c0]
func.func private @next_panel(%x: tensor<256x768xf32>, %w: tensor<96x768x32xf32>) -> tensor<256x3072xf32> attributes {omb.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<256x96x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<256x96x32xf32>) -> tensor<256x96x32xf32>
  %o = tensor.empty() : tensor<256x3072xf32>
  %p = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<256x768xf32>, tensor<96x768x32xf32>) outs(%f : tensor<256x96x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<256x96x32xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [32] into %o : tensor<256x96x32xf32> -> tensor<256x3072xf32>
  return %u : tensor<256x3072xf32>
}

// A panel has 590 KB: all tiles add the products of 768 elements, then those of the next 768. Only
// the last part is followed by another panel, and by the result.
// CHECK-LABEL: func.func @long_sums
// CHECK:         %[[PANEL:.*]] = "stream.dispatch.workgroup.id"() {dimension = 0 : index}
// CHECK:         %[[SUMS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<133x48xf32>
// CHECK:         %[[FOLLOWING:.*]] = arith.minsi %{{.*}}, %c15
// CHECK:         scf.for %[[ROW:.*]] = %c0 to %c133
// CHECK-COUNT-3:   vector.store %{{.*}}, %[[SUMS]][%[[ROW]],
// CHECK:         scf.for %[[BEGIN:.*]] = %c0 to %c2304 step %c768
// CHECK:           %[[END:.*]] = arith.addi %[[BEGIN]], %c768
// CHECK:           scf.for %{{.*}} step %c7
// CHECK-COUNT-21:    vector.load %[[SUMS]]
// CHECK:             scf.for %[[K:.*]] = %[[BEGIN]] to %[[END]]
// CHECK:               %[[AT:.*]] = affine.apply #[[AFTER]](%{{.*}}, %[[K]], %[[BEGIN]])
// CHECK:               memref.prefetch %{{.*}}[%[[PANEL]], %c0, %[[AT]]]
// CHECK-COUNT-21:    vector.store %{{.*}}, %[[SUMS]]
// CHECK:         scf.for %{{.*}} step %c7
// CHECK-COUNT-21:  vector.load %[[SUMS]]
// CHECK:           scf.for %[[K:.*]] = %c2304 to %c3072
// CHECK:             %[[AT:.*]] = affine.apply #[[FROM_LAST]](%{{.*}}, %[[K]])
// CHECK:             memref.prefetch %{{.*}}[%[[FOLLOWING]], %c0, %[[AT]]]
// CHECK-COUNT-21:  vector.store %{{.*}}, %{{.*}} : memref<128x768xf32>
func.func private @long_sums(%x: tensor<128x3072xf32>, %w: tensor<16x3072x48xf32>) -> tensor<128x768xf32> attributes {omb.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<128x16x48xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<128x16x48xf32>) -> tensor<128x16x48xf32>
  %o = tensor.empty() : tensor<128x768xf32>
  %p = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<128x3072xf32>, tensor<16x3072x48xf32>) outs(%f : tensor<128x16x48xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<128x16x48xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [48] into %o : tensor<128x16x48xf32> -> tensor<128x768xf32>
  return %u : tensor<128x768xf32>
}

// CHECK-LABEL: func.func @no_rows
// CHECK-NOT:     scf.for
func.func private @no_rows(%x: tensor<0x768xf32>, %w: tensor<96x768x32xf32>) -> tensor<0x3072xf32> attributes {omb.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<0x96x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<0x96x32xf32>) -> tensor<0x96x32xf32>
  %o = tensor.empty() : tensor<0x3072xf32>
  %p = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<0x768xf32>, tensor<96x768x32xf32>) outs(%f : tensor<0x96x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<0x96x32xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [32] into %o : tensor<0x96x32xf32> -> tensor<0x3072xf32>
  return %u : tensor<0x3072xf32>
}

// Nothing to be summed.
// CHECK-LABEL: func.func @no_sums
// CHECK-NOT:     memref.alloca
func.func private @no_sums(%x: tensor<256x0xf32>, %w: tensor<96x0x32xf32>) -> tensor<256x3072xf32> attributes {omb.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<256x96x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<256x96x32xf32>) -> tensor<256x96x32xf32>
  %o = tensor.empty() : tensor<256x3072xf32>
  %p = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<256x0xf32>, tensor<96x0x32xf32>) outs(%f : tensor<256x96x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<256x96x32xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [32] into %o : tensor<256x96x32xf32> -> tensor<256x3072xf32>
  return %u : tensor<256x3072xf32>
}

// Few rows are one block, and a thread takes one of 12 panels at a time: the other one has the next.
// CHECK-LABEL: func.func @few_rows
// CHECK:         %[[PANEL:.*]] = "stream.dispatch.workgroup.id"() {dimension = 0 : index}
// CHECK:         %[[EXPECTED:.*]] = affine.apply #[[SECOND]]()[%[[PANEL]]]
// CHECK:         %[[FOLLOWING:.*]] = arith.minsi %[[EXPECTED]], %c11
// CHECK:         memref.prefetch %{{.*}}[%[[FOLLOWING]], %c0, %{{.*}}]
func.func private @few_rows(%x: tensor<49x512xf32>, %w: tensor<12x512x48xf32>) -> tensor<49x576xf32> attributes {omb.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<49x12x48xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<49x12x48xf32>) -> tensor<49x12x48xf32>
  %o = tensor.empty() : tensor<49x576xf32>
  %p = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<49x512xf32>, tensor<12x512x48xf32>) outs(%f : tensor<49x12x48xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<49x12x48xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [48] into %o : tensor<49x12x48xf32> -> tensor<49x576xf32>
  return %u : tensor<49x576xf32>
}
