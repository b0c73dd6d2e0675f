// RUN: omb-opt %s --split-input-file --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s

// RUN: omb-opt %s --split-input-file --omb-expand-functions | FileCheck %s --check-prefix=ALONE

// The error function and the hyperbolic tangent of f32 are quotients of two
// polynomials of the square of what is cut off where they are 1. Those of other
// types are left to IREE.

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

// -----

// ALONE-LABEL: func.func @alone
// ALONE:         %[[LAST:.+]] = arith.constant 9.020000e+00 : f32
// ALONE:         arith.cmpf olt, %[[LAST]], %{{.*}} : f32
// ALONE:         %[[QUOTIENT:.+]] = arith.divf
// ALONE:         %[[PART:.+]] = arith.constant 1.250000e-01 : f32
// ALONE:         %[[MOST:.+]] = arith.mulf %[[X:.+]], %[[PART]] : f32
// ALONE:         math.fma %[[X]], %[[QUOTIENT]], %[[MOST]] : f32
// ALONE-NOT:     math.tanh
// CHECK-LABEL: func.func @alone
// CHECK:         arith.divf
// CHECK-NOT:     math.tanh
func.func @alone(%x: tensor<12x3xf32>) -> tensor<12x3xf32> {
  %e = tensor.empty() : tensor<12x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]} ins(%x : tensor<12x3xf32>) outs(%e : tensor<12x3xf32>) {
  ^bb0(%a: f32, %out: f32):
    %t = math.tanh %a : f32
    linalg.yield %t : f32
  } -> tensor<12x3xf32>
  return %r : tensor<12x3xf32>
}

// -----

// ALONE-LABEL: func.func @double
// ALONE:         math.tanh %{{.*}} : f64
// CHECK-LABEL: func.func @double
func.func @double(%x: f64) -> f64 {
  %t = math.tanh %x : f64
  return %t : f64
}
