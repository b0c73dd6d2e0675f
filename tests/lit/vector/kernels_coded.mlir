// RUN: omb-opt %s --omb-to-vector="vector-bytes=64 vector-registers=32" | FileCheck %s
// RUN: omb-opt %s --omb-to-vector="vector-bytes=32 vector-registers=16" | FileCheck %s --check-prefix=AVX2

// One row: numbers are selected by codes of four bits, and the sums of a block
// are scaled. A register of eight numbers has no such instruction: there, codes
// become numbers, which are scaled.

// CHECK-LABEL: func.func @row
// CHECK: %[[TABLE:.*]] = arith.constant dense<[-8.000000e+00, -7.000000e+00, {{.*}}, 7.000000e+00]> : vector<16xf32>
// CHECK: scf.for
// CHECK: scf.for
// CHECK: %[[BYTES:.*]] = vector.load {{.*}}xi8{{.*}}, vector<16xi8>
// CHECK: %[[LOW:.*]] = arith.extui %[[BYTES]] : vector<16xi8> to vector<16xi32>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"(%[[TABLE]], %[[LOW]])
// CHECK: %[[HIGH:.*]] = arith.shrui
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"(%[[TABLE]], %[[HIGH]])
// CHECK: scf.yield
// CHECK: vector.load {{.*}}xf32{{.*}}, vector<16xf32>
// CHECK: vector.fma
// CHECK: scf.yield
// CHECK: vector.store

// AVX2-LABEL: func.func @row
// AVX2-NOT: permvar
// AVX2: arith.andi {{.*}} : vector<8xi32>
// AVX2: arith.sitofp {{.*}} : vector<8xi32> to vector<8xf32>
// AVX2: math.fma {{.*}} : vector<8xf32>
// AVX2: vector.fma
func.func @row(%x: tensor<1x64xf32>) -> tensor<1x64xf32> {
  %codes = arith.constant dense<-3> : tensor<2x32x64xi8>
  %scales = arith.constant dense<0.5> : tensor<2x64xf32>
  %zero = arith.constant 0.0 : f32
  %b = tensor.empty() : tensor<2x32x64xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(b, k, n) -> (b, k, n)>, affine_map<(b, k, n) -> (b, n)>, affine_map<(b, k, n) -> (b, k, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%codes, %scales : tensor<2x32x64xi8>, tensor<2x64xf32>) outs(%b : tensor<2x32x64xf32>) {
  ^bb0(%code: i8, %scale: f32, %out: f32):
    %n = arith.sitofp %code : i8 to f32
    %p = arith.mulf %n, %scale : f32
    linalg.yield %p : f32
  } -> tensor<2x32x64xf32>
  %w = tensor.collapse_shape %d [[0, 1], [2]] : tensor<2x32x64xf32> into tensor<64x64xf32>
  %e = tensor.empty() : tensor<1x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x64xf32>) -> tensor<1x64xf32>
  %r = linalg.matmul ins(%x, %w : tensor<1x64xf32>, tensor<64x64xf32>) outs(%f : tensor<1x64xf32>) -> tensor<1x64xf32>
  return %r : tensor<1x64xf32>
}
