// RUN: omb-opt %s --omb-outline-kernels --omb-vectorize-kernels="vector-bytes=16 vector-registers=16" | FileCheck %s
// RUN: omb-opt %s --omb-outline-kernels --omb-vectorize-kernels="vector-bytes=16 vector-registers=16" \
// RUN:   | FileCheck %s --check-prefix=DYNAMIC

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>

// CHECK-LABEL: func.func @static
// CHECK:         "flow.dispatch"(%arg0) {entry_points = [@kernel_0::@kernel_0]
// CHECK-NOT:     linalg.generic
// DYNAMIC-LABEL: func.func @dynamic
// DYNAMIC:         "flow.dispatch"({{.*}}) {entry_points = [@kernel::@kernel]
// DYNAMIC-NOT:     linalg.generic

// 21 = 2 * 2 vectors, a vector and one element. The exponential is computed by the first sweep that needs it, and left
// in the result.
// CHECK:       func.func @kernel_0(
// CHECK:         %[[X:.*]] = "stream.binding.subspan"{{.*}} -> memref<100x21xf32>
// CHECK:         %[[OUT:.*]] = "stream.binding.subspan"{{.*}} -> memref<100x21xf32>
// CHECK:         %[[MASK:.*]] = vector.create_mask %c1{{.*}} : vector<4xi1>
// CHECK:         scf.for
// CHECK:           %[[ROW:.*]] = affine.delinearize_index
// CHECK:           %[[TWO:.*]]:2 = scf.for %[[J:.*]] = %c0{{.*}} to %c16{{.*}} step %c8{{.*}} iter_args
// CHECK:             vector.load %[[X]][%[[ROW]], %[[J]]] : memref<100x21xf32>, vector<4xf32>
// CHECK:             %[[E:.*]] = math.exp %{{.*}} : vector<4xf32>
// CHECK:             vector.store %[[E]], %[[OUT]][%[[ROW]], %[[J]]]
// CHECK:             math.exp
// CHECK:             scf.yield
// CHECK:           %[[ALL:.*]] = arith.addf %[[TWO]]#0, %[[TWO]]#1
// CHECK:           scf.for %{{.*}} = %c16{{.*}} to %c20{{.*}} step %c4{{.*}} iter_args(%{{.*}} = %[[ALL]])
// CHECK:           vector.maskedload %[[X]][%[[ROW]], %c20{{.*}}], %[[MASK]]
// CHECK:           vector.maskedstore %[[OUT]][%[[ROW]], %c20{{.*}}], %[[MASK]]
// CHECK:           arith.select %[[MASK]]
// CHECK:           %[[LANES:.*]] = vector.reduction <add>, %{{.*}} fastmath<reassoc> : vector<4xf32> into f32
// CHECK:           %[[SUM:.*]] = arith.addf %{{.*}}, %[[LANES]] : f32
// CHECK-NOT:     math.exp
// CHECK:           vector.load %[[OUT]]
// CHECK:           vector.broadcast %[[SUM]]
// CHECK:           arith.divf {{.*}} : vector<4xf32>
// CHECK:           vector.maskedstore %[[OUT]]
func.func @static(%x: tensor<100x21xf32>) -> tensor<100x21xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<100xf32>
  %o = tensor.empty() : tensor<100x21xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<100xf32>) -> tensor<100xf32>
  %exp = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<100x21xf32>) outs(%o : tensor<100x21xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<100x21xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%exp : tensor<100x21xf32>) outs(%f : tensor<100xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    linalg.yield %0 : f32
  } -> tensor<100xf32>
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%exp, %s : tensor<100x21xf32>, tensor<100xf32>) outs(%o : tensor<100x21xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<100x21xf32>
  return %r : tensor<100x21xf32>
}

// Blocks of as many rows as have so many elements; the index that a body reads is the entry's first argument, and what
// depends on the row alone is a scalar.
// DYNAMIC:       func.func @kernel(%[[COUNT:[a-z0-9]+]]: index, %{{.*}}: index, %{{.*}}: index, %[[M:[a-z0-9]+]]: index, %[[N:[a-z0-9]+]]: index,
// DYNAMIC:         %[[X:.*]] = "stream.binding.subspan"{{.*}} -> memref<?x?xf64>
// DYNAMIC:         vector.create_mask %{{.*}} : vector<2xi1>
// DYNAMIC:         arith.maxui %[[N]]
// DYNAMIC:         arith.divui
// DYNAMIC:         scf.for
// DYNAMIC:           %[[F:.*]]:4 = scf.for {{.*}} iter_args({{.*}}) -> (vector<2xf64>, vector<2xf64>, vector<2xf64>, vector<2xf64>)
// DYNAMIC-COUNT-4:     arith.maxnumf
// DYNAMIC:           scf.for
// DYNAMIC:           scf.if
// DYNAMIC:             vector.maskedload %[[X]]
// DYNAMIC:           vector.reduction <maxnumf>
// DYNAMIC:           scf.for
// DYNAMIC:             %[[I:.*]] = arith.index_cast %[[COUNT]] : index to i64
// DYNAMIC:             %[[F64:.*]] = arith.sitofp %[[I]] : i64 to f64
// DYNAMIC:             %[[Q:.*]] = arith.divf %{{.*}}, %[[F64]] : f64
// DYNAMIC:             %[[ALL:.*]] = vector.broadcast %[[Q]] : f64 to vector<2xf64>
// DYNAMIC:             arith.subf %{{.*}}, %[[ALL]] : vector<2xf64>
// DYNAMIC-COUNT-3:     arith.subf {{.*}} : vector<2xf64>
// DYNAMIC-COUNT-4:     vector.store
func.func @dynamic(%x: tensor<?x?xf64>, %m: index, %n: index, %count: index) -> tensor<?x?xf64> {
  %lowest = arith.constant 0xFFF0000000000000 : f64
  %e = tensor.empty(%m) : tensor<?xf64>
  %o = tensor.empty(%m, %n) : tensor<?x?xf64>
  %f = linalg.fill ins(%lowest : f64) outs(%e : tensor<?xf64>) -> tensor<?xf64>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<?x?xf64>) outs(%f : tensor<?xf64>) {
  ^bb0(%a: f64, %b: f64):
    %0 = arith.maxnumf %b, %a : f64
    linalg.yield %0 : f64
  } -> tensor<?xf64>
  %r = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %s : tensor<?x?xf64>, tensor<?xf64>) outs(%o : tensor<?x?xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64):
    %0 = arith.index_cast %count : index to i64
    %1 = arith.sitofp %0 : i64 to f64
    %2 = arith.divf %b, %1 : f64
    %3 = arith.subf %a, %2 : f64
    linalg.yield %3 : f64
  } -> tensor<?x?xf64>
  return %r : tensor<?x?xf64>
}
