// RUN: omb-opt %s -split-input-file --omb-fold-constants | FileCheck %s

// A mask that follows from its sizes.

// CHECK-LABEL: func.func @mask
// CHECK-NEXT: %[[M:.*]] = arith.constant dense<{{\[\[}}0.000000e+00, 0xFF800000, 0xFF800000], [0.000000e+00, 0.000000e+00, 0xFF800000{{\]\]}}> : tensor<2x3xf32>
// CHECK-NEXT: return %[[M]]
func.func @mask() -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<2x3xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %c = arith.cmpi ule, %j, %i : index
    %s = arith.select %c, %zero, %least : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %m : tensor<2x3xf32>
}

// -----

// One op after the other, named ones too: largest of each row, added and
// sliced. What is filled is read as such.

// CHECK-LABEL: func.func @chain
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<14> : tensor<1xi32>
// CHECK-NEXT: return %[[C]]
func.func @chain() -> tensor<1xi32> {
  %x = arith.constant dense<[[1, 3], [7, 2]]> : tensor<2x2xi32>
  %least = arith.constant -100 : i32
  %e = tensor.empty() : tensor<2xi32>
  %f = linalg.fill ins(%least : i32) outs(%e : tensor<2xi32>) -> tensor<2xi32>
  %max = linalg.reduce ins(%x : tensor<2x2xi32>) outs(%f : tensor<2xi32>) dimensions = [1]
    (%in: i32, %out: i32) {
      %m = arith.maxsi %in, %out : i32
      linalg.yield %m : i32
    }
  %sum = linalg.add ins(%max, %max : tensor<2xi32>, tensor<2xi32>) outs(%e : tensor<2xi32>) -> tensor<2xi32>
  %s = tensor.extract_slice %sum[1] [1] [1] : tensor<2xi32> to tensor<1xi32>
  return %s : tensor<1xi32>
}

// -----

// What only repeats a constant, what a sum starts with, and functions.

// CHECK-LABEL: func.func @kept
// CHECK: %[[START:.*]] = linalg.broadcast
// CHECK: linalg.matmul {{.*}} outs(%[[START]]
// CHECK: %[[FROM:.*]] = linalg.add
// CHECK: linalg.matmul {{.*}} outs(%[[FROM]]
// CHECK: math.exp
func.func @kept(%x: tensor<2x3xf32>, %y: tensor<3x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2xf32>) {
  %bias = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %square = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %e2 = tensor.empty() : tensor<2xf32>
  %start = linalg.broadcast ins(%bias : tensor<2xf32>) outs(%e : tensor<2x2xf32>) dimensions = [0]
  %r = linalg.matmul ins(%x, %y : tensor<2x3xf32>, tensor<3x2xf32>) outs(%start : tensor<2x2xf32>) -> tensor<2x2xf32>
  %from = linalg.add ins(%square, %square : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %q = linalg.matmul ins(%x, %y : tensor<2x3xf32>, tensor<3x2xf32>) outs(%from : tensor<2x2xf32>) -> tensor<2x2xf32>
  %exp = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%bias : tensor<2xf32>) outs(%e2 : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<2xf32>
  return %r, %q, %exp : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2xf32>
}

// -----

// Large ones, unknown ones, and what has no folder for its numbers stay.

// CHECK-LABEL: func.func @others
// CHECK: linalg.fill
// CHECK: linalg.generic
// CHECK: linalg.generic
// CHECK: linalg.generic
func.func @others(%x: tensor<3xi32>) -> (tensor<64x65xi32>, tensor<64x65xi32>, tensor<3xi32>, tensor<1xi32>) {
  %seven = arith.constant 7 : i32
  %none = arith.constant 0 : i32
  %e = tensor.empty() : tensor<64x65xi32>
  %f = linalg.fill ins(%seven : i32) outs(%e : tensor<64x65xi32>) -> tensor<64x65xi32>
  %large = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<64x65xi32>) {
  ^bb0(%out: i32):
    linalg.yield %seven : i32
  } -> tensor<64x65xi32>
  %e3 = tensor.empty() : tensor<3xi32>
  %unknown = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<3xi32>) outs(%e3 : tensor<3xi32>) {
  ^bb0(%in: i32, %out: i32):
    %s = arith.addi %in, %seven : i32
    linalg.yield %s : i32
  } -> tensor<3xi32>
  %e1 = tensor.empty() : tensor<1xi32>
  %undefined = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e1 : tensor<1xi32>) {
  ^bb0(%out: i32):
    %q = arith.divsi %seven, %none : i32
    linalg.yield %q : i32
  } -> tensor<1xi32>
  return %f, %large, %unknown, %undefined : tensor<64x65xi32>, tensor<64x65xi32>, tensor<3xi32>, tensor<1xi32>
}

