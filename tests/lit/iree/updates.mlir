// RUN: omb-opt %s --split-input-file --omb-isolate-updates | FileCheck %s

// What is computed for a place whose alignment isn't known is computed
// elsewhere, in functions with branches.

// CHECK-LABEL: func.func @concat
// CHECK: %[[P:.*]] = linalg.exp
// CHECK: %[[Q:.*]] = linalg.abs
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[Q]])
// CHECK: %[[T:.*]] = "flow.tensor.tie_shape"(%[[B]]
// CHECK: tensor.concat dim(0) %[[P]], %[[T]]
func.func @concat(%x: tensor<?xf32>, %y: tensor<?xf32>, %c: i1) -> tensor<?xf32> {
  %p = linalg.exp ins(%x : tensor<?xf32>) outs(%x : tensor<?xf32>) -> tensor<?xf32>
  %q = linalg.abs ins(%y : tensor<?xf32>) outs(%y : tensor<?xf32>) -> tensor<?xf32>
  %r = tensor.concat dim(0) %p, %q : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  %s = scf.if %c -> tensor<?xf32> {
    scf.yield %r : tensor<?xf32>
  } else {
    scf.yield %x : tensor<?xf32>
  }
  return %s : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @insert
// CHECK: scf.for
// CHECK: %[[E:.*]] = tensor.expand_shape
// CHECK: %[[B:.*]] = "util.optimization_barrier"(%[[E]])
// CHECK: tensor.insert_slice %[[B]]
func.func @insert(%x: tensor<3xf32>, %y: tensor<?x3xf32>, %n: index) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %y) -> tensor<?x3xf32> {
    %p = linalg.exp ins(%x : tensor<3xf32>) outs(%x : tensor<3xf32>) -> tensor<3xf32>
    %e = tensor.expand_shape %p [[0, 1]] output_shape [1, 3] : tensor<3xf32> into tensor<1x3xf32>
    %b = tensor.insert_slice %e into %a[%i, 0] [1, 3] [1, 1] : tensor<1x3xf32> into tensor<?x3xf32>
    scf.yield %b : tensor<?x3xf32>
  }
  return %r : tensor<?x3xf32>
}

// -----

// Left alone: multiples of 64 bytes, parts that are spread, what others read,
// too, and what isn't computed.

// CHECK-LABEL: func.func @left
// CHECK-NOT: optimization_barrier
func.func @left(%x: tensor<?x16xf32>, %y: tensor<4x?xf32>, %n: index)
    -> (tensor<?x16xf32>, tensor<4x?xf32>, tensor<?x16xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %u = linalg.exp ins(%x : tensor<?x16xf32>) outs(%x : tensor<?x16xf32>) -> tensor<?x16xf32>
  %aligned = tensor.concat dim(0) %x, %u : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
  %v = linalg.exp ins(%y : tensor<4x?xf32>) outs(%y : tensor<4x?xf32>) -> tensor<4x?xf32>
  %spread = tensor.concat dim(1) %y, %v : (tensor<4x?xf32>, tensor<4x?xf32>) -> tensor<4x?xf32>
  %w = linalg.abs ins(%x : tensor<?x16xf32>) outs(%x : tensor<?x16xf32>) -> tensor<?x16xf32>
  %d = tensor.dim %x, %c0 : tensor<?x16xf32>
  %z = tensor.empty(%d) : tensor<?xf32>
  %given = tensor.concat dim(0) %z, %z : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %w) -> tensor<?x16xf32> {
    scf.yield %w : tensor<?x16xf32>
  }
  return %aligned, %spread, %r, %given : tensor<?x16xf32>, tensor<4x?xf32>, tensor<?x16xf32>, tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @straight
// CHECK-NOT: optimization_barrier
func.func @straight(%x: tensor<?xf32>) -> tensor<?xf32> {
  %p = linalg.exp ins(%x : tensor<?xf32>) outs(%x : tensor<?xf32>) -> tensor<?xf32>
  %r = tensor.concat dim(0) %x, %p : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}
