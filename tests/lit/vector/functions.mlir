// RUN: omb-opt %s --omb-expand-functions --split-input-file | FileCheck %s
// RUN: omb-opt %s --omb-expand-functions=vector-bytes=32 --split-input-file | FileCheck %s --check-prefix=AVX2

// A quotient of two polynomials of the square of what is cut off where the
// result is 1, and a power of two times that.

// CHECK-LABEL: func.func @tanh
// CHECK:         %[[LAST:.+]] = arith.constant 9.020000e+00 : f32
// CHECK:         arith.cmpf olt, %[[LAST]], %{{.*}} : f32
// CHECK:         %[[X:.+]] = arith.select
// CHECK:         %[[X:.+]] = arith.select
// CHECK:         arith.mulf %[[X]], %[[X]] : f32
// CHECK:         %[[QUOTIENT:.+]] = arith.divf
// CHECK:         %[[PART:.+]] = arith.constant 1.250000e-01 : f32
// CHECK:         %[[MOST:.+]] = arith.mulf %[[X]], %[[PART]] : f32
// CHECK:         math.fma %[[X]], %[[QUOTIENT]], %[[MOST]] : f32
// CHECK-NOT:     math.tanh
func.func @tanh(%x: tensor<12x3xf32>) -> tensor<12x3xf32> {
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

// CHECK-LABEL: func.func @erf
// CHECK:         arith.constant dense<3.920000e+00> : vector<8xf32>
// CHECK:         arith.divf %{{.*}} : vector<8xf32>
// CHECK-NOT:     math.erf
func.func @erf(%x: vector<8xf32>) -> vector<8xf32> {
  %r = math.erf %x : vector<8xf32>
  return %r : vector<8xf32>
}

// -----

// 2^n is a factor for each half of n.

// CHECK-LABEL: func.func @exp
// CHECK:         %[[LOG2E:.+]] = arith.constant dense<1.44269502> : vector<8xf32>
// CHECK:         %[[SHIFTED:.+]] = math.fma %{{.*}}, %[[LOG2E]]
// CHECK:         %[[BITS:.+]] = arith.bitcast %[[SHIFTED]] : vector<8xf32> to vector<8xi32>
// CHECK:         arith.shrsi
// CHECK-COUNT-2: arith.bitcast %{{.*}} : vector<8xi32> to vector<8xf32>
// CHECK-NOT:     math.exp
func.func @exp(%x: vector<8xf32>) -> vector<8xf32> {
  %r = math.exp %x : vector<8xf32>
  return %r : vector<8xf32>
}

// -----

// Kernels are in modules of their own.

// AVX2-LABEL:  func.func @kernel
// AVX2-NOT:      llvm.call_intrinsic
// AVX2-COUNT-2:  arith.bitcast %{{.*}} : vector<16xi32> to vector<16xf32>
// CHECK-LABEL: func.func @kernel
// CHECK:         %[[ALL:.+]] = arith.constant -1 : i16
// CHECK:         %[[ROUNDING:.+]] = arith.constant 4 : i32
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(%[[X:.+]], %{{.*}}, %[[X]], %[[ALL]], %[[ROUNDING]])
// CHECK-NOT:     math.exp
builtin.module {
  func.func @kernel(%x: vector<16xf32>) -> vector<16xf32> {
    %r = math.exp %x : vector<16xf32>
    return %r : vector<16xf32>
  }
}

// -----

// Other types are IREE's.

// CHECK-LABEL: func.func @double
// CHECK:         math.tanh %{{.*}} : f64
// CHECK:         math.exp %{{.*}} : f16
func.func @double(%x: f64, %y: f16) -> (f64, f16) {
  %t = math.tanh %x : f64
  %e = math.exp %y : f16
  return %t, %e : f64, f16
}
