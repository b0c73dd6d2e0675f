// RUN: omb-opt %s -split-input-file --onnx-qdq-to-quant | FileCheck %s
// RUN: omb-opt %s -split-input-file --onnx-qdq-to-quant --onnx-quant-to-qdq | FileCheck %s --check-prefix=BACK
// RUN: omb-opt %s -split-input-file --onnx-qdq-to-quant --onnx-quant-to-qdq=keep-contractions | FileCheck %s --check-prefix=KEEP

// Integers less zero points are numbers of the scale 1, and so are their sums.

// CHECK-LABEL: func.func @matmul
// CHECK: %[[A:.*]] = onnx.StorageCast %arg0 : tensor<?x3x4xui8> to tensor<?x3x4x!quant.uniform<u8:f32, 1.000000e+00:7>>
// CHECK: %[[B:.*]] = onnx.StorageCast %arg1 : tensor<4x2xi8> to tensor<4x2x!quant.uniform<i8:f32:1, {1.000000e+00:1,1.000000e+00:-3}>>
// CHECK: %[[Y:.*]] = onnx.MatMul(%[[A]], %[[B]]) {{.*}} -> tensor<?x3x2x!quant.uniform<i32:f32, 1.000000e+00>>
// CHECK: onnx.StorageCast %[[Y]] : {{.*}} to tensor<?x3x2xi32>

// BACK-LABEL: func.func @matmul
// BACK-DAG: %[[A:.*]] = onnx.Constant() {value = dense<7> : tensor<ui8>}
// BACK-DAG: %[[B:.*]] = onnx.Constant() {value = dense<[1, -3]> : tensor<2xi8>}
// BACK: %[[Y:.*]] = onnx.MatMulInteger(%arg0, %arg1, %[[A]], %[[B]]) {{.*}} -> tensor<?x3x2xi32>
// BACK: return %[[Y]]

// KEEP-LABEL: func.func @matmul
// KEEP: onnx.MatMul({{.*}} -> tensor<?x3x2x!quant.uniform<i32:f32, 1.000000e+00>>
func.func @matmul(%a: tensor<?x3x4xui8>, %b: tensor<4x2xi8>) -> tensor<?x3x2xi32> {
  %z = onnx.Constant() {value = dense<7> : tensor<ui8>} : () -> tensor<ui8>
  %y = onnx.Constant() {value = dense<[1, -3]> : tensor<2xi8>} : () -> tensor<2xi8>
  %p = onnx.MatMulInteger(%a, %b, %z, %y) : (tensor<?x3x4xui8>, tensor<4x2xi8>, tensor<ui8>, tensor<2xi8>) -> tensor<?x3x2xi32>
  return %p : tensor<?x3x2xi32>
}

// -----

// CHECK-LABEL: func.func @conv
// CHECK: %[[Y:.*]] = onnx.Conv({{.*}} {{.*}}pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x5x5x!quant.uniform<u8:f32, 1.000000e+00:128>>, tensor<2x3x3x3x!quant.uniform<u8:f32, 1.000000e+00>>) -> tensor<1x2x5x5x!quant.uniform<i32:f32, 1.000000e+00>>

// BACK-LABEL: func.func @conv
// BACK-DAG: %[[X:.*]] = onnx.Constant() {value = dense<128> : tensor<ui8>}
// BACK-DAG: %[[W:.*]] = onnx.Constant() {value = dense<0> : tensor<ui8>}
// BACK: onnx.ConvInteger(%arg0, %arg1, %[[X]], %[[W]]) {{.*}}pads = array<i64: 1, 1, 1, 1>} : {{.*}} -> tensor<1x2x5x5xi32>
func.func @conv(%x: tensor<1x3x5x5xui8>, %w: tensor<2x3x3x3xui8>) -> tensor<1x2x5x5xi32> {
  %z = onnx.Constant() {value = dense<128> : tensor<1xui8>} : () -> tensor<1xui8>
  %y = onnx.ConvInteger(%x, %w, %z) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x5x5xui8>, tensor<2x3x3x3xui8>, tensor<1xui8>) -> tensor<1x2x5x5xi32>
  return %y : tensor<1x2x5x5xi32>
}

// -----

// Computed zero points stay operands, those of rows too; and integers that
// could wrap around are no numbers.

// CHECK-LABEL: func.func @computed
// CHECK: onnx.MatMulInteger
// CHECK: onnx.MatMulInteger
// CHECK: onnx.MatMulInteger
func.func @computed(%a: tensor<3x4xui8>, %b: tensor<4x2xui8>, %z: tensor<ui8>, %c: tensor<3x40000xui8>, %d: tensor<40000x2xui8>) -> (tensor<3x2xi32>, tensor<3x2xi32>, tensor<3x2xi32>) {
  %rows = onnx.Constant() {value = dense<[1, 2, 3]> : tensor<3xui8>} : () -> tensor<3xui8>
  %p = onnx.MatMulInteger(%a, %b, %z) : (tensor<3x4xui8>, tensor<4x2xui8>, tensor<ui8>) -> tensor<3x2xi32>
  %q = onnx.MatMulInteger(%a, %b, %rows) : (tensor<3x4xui8>, tensor<4x2xui8>, tensor<3xui8>) -> tensor<3x2xi32>
  %r = onnx.MatMulInteger(%c, %d) : (tensor<3x40000xui8>, tensor<40000x2xui8>) -> tensor<3x2xi32>
  return %p, %q, %r : tensor<3x2xi32>, tensor<3x2xi32>, tensor<3x2xi32>
}
