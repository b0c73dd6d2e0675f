// RUN: omb-opt %s --split-input-file --omb-outline-kernels | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-outline-kernels --omb-vectorize-kernels="vector-bytes=64 vector-registers=32" | FileCheck %s --check-prefix=VECTORS

// Three groups of 28 channels in turns: of each, the vector of the first 16, and one of the last 16.
// CHECK-LABEL: func.func @shuffle
// CHECK-NOT:     linalg.transpose
// CHECK:         call @kernel(%{{.*}}, %{{.*}}) : (tensor<?x7x3x28xf32>, index) -> tensor<?x7x84xf32>
// CHECK:       func.func private @kernel
// CHECK:         linalg.transpose
// CHECK:         tensor.collapse_shape

// VECTORS-LABEL: func.func @shuffle
// VECTORS:       func.func @kernel
// VECTORS-COUNT-3: vector.load {{.*}} : memref<?x7x3x28xf32>, vector<16xf32>
// VECTORS:       %[[A:.*]] = vector.shuffle %{{.*}}, %{{.*}} [0, 16, 0, 1, 17, 1, 2, 18, 2, 3, 19, 3, 4, 20, 4, 5]
// VECTORS:       %[[B:.*]] = vector.shuffle %[[A]], %{{.*}} [0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15]
// VECTORS:       vector.store %[[B]], {{.*}} : memref<?x7x84xf32>, vector<16xf32>
// VECTORS:       %[[LAST:.*]] = arith.constant 12 : index
// VECTORS:       vector.load %{{.*}}, %[[LAST]]] : memref<?x7x3x28xf32>, vector<16xf32>
func.func @shuffle(%x: tensor<?x7x84xf32>, %n: index) -> tensor<?x7x84xf32> {
  %g = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%n, 7, 3, 28] : tensor<?x7x84xf32> into tensor<?x7x3x28xf32>
  %e = tensor.empty(%n) : tensor<?x7x28x3xf32>
  %t = linalg.transpose ins(%g : tensor<?x7x3x28xf32>) outs(%e : tensor<?x7x28x3xf32>) permutation = [0, 1, 3, 2]
  %c = tensor.collapse_shape %t [[0], [1], [2, 3]] : tensor<?x7x28x3xf32> into tensor<?x7x84xf32>
  return %c : tensor<?x7x84xf32>
}

// -----

// More groups than channels: the other way round.
// CHECK-LABEL: func.func @many
// CHECK:         linalg.transpose
// CHECK-NOT:   func.func private
func.func @many(%x: tensor<5x28x4xf32>) -> tensor<5x112xf32> {
  %e = tensor.empty() : tensor<5x4x28xf32>
  %t = linalg.transpose ins(%x : tensor<5x28x4xf32>) outs(%e : tensor<5x4x28xf32>) permutation = [0, 2, 1]
  %c = tensor.collapse_shape %t [[0], [1, 2]] : tensor<5x4x28xf32> into tensor<5x112xf32>
  return %c : tensor<5x112xf32>
}

// -----

// With what is done to each element, IREE makes one op of it.
// CHECK-LABEL: func.func @negated
// CHECK:         linalg.transpose
// CHECK-NOT:   func.func private
func.func @negated(%x: tensor<5x2x32xf32>) -> tensor<5x64xf32> {
  %e = tensor.empty() : tensor<5x32x2xf32>
  %t = linalg.transpose ins(%x : tensor<5x2x32xf32>) outs(%e : tensor<5x32x2xf32>) permutation = [0, 2, 1]
  %c = tensor.collapse_shape %t [[0], [1, 2]] : tensor<5x32x2xf32> into tensor<5x64xf32>
  %f = tensor.empty() : tensor<5x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>],
    iterator_types = ["parallel", "parallel"]} ins(%c : tensor<5x64xf32>) outs(%f : tensor<5x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.negf %in : f32
    linalg.yield %v : f32
  } -> tensor<5x64xf32>
  return %r : tensor<5x64xf32>
}

// -----

// Other rearrangements.
// CHECK-LABEL: func.func @other
// CHECK:         linalg.transpose
// CHECK:         linalg.transpose
// CHECK-NOT:   func.func private
func.func @other(%x: tensor<5x2x32xf32>, %y: tensor<5x2x?xf32>, %n: index) -> (tensor<160x2xf32>, tensor<5x?xf32>) {
  %e = tensor.empty() : tensor<5x32x2xf32>
  %t = linalg.transpose ins(%x : tensor<5x2x32xf32>) outs(%e : tensor<5x32x2xf32>) permutation = [0, 2, 1]
  %c = tensor.collapse_shape %t [[0, 1], [2]] : tensor<5x32x2xf32> into tensor<160x2xf32>
  %f = tensor.empty(%n) : tensor<5x?x2xf32>
  %u = linalg.transpose ins(%y : tensor<5x2x?xf32>) outs(%f : tensor<5x?x2xf32>) permutation = [0, 2, 1]
  %d = tensor.collapse_shape %u [[0], [1, 2]] : tensor<5x?x2xf32> into tensor<5x?xf32>
  return %c, %d : tensor<160x2xf32>, tensor<5x?xf32>
}
