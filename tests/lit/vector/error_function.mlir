// RUN: omb-opt %s --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s

// The error function of f32 is a quotient of two polynomials of the square of
// what is cut off at 3.92. That of other types is left to IREE.

// CHECK-LABEL: func.func @single
// CHECK:       func.func @kernel
// CHECK:         arith.cmpf olt, %{{.*}} : vector<4xf32>
// CHECK:         math.fma
// CHECK:         arith.divf %{{.*}} : vector<4xf32>
// CHECK-NOT:     math.erf
// CHECK:       func.func @kernel_0
// CHECK:         math.erf %{{.*}} : vector<2xf64>
func.func @single(%x: tensor<12x3xf32>, %y: tensor<12x3xf64>) -> (tensor<12x8xf32>, tensor<12x8xf64>) {
  %w = arith.constant dense<1.0> : tensor<3x8xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<12x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<12x8xf32>) -> tensor<12x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<12x3xf32>, tensor<3x8xf32>) outs(%f : tensor<12x8xf32>) -> tensor<12x8xf32>
  %r = linalg.erf ins(%p : tensor<12x8xf32>) outs(%e : tensor<12x8xf32>) -> tensor<12x8xf32>
  %w64 = arith.constant dense<1.0> : tensor<3x8xf64>
  %zero64 = arith.constant 0.0 : f64
  %e64 = tensor.empty() : tensor<12x8xf64>
  %f64 = linalg.fill ins(%zero64 : f64) outs(%e64 : tensor<12x8xf64>) -> tensor<12x8xf64>
  %p64 = linalg.matmul ins(%y, %w64 : tensor<12x3xf64>, tensor<3x8xf64>) outs(%f64 : tensor<12x8xf64>) -> tensor<12x8xf64>
  %r64 = linalg.erf ins(%p64 : tensor<12x8xf64>) outs(%e64 : tensor<12x8xf64>) -> tensor<12x8xf64>
  return %r, %r64 : tensor<12x8xf32>, tensor<12x8xf64>
}
