// RUN: omb-opt %s --omb-to-linalg --omb-to-vector | FileCheck %s

// A product, requantized, plus another tensor: one kernel from bytes to bytes.
// The product's own bytes are never made: they would become numbers again. A
// division whose quotient is rounded becomes multiplications.

// CHECK-LABEL: func.func @residual
// CHECK: "flow.dispatch"(%arg0, {{.*}} -> tensor<4x16xi8>
// CHECK-NOT: linalg
// CHECK-LABEL: func.func @kernel
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK: scf.yield
// CHECK: arith.uitofp %{{.*}} : vector<16xi8> to vector<16xf32>
// CHECK: %[[F:.*]] = arith.sitofp %{{.*}} : vector<16xi32> to vector<16xf32>
// CHECK: arith.mulf %[[F]]
// CHECK: llvm.call_intrinsic "llvm.roundeven"
// CHECK: %[[C:.*]] = arith.select
// CHECK: %[[D:.*]] = arith.select {{.*}}, %[[C]], 
// CHECK-NOT: arith.uitofp
// CHECK: arith.subf %[[D]]
// CHECK-NOT: arith.divf
// CHECK: math.fma
// CHECK: math.fma
// CHECK: arith.cmpf ord
// CHECK: llvm.call_intrinsic "llvm.roundeven"
// CHECK: arith.fptosi
// CHECK: arith.trunci %{{.*}} : vector<16xi32> to vector<16xi8>
// CHECK: vector.store {{.*}} vector<16xi8>
func.func @residual(%a: tensor<4x8xui8>, %r: tensor<4x16xui8>) -> tensor<4x16xui8> {
  %s = onnx.Constant() {value = dense<0.3> : tensor<f32>} : () -> tensor<f32>
  %z = onnx.Constant() {value = dense<100> : tensor<ui8>} : () -> tensor<ui8>
  %w = onnx.Constant() {value = dense<3> : tensor<8x16xi8>} : () -> tensor<8x16xi8>
  %d = onnx.DequantizeLinear(%a, %s, %z) : (tensor<4x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x8xf32>
  %e = onnx.DequantizeLinear(%w, %s) : (tensor<8x16xi8>, tensor<f32>) -> tensor<8x16xf32>
  %p = onnx.MatMul(%d, %e) : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %q = onnx.QuantizeLinear(%p, %s, %z) : (tensor<4x16xf32>, tensor<f32>, tensor<ui8>) -> tensor<4x16xui8>
  %f = onnx.DequantizeLinear(%q, %s, %z) : (tensor<4x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x16xf32>
  %g = onnx.DequantizeLinear(%r, %s, %z) : (tensor<4x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x16xf32>
  %h = onnx.Add(%f, %g) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %y = onnx.QuantizeLinear(%h, %s, %z) : (tensor<4x16xf32>, tensor<f32>, tensor<ui8>) -> tensor<4x16xui8>
  return %y : tensor<4x16xui8>
}
