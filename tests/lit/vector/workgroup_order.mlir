// RUN: omb-opt %s --omb-vectorize-kernels="vector-bytes=64 vector-registers=32" | FileCheck %s

#in = affine_map<(m, j, k, v) -> (m, k)>
#w = affine_map<(m, j, k, v) -> (j, k, v)>
#out = affine_map<(m, j, k, v) -> (m, j, v)>

// Many rows, few weights: a workgroup has some rows and all panels, which stay in its cache.
// CHECK:         "stream.return"(%c1, %c16, %{{.*}})
// CHECK:       func.func @many_rows
// CHECK:         %[[BLOCK:.*]] = "stream.dispatch.workgroup.id"() {dimension = 1 : index}
// CHECK:         scf.for %[[PANEL:.*]] = %{{.*}} to %c4
// CHECK:           arith.muli %[[BLOCK]], %c196
// CHECK:           vector.load %{{.*}}[%[[PANEL]], %{{.*}}, %{{.*}}] : memref<4x256x32xf32>
func.func private @many_rows(%x: tensor<3136x256xf32>, %w: tensor<4x256x32xf32>) -> tensor<3136x128xf32> attributes {omb.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3136x4x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3136x4x32xf32>) -> tensor<3136x4x32xf32>
  %o = tensor.empty() : tensor<3136x128xf32>
  %p = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<3136x256xf32>, tensor<4x256x32xf32>) outs(%f : tensor<3136x4x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3136x4x32xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [32] into %o : tensor<3136x4x32xf32> -> tensor<3136x128xf32>
  return %u : tensor<3136x128xf32>
}

// Few rows, more weights than a cache holds: workgroups next to each other have the same panel.
// CHECK:         "stream.return"(%c4, %c96, %{{.*}})
// CHECK:       func.func @many_weights
// CHECK:         %[[BLOCK:.*]] = "stream.dispatch.workgroup.id"() {dimension = 0 : index}
// CHECK:         %[[PANEL:.*]] = "stream.dispatch.workgroup.id"() {dimension = 1 : index}
// CHECK:         arith.muli %[[BLOCK]], %c70
// CHECK:         vector.load %{{.*}}[%[[PANEL]], %{{.*}}, %{{.*}}] : memref<96x768x32xf32>
func.func private @many_weights(%x: tensor<256x768xf32>, %w: tensor<96x768x32xf32>) -> tensor<256x3072xf32> attributes {omb.kernel} {
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
