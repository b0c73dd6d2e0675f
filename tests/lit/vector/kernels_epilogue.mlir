// RUN: omb-opt %s --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s

// The sizes of the sum that follows are other ones: it stays apart.
// CHECK-LABEL: func.func @apart
// CHECK:         "flow.dispatch"
// CHECK:         linalg.generic
// CHECK:           arith.addf
// An epilogue that calls functions is done in a loop over the sums, which go through memory.
// CHECK:       func.func @kernel
// CHECK:         %[[BUFFER:.*]] = memref.alloca() : memref<{{.*}}x4xf32>
// CHECK:         vector.store %{{.*}}, %[[BUFFER]]
// CHECK:         scf.for
// CHECK:           affine.delinearize_index
// CHECK:           vector.load %[[BUFFER]]
// CHECK:           math.exp {{.*}} : vector<4xf32>
// CHECK:           vector.store
// CHECK-NOT:     math.exp

func.func @function(%x: tensor<12x3xf32>) -> tensor<12x8xf32> {
  %w = arith.constant dense<1.0> : tensor<3x8xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<12x8xf32>) -> tensor<12x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<12x3xf32>, tensor<3x8xf32>) outs(%f : tensor<12x8xf32>) -> tensor<12x8xf32>
  %r = linalg.exp ins(%p : tensor<12x8xf32>) outs(%e : tensor<12x8xf32>) -> tensor<12x8xf32>
  return %r : tensor<12x8xf32>
}

func.func @apart(%x: tensor<?x3xf32>, %y: tensor<12x8xf32>, %n: index) -> tensor<12x8xf32> {
  %w = arith.constant dense<1.0> : tensor<3x8xf32>
  %zero = arith.constant 0.0 : f32
  %d = tensor.empty(%n) : tensor<?x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%d : tensor<?x8xf32>) -> tensor<?x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<?x3xf32>, tensor<3x8xf32>) outs(%f : tensor<?x8xf32>) -> tensor<?x8xf32>
  %e = tensor.empty() : tensor<12x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>],
    iterator_types = ["parallel", "parallel"]} ins(%p, %y : tensor<?x8xf32>, tensor<12x8xf32>) outs(%e : tensor<12x8xf32>) {
  ^bb0(%in: f32, %other: f32, %out: f32):
    %s = arith.addf %in, %other : f32
    linalg.yield %s : f32
  } -> tensor<12x8xf32>
  return %r : tensor<12x8xf32>
}
