// RUN: omb-opt %s --omb-add-initial-sums --split-input-file | FileCheck %s

// A product that starts with a part of another tensor.

// CHECK-LABEL: func.func @matmul
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf32>, %[[W:.*]]: tensor<4x8xf32>, %[[C:.*]]: tensor<2x12xf32>
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[C]]
// CHECK: %[[E:.*]] = tensor.empty() : tensor<2x8xf32>
// CHECK: %[[Z:.*]] = arith.constant 0.0
// CHECK: %[[F:.*]] = linalg.fill ins(%[[Z]] : f32) outs(%[[E]] : tensor<2x8xf32>)
// CHECK: %[[S:.*]] = linalg.matmul ins(%[[X]], %[[W]] : {{.*}}) outs(%[[F]] :
// CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[S]], %[[PART]] : {{.*}}) outs(%[[E]] :
// CHECK: %[[SUM:.*]] = arith.addf
// CHECK-NEXT: linalg.yield %[[SUM]]
// CHECK: linalg.tanh ins(%[[Y]]
// CHECK: return
func.func @matmul(%x: tensor<2x4xf32>, %w: tensor<4x8xf32>, %c: tensor<2x12xf32>, %e: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %part = tensor.extract_slice %c[0, 0] [2, 8] [1, 1] : tensor<2x12xf32> to tensor<2x8xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x8xf32>) outs(%part : tensor<2x8xf32>) -> tensor<2x8xf32>
  %1 = linalg.tanh ins(%0 : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

// Integers, and sizes that aren't known; the sum has two uses.

// CHECK-LABEL: func.func @reduce
// CHECK-SAME: %[[X:.*]]: tensor<?x?xi32>, %[[C:.*]]: tensor<?xi32>
// CHECK: %[[D:.*]] = tensor.dim %[[C]]
// CHECK: %[[E:.*]] = tensor.empty(%[[D]]) : tensor<?xi32>
// CHECK: %[[F:.*]] = linalg.fill
// CHECK: %[[S:.*]] = linalg.reduce {{.*}}arith.addi{{.*}} ins(%[[X]] : tensor<?x?xi32>) outs(%[[F]] : tensor<?xi32>)
// CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[S]], %[[C]] :
// CHECK: arith.addi
// CHECK: return %[[Y]], %[[Y]]
func.func @reduce(%x: tensor<?x?xi32>, %c: tensor<?xi32>) -> (tensor<?xi32>, tensor<?xi32>) {
  %0 = linalg.reduce { arith.addi } ins(%x : tensor<?x?xi32>) outs(%c : tensor<?xi32>) dimensions = [1]
  return %0, %0 : tensor<?xi32>, tensor<?xi32>
}

// -----

// Left alone: what starts with one number, a maximum, and a sum of two results.

// CHECK-LABEL: func.func @left
// CHECK-NOT: linalg.generic
func.func @left(%x: tensor<2x4xf32>, %w: tensor<4x8xf32>, %c: tensor<2xf32>, %e: tensor<2x8xf32>, %one: f32) -> (tensor<2x8xf32>, tensor<2xf32>, tensor<2xf32>) {
  %start = linalg.fill ins(%one : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x8xf32>) outs(%start : tensor<2x8xf32>) -> tensor<2x8xf32>
  %1 = linalg.reduce { arith.maximumf } ins(%x : tensor<2x4xf32>) outs(%c : tensor<2xf32>) dimensions = [1]
  %2:2 = linalg.reduce ins(%x, %x : tensor<2x4xf32>, tensor<2x4xf32>) outs(%c, %c : tensor<2xf32>, tensor<2xf32>) dimensions = [1] (%a: f32, %b: f32, %s: f32, %t: f32) {
    %3 = arith.addf %a, %s : f32
    %4 = arith.addf %b, %t : f32
    linalg.yield %3, %4 : f32, f32
  }
  return %0, %1, %2#0 : tensor<2x8xf32>, tensor<2xf32>, tensor<2xf32>
}
