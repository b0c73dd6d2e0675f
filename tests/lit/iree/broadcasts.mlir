// RUN: omb-opt %s --omb-isolate-broadcasts | FileCheck %s

#rows_columns = affine_map<(d0, d1) -> (d0, d1)>
#columns = affine_map<(d0, d1) -> (d1)>
#kept_columns = affine_map<(d0, d1) -> (0, d1)>

// The maximum of each column is broadcast over the rows, through a reshape.

// CHECK-LABEL: func.func @columns
// CHECK: %[[MAX:.*]] = linalg.generic
// CHECK: %[[KEPT:.*]] = tensor.expand_shape %[[MAX]]
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[KEPT]]) : (tensor<1x33xf32>) -> tensor<1x33xf32>
// CHECK: linalg.generic
// CHECK-SAME: ins(%arg0, %[[B]] :
// CHECK-NOT: util.optimization_barrier
func.func @columns(%x: tensor<7x33xf32>, %init: tensor<33xf32>, %out: tensor<7x33xf32>) -> tensor<7x33xf32> {
  %max = linalg.generic {indexing_maps = [#rows_columns, #columns], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<7x33xf32>) outs(%init : tensor<33xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<33xf32>
  %kept = tensor.expand_shape %max [[0, 1]] output_shape [1, 33] : tensor<33xf32> into tensor<1x33xf32>
  %y = linalg.generic {indexing_maps = [#rows_columns, #kept_columns, #rows_columns], iterator_types = ["parallel", "parallel"]} ins(%x, %kept : tensor<7x33xf32>, tensor<1x33xf32>) outs(%out : tensor<7x33xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<7x33xf32>
  return %y : tensor<7x33xf32>
}

// Of a product with dynamic sizes, after an elementwise op; two readers share
// the barrier.

// CHECK-LABEL: func.func @elementwise
// CHECK: linalg.matvec
// CHECK: %[[ABS:.*]] = linalg.abs
// CHECK: %[[DIM:.*]] = tensor.dim %[[ABS]]
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[ABS]])
// CHECK: %[[TIED:.*]] = "flow.tensor.tie_shape"(%[[B]], %[[DIM]])
// CHECK: linalg.broadcast ins(%[[TIED]] : tensor<?xf32>)
// CHECK: linalg.broadcast ins(%[[TIED]] : tensor<?xf32>)
// CHECK-NOT: util.optimization_barrier
func.func @elementwise(%x: tensor<?x33xf32>, %v: tensor<33xf32>, %init: tensor<?xf32>, %out: tensor<5x?xf32>) -> (tensor<5x?xf32>, tensor<5x?xf32>) {
  %m = linalg.matvec ins(%x, %v : tensor<?x33xf32>, tensor<33xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  %e = linalg.abs ins(%m : tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  %y = linalg.broadcast ins(%e : tensor<?xf32>) outs(%out : tensor<5x?xf32>) dimensions = [0]
  %z = linalg.broadcast ins(%e : tensor<?xf32>) outs(%out : tensor<5x?xf32>) dimensions = [0]
  return %y, %z : tensor<5x?xf32>, tensor<5x?xf32>
}

// What is read through a slice isn't inlined.

// CHECK-LABEL: func.func @slice
// CHECK: %[[E:.*]] = linalg.abs
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[E]])
// CHECK: %[[SLICE:.*]] = tensor.extract_slice %[[B]]
// CHECK: tensor.extract_slice %arg0
// CHECK: linalg.broadcast ins(%[[SLICE]] : tensor<8xf32>)
// CHECK-NOT: util.optimization_barrier
func.func @slice(%v: tensor<9xf32>, %out: tensor<7x8xf32>) -> (tensor<7x8xf32>, tensor<8xf32>) {
  %e = linalg.abs ins(%v : tensor<9xf32>) outs(%v : tensor<9xf32>) -> tensor<9xf32>
  %s = tensor.extract_slice %e[1] [8] [1] : tensor<9xf32> to tensor<8xf32>
  %i = tensor.extract_slice %v[1] [8] [1] : tensor<9xf32> to tensor<8xf32>
  %sum = linalg.add ins(%s, %i : tensor<8xf32>, tensor<8xf32>) outs(%i : tensor<8xf32>) -> tensor<8xf32>
  %y = linalg.broadcast ins(%s : tensor<8xf32>) outs(%out : tensor<7x8xf32>) dimensions = [0]
  return %y, %sum : tensor<7x8xf32>, tensor<8xf32>
}

// What is extended for several readers is computed again with each of them.

// CHECK-LABEL: func.func @extended
// CHECK: %[[E:.*]] = linalg.generic
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[E]])
// CHECK: linalg.add ins(%[[B]], %[[B]] :
// CHECK: return %[[B]], %
func.func @extended(%v: tensor<9xi32>, %out: tensor<9xi64>) -> (tensor<9xi64>, tensor<9xi64>) {
  %e = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%v : tensor<9xi32>) outs(%out : tensor<9xi64>) {
  ^bb0(%a: i32, %b: i64):
    %w = arith.extsi %a : i32 to i64
    linalg.yield %w : i64
  } -> tensor<9xi64>
  %sum = linalg.add ins(%e, %e : tensor<9xi64>, tensor<9xi64>) outs(%out : tensor<9xi64>) -> tensor<9xi64>
  return %e, %sum : tensor<9xi64>, tensor<9xi64>
}

