// RUN: omb-opt %s --omb-outline-kernels | FileCheck %s --check-prefix=OUTLINE
// RUN: omb-opt %s --omb-outline-kernels --omb-vectorize-kernels="vector-bytes=16 vector-registers=16" \
// RUN:   | FileCheck %s

#in = affine_map<(m, j, k, v) -> (m, k)>
#w = affine_map<(m, j, k, v) -> (j, k, v)>
#out = affine_map<(m, j, k, v) -> (m, j, v)>
#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (n)>

// Two products that are alike share a kernel, which has the sum of the bias.
// OUTLINE-LABEL: func.func @main
// OUTLINE-SAME:    %[[X:.*]]: tensor<?x3xf32>, %[[B:.*]]: tensor<6xf32>, %[[M:.*]]: index
// OUTLINE:         %[[A:.*]] = call @kernel(%[[X]], %[[W:.*]], %[[B]], %[[M]])
// OUTLINE:         call @kernel(%[[X]], %[[W]], %[[B]], %[[M]])
// OUTLINE:       func.func private @kernel(%{{.*}}: tensor<?x3xf32>, %{{.*}}: tensor<2x3x4xf32>, %{{.*}}: tensor<6xf32>, %{{.*}}: index) -> tensor<?x6xf32> attributes {omb.kernel}
// OUTLINE:         linalg.fill
// OUTLINE:         linalg.generic
// OUTLINE:         linalg.unpack
// OUTLINE:         linalg.generic
// OUTLINE:           arith.addf
// OUTLINE:         return

// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: "flow.dispatch"({{.*}}) {entry_points = [@kernel::@kernel], operandSegmentSizes = array<i32: 2, 5, 1, 1>
// CHECK-NOT:     flow.dispatch

// One panel of a block of rows for each workgroup.
// CHECK:       "stream.executable"
// CHECK:         ^bb0(%{{.*}}: index, %[[ROWS:.*]]: index):
// CHECK:           %[[BLOCKS:.*]] = affine.apply #{{.*}}()[%[[ROWS]]]
// CHECK:           "stream.return"(%[[BLOCKS]], %{{.*}}, %{{.*}})
// CHECK:         func.func @kernel(%[[S0:.*]]: index, %[[S1:.*]]: index, %{{.*}}: !stream.binding
// CHECK:           %[[PANEL:.*]] = "stream.dispatch.workgroup.id"() {dimension = 1 : index}
// CHECK:           "stream.binding.subspan"(%{{.*}}, %{{.*}}, %[[S0]]) : {{.*}} -> memref<?x3xf32>
// CHECK:           %[[BIAS:.*]] = "stream.binding.subspan"{{.*}} -> memref<6xf32>
// CHECK:           %[[OUT:.*]] = "stream.binding.subspan"(%{{.*}}, %{{.*}}, %[[S1]]) : {{.*}} -> memref<?x6xf32>

// A full tile: 14 rows of one vector. Six channels fill the second vector by half, so that it is stored through a mask.
// CHECK:           scf.for %[[ROW:.*]] = %{{.*}} to %{{.*}} step %c14
// CHECK:             %[[SUMS:.*]]:14 = scf.for %{{.*}} iter_args
// CHECK:               vector.load %{{.*}}[%[[PANEL]], %{{.*}}, %{{.*}}] : memref<2x3x4xf32>, vector<4xf32>
// CHECK-COUNT-14:      vector.fma
// CHECK:               scf.yield
// CHECK:             %[[MASK:.*]] = vector.create_mask %{{.*}} : vector<4xi1>
// CHECK:             %[[B4:.*]] = vector.maskedload %[[BIAS]][%{{.*}}], %[[MASK]]
// CHECK:             %[[SUM:.*]] = arith.addf %[[SUMS]]#0, %[[B4]] : vector<4xf32>
// CHECK:             vector.maskedstore %[[OUT]][%[[ROW]], %{{.*}}], %{{.*}}, %[[SUM]]

// What is left of the rows: 8, 4, 2 and 1.
// CHECK:           scf.if
// CHECK:             scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK:           scf.if
// CHECK:             scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK:           scf.if
// CHECK:             scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>)
// CHECK:           scf.if
// CHECK:             scf.for {{.*}} -> (vector<4xf32>)
// CHECK:           return
func.func @main(%x: tensor<?x3xf32>, %bias: tensor<6xf32>, %m: index) -> (tensor<?x6xf32>, tensor<?x6xf32>) {
  %w = arith.constant dense<1.0> : tensor<2x3x4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x2x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %o = tensor.empty(%m) : tensor<?x6xf32>
  %p = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<?x3xf32>, tensor<2x3x4xf32>) outs(%f : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x2x4xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [4] into %o : tensor<?x2x4xf32> -> tensor<?x6xf32>
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%u, %bias : tensor<?x6xf32>, tensor<6xf32>) outs(%o : tensor<?x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x6xf32>
  %q = linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
    ins(%x, %w : tensor<?x3xf32>, tensor<2x3x4xf32>) outs(%f : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x2x4xf32>
  %v = linalg.unpack %q inner_dims_pos = [1] inner_tiles = [4] into %o : tensor<?x2x4xf32> -> tensor<?x6xf32>
  %s = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%v, %bias : tensor<?x6xf32>, tensor<6xf32>) outs(%o : tensor<?x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x6xf32>
  return %r, %s : tensor<?x6xf32>, tensor<?x6xf32>
}
