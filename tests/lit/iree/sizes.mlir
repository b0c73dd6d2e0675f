// RUN: omb-opt %s --omb-isolate-sizes | FileCheck %s

// A size that is computed from a float, and one more than it.

// CHECK-LABEL: func.func @sizes
// CHECK: %[[N:.*]] = arith.index_cast %{{.*}} : i64 to index
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[N]]) : (index) -> index
// CHECK: %[[M:.*]] = arith.addi %[[B]]
// CHECK: tensor.empty(%[[B]], %[[M]])
func.func @sizes(%scale: f32) -> tensor<?x?xf32> {
  %c1 = arith.constant 1 : index
  %0 = arith.fptosi %scale : f32 to i64
  %n = arith.index_cast %0 : i64 to index
  %m = arith.addi %n, %c1 : index
  %e = tensor.empty(%n, %m) : tensor<?x?xf32>
  return %e : tensor<?x?xf32>
}

// Left alone: a place, what isn't a size, and what an element is computed from.

// CHECK-LABEL: func.func @left
// CHECK-NOT: optimization_barrier
func.func @left(%x: tensor<?xf32>, %at: i64, %n: index, %e: tensor<4xindex>) -> (tensor<1xf32>, tensor<?xf32>, i64, tensor<4xindex>) {
  %begin = arith.index_cast %at : i64 to index
  %part = tensor.extract_slice %x[%begin] [1] [1] : tensor<?xf32> to tensor<1xf32>
  %empty = tensor.empty(%n) : tensor<?xf32>
  %twice = arith.addi %begin, %begin : index
  %number = arith.index_cast %twice : index to i64
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%e : tensor<4xindex>) {
  ^bb0(%out: index):
    %i = arith.index_cast %at : i64 to index
    linalg.yield %i : index
  } -> tensor<4xindex>
  return %part, %empty, %number, %0 : tensor<1xf32>, tensor<?xf32>, i64, tensor<4xindex>
}
