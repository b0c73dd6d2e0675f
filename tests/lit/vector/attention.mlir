// RUN: omb-opt %s --omb-outline-attention | FileCheck %s
// RUN: omb-opt %s --omb-outline-attention --omb-vectorize-kernels="vector-bytes=16 vector-registers=16" --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=VECTORS

// Two heads of four elements, which are parts of one dimension, and a mask. What transposes and reshapes is part of the
// kernel, so that there is nothing else.

#id = affine_map<(b, m, n) -> (b, m, n)>
#row = affine_map<(b, m, n) -> (b, m)>
#mask = affine_map<(b, m, n) -> (m, n)>

// CHECK-LABEL: func.func @heads
// CHECK-SAME:    %[[Q:.*]]: tensor<9x8xf32>, %[[K:.*]]: tensor<7x8xf32>, %[[V:.*]]: tensor<7x8xf32>, %[[MASK:.*]]: tensor<9x7xf32>
// CHECK-NOT:     linalg
// CHECK:         %[[Y:.*]] = call @[[KERNEL:.*]](%[[Q]], %[[K]], %[[V]], %[[MASK]]) : {{.*}} -> tensor<9x2x4xf32>
// CHECK-NEXT:    return %[[Y]]
func.func @heads(%q: tensor<9x8xf32>, %k: tensor<7x8xf32>, %v: tensor<7x8xf32>, %mask: tensor<9x7xf32>) -> tensor<9x2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %half = arith.constant 0.5 : f32
  %q0 = tensor.expand_shape %q [[0], [1, 2]] output_shape [9, 2, 4] : tensor<9x8xf32> into tensor<9x2x4xf32>
  %k0 = tensor.expand_shape %k [[0], [1, 2]] output_shape [7, 2, 4] : tensor<7x8xf32> into tensor<7x2x4xf32>
  %v0 = tensor.expand_shape %v [[0], [1, 2]] output_shape [7, 2, 4] : tensor<7x8xf32> into tensor<7x2x4xf32>
  %eq = tensor.empty() : tensor<2x9x4xf32>
  %ek = tensor.empty() : tensor<2x4x7xf32>
  %ev = tensor.empty() : tensor<2x7x4xf32>
  %q1 = linalg.transpose ins(%q0 : tensor<9x2x4xf32>) outs(%eq : tensor<2x9x4xf32>) permutation = [1, 0, 2]
  %k1 = linalg.transpose ins(%k0 : tensor<7x2x4xf32>) outs(%ek : tensor<2x4x7xf32>) permutation = [1, 2, 0]
  %v1 = linalg.transpose ins(%v0 : tensor<7x2x4xf32>) outs(%ev : tensor<2x7x4xf32>) permutation = [1, 0, 2]
  %q2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%q1 : tensor<2x9x4xf32>) outs(%eq : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.mulf %a, %half : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x4xf32>
  %es = tensor.empty() : tensor<2x9x7xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %s = linalg.batch_matmul ins(%q2, %k1 : tensor<2x9x4xf32>, tensor<2x4x7xf32>) outs(%fs : tensor<2x9x7xf32>) -> tensor<2x9x7xf32>
  %x = linalg.generic {indexing_maps = [#id, #mask, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%s, %mask : tensor<2x9x7xf32>, tensor<9x7xf32>) outs(%es : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x7xf32>
  %er = tensor.empty() : tensor<2x9xf32>
  %ew = tensor.empty() : tensor<2x9x7xf32>
  %fmax = linalg.fill ins(%lowest : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x : tensor<2x9x7xf32>) outs(%fmax : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.maximumf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%x, %max : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.subf %a, %c : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x9x7xf32>
  %fsum = linalg.fill ins(%zero : f32) outs(%er : tensor<2x9xf32>) -> tensor<2x9xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%exp : tensor<2x9x7xf32>) outs(%fsum : tensor<2x9xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2x9xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%exp, %sum : tensor<2x9x7xf32>, tensor<2x9xf32>) outs(%ew : tensor<2x9x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.divf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<2x9x7xf32>
  %ey = tensor.empty() : tensor<2x9x4xf32>
  %fy = linalg.fill ins(%zero : f32) outs(%ey : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %y = linalg.batch_matmul ins(%p, %v1 : tensor<2x9x7xf32>, tensor<2x7x4xf32>) outs(%fy : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %et = tensor.empty() : tensor<9x2x4xf32>
  %t = linalg.transpose ins(%y : tensor<2x9x4xf32>) outs(%et : tensor<9x2x4xf32>) permutation = [1, 0, 2]
  return %t : tensor<9x2x4xf32>
}

// Queries are in lanes: 3 vectors of them. A workgroup has a head.
// VECTORS-LABEL: func.func @heads
// VECTORS:         "flow.dispatch"(%arg0, %arg1, %arg2, %arg3)
// VECTORS:       "stream.return"(%c2{{.*}}, %c1{{.*}}, %c1{{.*}})
// VECTORS:       func.func @kernel(
// VECTORS-DAG:     %[[QUERIES:.*]] = "stream.binding.subspan"{{.*}} -> memref<9x8xf32>
// VECTORS-DAG:     %[[MASK:.*]] = "stream.binding.subspan"{{.*}} -> memref<9x7xf32>
// VECTORS-DAG:     %[[OUT:.*]] = "stream.binding.subspan"{{.*}} -> memref<9x2x4xf32>
// VECTORS:         %[[PANEL:.*]] = memref.alloca() {alignment = 64 : i64} : memref<4x12xf32>
// VECTORS:         %[[SCORES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<7x12xf32>
// VECTORS:         %[[FACTORS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x12xf32>
// VECTORS:         %[[TURNED:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8x12xf32>
// VECTORS:         scf.for %[[HEAD:.*]] =
// VECTORS:           %[[FIRST:.*]] = arith.muli %[[HEAD]], %c4
// What isn't a query is the last one again.
// VECTORS:           %[[LAST:.*]] = arith.minui %{{.*}}, %c8
// VECTORS:           vector.load %[[QUERIES]][%[[LAST]], %[[FIRST]]] : memref<9x8xf32>, vector<4xf32>
// VECTORS-COUNT-8:   vector.shuffle
// VECTORS:           %[[SCALED:.*]] = arith.mulf
// VECTORS:           vector.store %[[SCALED]], %[[PANEL]]
// VECTORS:           vector.maskedload %[[MASK]]
// VECTORS-COUNT-8:   vector.shuffle
// VECTORS:           vector.store %{{.*}}, %[[TURNED]]
// Tiles of 4 and of 3 keys.
// VECTORS:           %[[SUMS:.*]]:12 = scf.for %{{.*}} = %c0{{.*}} to %c4
// VECTORS-COUNT-12:    vector.fma
// VECTORS:           vector.store %[[SUMS]]#0, %[[SCORES]]
// VECTORS:           :9 = scf.for
// VECTORS:           %[[MAX:.*]]:3 = scf.for %[[KEY:.*]] = %c0{{.*}} to %c7
// VECTORS:             %[[S:.*]] = vector.load %[[SCORES]][%[[KEY]], %c0{{.*}}]
// VECTORS:             %[[B:.*]] = vector.load %[[TURNED]][%[[KEY]], %c0{{.*}}]
// VECTORS:             arith.addf %[[S]], %[[B]]
// VECTORS:             arith.cmpf ogt
// VECTORS:           arith.cmpf oeq, %[[MAX]]#0
// VECTORS:           scf.for
// VECTORS:             math.exp
// VECTORS:           arith.divf
// VECTORS:           vector.store %{{.*}}, %[[FACTORS]]
// VECTORS:           scf.for
// VECTORS:             vector.fma
// VECTORS:           %[[INVERSE:.*]] = memref.load %[[FACTORS]]
// VECTORS:           vector.broadcast %[[INVERSE]]
// VECTORS:           vector.store %{{.*}}, %[[OUT]]

// Of unknown sizes; two heads share keys and values, which are repeated for each.

#keys = affine_map<(b, r, n, k) -> (b, 0, n, k)>
#repeated = affine_map<(b, r, n, k) -> (b, r, n, k)>

// CHECK-LABEL: func.func @groups
// CHECK-SAME:    %[[Q:.*]]: tensor<?x?x4xf32>, %[[K:.*]]: tensor<?x1x?x4xf32>, %[[V:.*]]: tensor<?x?x4xf32>,
// CHECK-NOT:     linalg
// CHECK:         %[[Y:.*]] = call @{{.*}}(%[[Q]], %[[K]], %[[V]], {{.*}}) : (tensor<?x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x?x4xf32>, index
// CHECK-NEXT:    return %[[Y]]
// CHECK:       func.func private @[[KERNEL]]({{.*}}) -> tensor<9x2x4xf32> attributes {omb.kernel} {
// CHECK-DAG:     linalg.batch_matmul
// CHECK-DAG:     math.exp
// CHECK:         linalg.batch_matmul
// CHECK:         linalg.transpose
// CHECK:         return

// Keys are gone through in chunks; the maxima and sums are carried.
// VECTORS-LABEL: func.func @kernel_0(
// VECTORS:         scf.for
// VECTORS:           scf.if
// VECTORS:             %{{.*}}:2 = scf.for %[[BEGIN:.*]] = %c0{{.*}} iter_args(%[[OLD:.*]] = %{{.*}}, %[[SUM:.*]] = %{{.*}}) -> (vector<4xf32>, vector<4xf32>)
// VECTORS:               %[[ISFIRST:.*]] = arith.cmpi eq, %[[BEGIN]], %c0
// VECTORS:               %[[LESS:.*]] = arith.subf %[[OLD]]
// VECTORS:               %[[SCALE:.*]] = math.exp %[[LESS]]
// VECTORS:               vector.fma %[[SUM]], %[[SCALE]]
// VECTORS:               scf.if %[[ISFIRST]] ->
func.func @groups(%q: tensor<?x?x4xf32>, %k: tensor<?x1x?x4xf32>, %v: tensor<?x?x4xf32>, %g: index, %b: index, %m: index, %n: index) -> tensor<?x?x4xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e = tensor.empty(%g, %n) : tensor<?x2x?x4xf32>
  %r = linalg.generic {indexing_maps = [#keys, #repeated], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%k : tensor<?x1x?x4xf32>) outs(%e : tensor<?x2x?x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<?x2x?x4xf32>
  %k0 = tensor.collapse_shape %r [[0, 1], [2], [3]] : tensor<?x2x?x4xf32> into tensor<?x?x4xf32>
  %ek = tensor.empty(%b, %n) : tensor<?x4x?xf32>
  %k1 = linalg.transpose ins(%k0 : tensor<?x?x4xf32>) outs(%ek : tensor<?x4x?xf32>) permutation = [0, 2, 1]
  %es = tensor.empty(%b, %m, %n) : tensor<?x?x?xf32>
  %fs = linalg.fill ins(%zero : f32) outs(%es : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %s = linalg.batch_matmul ins(%q, %k1 : tensor<?x?x4xf32>, tensor<?x4x?xf32>) outs(%fs : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %er = tensor.empty(%b, %m) : tensor<?x?xf32>
  %ew = tensor.empty(%b, %m, %n) : tensor<?x?x?xf32>
  %fmax = linalg.fill ins(%lowest : f32) outs(%er : tensor<?x?xf32>) -> tensor<?x?xf32>
  %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%s : tensor<?x?x?xf32>) outs(%fmax : tensor<?x?xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.maximumf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%s, %max : tensor<?x?x?xf32>, tensor<?x?xf32>) outs(%ew : tensor<?x?x?xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.subf %a, %c : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x?x?xf32>
  %fsum = linalg.fill ins(%zero : f32) outs(%er : tensor<?x?xf32>) -> tensor<?x?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%exp : tensor<?x?x?xf32>) outs(%fsum : tensor<?x?xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %c, %a : f32
    linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%exp, %sum : tensor<?x?x?xf32>, tensor<?x?xf32>) outs(%ew : tensor<?x?x?xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.divf %a, %c : f32
    linalg.yield %0 : f32
  } -> tensor<?x?x?xf32>
  %ey = tensor.empty(%b, %m) : tensor<?x?x4xf32>
  %fy = linalg.fill ins(%zero : f32) outs(%ey : tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
  %y = linalg.batch_matmul ins(%p, %v : tensor<?x?x?xf32>, tensor<?x?x4xf32>) outs(%fy : tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}
