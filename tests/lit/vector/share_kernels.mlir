// RUN: omb-opt %s --split-input-file --omb-to-linalg --omb-pack-contractions="vector-bytes=64 vector-registers=32" --cse --omb-fuse-elementwise --cse --omb-outline-kernels --omb-share-kernels | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-to-linalg --omb-to-vector | FileCheck %s --check-prefix=VECTORS

// Two layers that differ in scales and zero points: one kernel. What its
// rounded division multiplies by is passed, too; what both layers have in the
// same places stays.

// CHECK-LABEL: func.func @layers
// CHECK:         %[[A:.*]] = arith.constant dense<[2.000000e+00, -5.000000e-01, 1.000000e+02]> : tensor<3xf32>
// CHECK:         %[[FIRST:.*]] = call @[[KERNEL:.*]](%{{.*}}, %[[A]])
// CHECK:         %[[B:.*]] = arith.constant dense<[4.000000e+00, -2.500000e-01, 9.000000e+01]> : tensor<3xf32>
// CHECK:         call @[[KERNEL]](%[[FIRST]], %{{.*}}, %[[B]])
// CHECK:       func.func private @[[KERNEL]](
// CHECK-SAME:    %[[C:[a-z0-9]*]]: tensor<3xf32>) -> tensor<4x16xi8>
// CHECK:         linalg.unpack
// CHECK:         arith.constant 2.550000e+02 : f32
// CHECK:         linalg.generic {{.*}} ins({{.*}}, %[[C]], %[[C]], %[[C]] :
// CHECK-NOT:     arith.divf
// CHECK:         math.fma
// CHECK-NOT:   func.func private

// VECTORS-LABEL: func.func @layers
// VECTORS-COUNT-2: "flow.dispatch"
// VECTORS:       func.func @kernel
// VECTORS:       memref.load %{{.*}} : memref<3xf32>
// VECTORS:       vector.broadcast %{{.*}} : f32 to vector<16xf32>
// VECTORS-NOT:   func.func @kernel
func.func @layers(%x: tensor<4x16xui8>) -> tensor<4x16xui8> {
  %sx = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %zx = onnx.Constant() {value = dense<100> : tensor<ui8>} : () -> tensor<ui8>
  %sy = onnx.Constant() {value = dense<0.25> : tensor<f32>} : () -> tensor<f32>
  %zy = onnx.Constant() {value = dense<90> : tensor<ui8>} : () -> tensor<ui8>
  %b = onnx.Constant() {value = dense<0.3> : tensor<16xf32>} : () -> tensor<16xf32>
  %w = onnx.Constant() {value = dense<3> : tensor<16x16xi8>} : () -> tensor<16x16xi8>
  %dw = onnx.DequantizeLinear(%w, %sx) : (tensor<16x16xi8>, tensor<f32>) -> tensor<16x16xf32>
  %d0 = onnx.DequantizeLinear(%x, %sx, %zx) : (tensor<4x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x16xf32>
  %p0 = onnx.MatMul(%d0, %dw) : (tensor<4x16xf32>, tensor<16x16xf32>) -> tensor<4x16xf32>
  %a0 = onnx.Add(%p0, %b) : (tensor<4x16xf32>, tensor<16xf32>) -> tensor<4x16xf32>
  %q0 = onnx.QuantizeLinear(%a0, %sx, %zx) : (tensor<4x16xf32>, tensor<f32>, tensor<ui8>) -> tensor<4x16xui8>
  %d1 = onnx.DequantizeLinear(%q0, %sx, %zx) : (tensor<4x16xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x16xf32>
  %p1 = onnx.MatMul(%d1, %dw) : (tensor<4x16xf32>, tensor<16x16xf32>) -> tensor<4x16xf32>
  %a1 = onnx.Add(%p1, %b) : (tensor<4x16xf32>, tensor<16xf32>) -> tensor<4x16xf32>
  %q1 = onnx.QuantizeLinear(%a1, %sy, %zy) : (tensor<4x16xf32>, tensor<f32>, tensor<ui8>) -> tensor<4x16xui8>
  return %q1 : tensor<4x16xui8>
}

// -----

// Rows of layers that differ in one number. A tensor of equal elements has
// another one, which is read nowhere.

// CHECK-LABEL: func.func @rows
// CHECK-DAG:     arith.constant dense<[2.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK-DAG:     arith.constant dense<[3.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK:       func.func private @kernel{{.*}}(%{{.*}}: tensor<?x8xf32>, %[[C:.*]]: tensor<2xf32>, %{{.*}}: index)
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[C]] : tensor<?x8xf32>, tensor<2xf32>)
// CHECK-NOT:   func.func private

// VECTORS-LABEL: func.func @rows
// VECTORS:       memref.load %{{.*}} : memref<2xf32>
func.func @rows(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %two = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %three = onnx.Constant() {value = dense<3.0> : tensor<f32>} : () -> tensor<f32>
  %a = onnx.Mul(%x, %two) : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %b = onnx.Softmax(%a) {axis = -1 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %c = onnx.Mul(%b, %three) : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %d = onnx.Softmax(%c) {axis = -1 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %d : tensor<?x8xf32>
}

// -----

// What differs in more than numbers stays two kernels, and what doesn't differ
// is one already.

// CHECK-LABEL: func.func @others
// CHECK:         call @kernel(%{{.*}}) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK:         call @kernel_0(%{{.*}}) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK:         call @kernel(%{{.*}}) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK:       func.func private @kernel
// CHECK:       func.func private @kernel
// CHECK-NOT:   func.func private
func.func @others(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %two = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %three = onnx.Constant() {value = dense<3.0> : tensor<f32>} : () -> tensor<f32>
  %a = onnx.Mul(%x, %two) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
  %b = onnx.Softmax(%a) {axis = -1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %c = onnx.Add(%b, %three) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
  %d = onnx.Softmax(%c) {axis = -1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %e = onnx.Mul(%d, %two) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
  %f = onnx.Softmax(%e) {axis = -1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %b, %d, %f : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