// Windows, perhaps padded, of what is computed element by element; not those of
// what is read.

// CHECK-LABEL: func.func @windows
// CHECK-SAME: %[[V:.*]]: tensor<11xi8>, %[[R:.*]]: tensor<13xf32>
// CHECK: %[[E:.*]] = linalg.generic
// CHECK: %[[P:.*]] = tensor.pad %[[E]]
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[P]])
// CHECK: linalg.generic {{.*}} ins(%[[B]],
// CHECK: linalg.generic {{.*}} ins(%[[R]],
// CHECK-NOT: util.optimization_barrier
func.func @windows(%v: tensor<11xi8>, %r: tensor<13xf32>, %like: tensor<11xf32>, %w: tensor<3xf32>, %out: tensor<11xf32>) -> (tensor<11xf32>, tensor<11xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%v : tensor<11xi8>) outs(%like : tensor<11xf32>) {
  ^bb0(%a: i8, %b: f32):
    %f = arith.sitofp %a : i8 to f32
    linalg.yield %f : f32
  } -> tensor<11xf32>
  %p = tensor.pad %e low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<11xf32> to tensor<13xf32>
  %computed = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%p, %w : tensor<13xf32>, tensor<3xf32>) outs(%out : tensor<11xf32>) {
  ^bb0(%a: f32, %t: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<11xf32>
  %given = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%r, %w : tensor<13xf32>, tensor<3xf32>) outs(%out : tensor<11xf32>) {
  ^bb0(%a: f32, %t: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<11xf32>
  return %computed, %given : tensor<11xf32>, tensor<11xf32>
}

// Broadcast over the last loop, transposed, over a loop of one iteration; and
// what is inlined.

// CHECK-LABEL: func.func @in_place
// CHECK-NOT: util.optimization_barrier
func.func @in_place(%x: tensor<7x33xf32>, %w: tensor<33x9xf32>, %init: tensor<7x9xf32>, %t: tensor<9x7xf32>, %one: tensor<1x7x9xf32>, %last: tensor<7x9x5xf32>, %v: tensor<9xf32>, %out: tensor<7x9xf32>) -> (tensor<9x7xf32>, tensor<1x7x9xf32>, tensor<7x9x5xf32>, tensor<7x9xf32>) {
  %m = linalg.matmul ins(%x, %w : tensor<7x33xf32>, tensor<33x9xf32>) outs(%init : tensor<7x9xf32>) -> tensor<7x9xf32>
  %transposed = linalg.transpose ins(%m : tensor<7x9xf32>) outs(%t : tensor<9x7xf32>) permutation = [1, 0]
  %unit = linalg.broadcast ins(%m : tensor<7x9xf32>) outs(%one : tensor<1x7x9xf32>) dimensions = [0]
  %lasts = linalg.broadcast ins(%m : tensor<7x9xf32>) outs(%last : tensor<7x9x5xf32>) dimensions = [2]
  %e = linalg.abs ins(%v : tensor<9xf32>) outs(%v : tensor<9xf32>) -> tensor<9xf32>
  %plain = linalg.broadcast ins(%e : tensor<9xf32>) outs(%out : tensor<7x9xf32>) dimensions = [0]
  return %transposed, %unit, %lasts, %plain : tensor<9x7xf32>, tensor<1x7x9xf32>, tensor<7x9x5xf32>, tensor<7x9xf32>
}

// What shares elements of a reduction is read in another order; what a product
// gives of its own is not shared, whatever its factors are.

// CHECK-LABEL: func.func @transposed
// CHECK: %[[SHARED:.*]] = linalg.generic {{.*}} ins(%arg0, %{{.*}} : tensor<7x33xf32>, tensor<7xf32>)
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[SHARED]])
// CHECK: linalg.transpose ins(%[[B]] : tensor<7x33xf32>)
// CHECK: %[[PRODUCT:.*]] = linalg.matmul
// CHECK: linalg.transpose ins(%[[PRODUCT]] : tensor<7x5xf32>)
func.func @transposed(%x: tensor<7x33xf32>, %sums: tensor<7xf32>, %out: tensor<7x33xf32>, %turned: tensor<33x7xf32>,
                      %w: tensor<33x5xf32>, %p: tensor<7x5xf32>, %q: tensor<5x7xf32>) -> (tensor<33x7xf32>, tensor<5x7xf32>) {
  %max = linalg.generic {indexing_maps = [#rows_columns, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<7x33xf32>) outs(%sums : tensor<7xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<7xf32>
  %y = linalg.generic {indexing_maps = [#rows_columns, affine_map<(d0, d1) -> (d0)>, #rows_columns], iterator_types = ["parallel", "parallel"]} ins(%x, %max : tensor<7x33xf32>, tensor<7xf32>) outs(%out : tensor<7x33xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<7x33xf32>
  %t = linalg.transpose ins(%y : tensor<7x33xf32>) outs(%turned : tensor<33x7xf32>) permutation = [1, 0]
  %product = linalg.matmul ins(%y, %w : tensor<7x33xf32>, tensor<33x5xf32>) outs(%p : tensor<7x5xf32>) -> tensor<7x5xf32>
  %u = linalg.transpose ins(%product : tensor<7x5xf32>) outs(%q : tensor<5x7xf32>) permutation = [1, 0]
  return %t, %u : tensor<33x7xf32>, tensor<5x7xf32>
}