// -----

// Without any point, a result is what it starts with.

// CHECK-LABEL: func.func @nothing
// CHECK-DAG: %[[EMPTY:.*]] = tensor.empty() : tensor<0xi32>
// CHECK-DAG: %[[START:.*]] = linalg.fill
// CHECK: return %[[EMPTY]], %[[START]]
func.func @nothing() -> (tensor<0xi32>, tensor<2xi32>) {
  %x = arith.constant dense<> : tensor<0xi32>
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<0xi32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<0xi32>) outs(%e : tensor<0xi32>) {
  ^bb0(%in: i32, %out: i32):
    %s = arith.addi %in, %in : i32
    linalg.yield %s : i32
  } -> tensor<0xi32>
  %y = arith.constant dense<> : tensor<2x0xi32>
  %e2 = tensor.empty() : tensor<2xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e2 : tensor<2xi32>) -> tensor<2xi32>
  %sum = linalg.reduce ins(%y : tensor<2x0xi32>) outs(%f : tensor<2xi32>) dimensions = [1]
    (%in: i32, %out: i32) {
      %s = arith.addi %in, %out : i32
      linalg.yield %s : i32
    }
  return %r, %sum : tensor<0xi32>, tensor<2xi32>
}

// -----

// Few points, and too much to do at each.
// CHECK-LABEL: func.func @long
// CHECK: linalg.generic
// CHECK-NOT: linalg.generic
func.func @long() -> (tensor<4096xi32>, tensor<64xi32>) {
  %e4096 = tensor.empty() : tensor<4096xi32>
  %r4096 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e4096 : tensor<4096xi32>) {
  ^bb0(%out: i32):
    %i = linalg.index 0 : index
    %v0 = arith.index_cast %i : index to i32
    %v1 = arith.muli %v0, %v0 : i32
    %v2 = arith.muli %v1, %v1 : i32
    %v3 = arith.muli %v2, %v2 : i32
    %v4 = arith.muli %v3, %v3 : i32
    %v5 = arith.muli %v4, %v4 : i32
    %v6 = arith.muli %v5, %v5 : i32
    %v7 = arith.muli %v6, %v6 : i32
    %v8 = arith.muli %v7, %v7 : i32
    %v9 = arith.muli %v8, %v8 : i32
    %v10 = arith.muli %v9, %v9 : i32
    %v11 = arith.muli %v10, %v10 : i32
    %v12 = arith.muli %v11, %v11 : i32
    %v13 = arith.muli %v12, %v12 : i32
    %v14 = arith.muli %v13, %v13 : i32
    %v15 = arith.muli %v14, %v14 : i32
    %v16 = arith.muli %v15, %v15 : i32
    %v17 = arith.muli %v16, %v16 : i32
    %v18 = arith.muli %v17, %v17 : i32
    %v19 = arith.muli %v18, %v18 : i32
    %v20 = arith.muli %v19, %v19 : i32
    linalg.yield %v20 : i32
  } -> tensor<4096xi32>
  %e64 = tensor.empty() : tensor<64xi32>
  %r64 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e64 : tensor<64xi32>) {
  ^bb0(%out: i32):
    %i = linalg.index 0 : index
    %v0 = arith.index_cast %i : index to i32
    %v1 = arith.muli %v0, %v0 : i32
    %v2 = arith.muli %v1, %v1 : i32
    %v3 = arith.muli %v2, %v2 : i32
    %v4 = arith.muli %v3, %v3 : i32
    %v5 = arith.muli %v4, %v4 : i32
    %v6 = arith.muli %v5, %v5 : i32
    %v7 = arith.muli %v6, %v6 : i32
    %v8 = arith.muli %v7, %v7 : i32
    %v9 = arith.muli %v8, %v8 : i32
    %v10 = arith.muli %v9, %v9 : i32
    %v11 = arith.muli %v10, %v10 : i32
    %v12 = arith.muli %v11, %v11 : i32
    %v13 = arith.muli %v12, %v12 : i32
    %v14 = arith.muli %v13, %v13 : i32
    %v15 = arith.muli %v14, %v14 : i32
    %v16 = arith.muli %v15, %v15 : i32
    %v17 = arith.muli %v16, %v16 : i32
    %v18 = arith.muli %v17, %v17 : i32
    %v19 = arith.muli %v18, %v18 : i32
    %v20 = arith.muli %v19, %v19 : i32
    linalg.yield %v20 : i32
  } -> tensor<64xi32>
  return %r4096, %r64 : tensor<4096xi32>, tensor<64xi32>
}
