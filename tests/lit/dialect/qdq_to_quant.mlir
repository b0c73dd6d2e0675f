// RUN: omb-opt %s -split-input-file --onnx-qdq-to-quant | FileCheck %s
// RUN: omb-opt %s -split-input-file --onnx-qdq-to-quant --onnx-quant-to-qdq | FileCheck %s --check-prefix=BACK

// What is computed between casts is an op on quantized tensors; a limit to a
// range comes after rounding.

// CHECK-LABEL: func.func @conv
// CHECK: %[[X:.*]] = onnx.QuantizeCast %arg0 : tensor<1x3x?x8xf32> to tensor<1x3x?x8x[[U8:!quant.uniform<u8:f32, 5.000000e-01:128>]]>
// CHECK: %[[W:.*]] = onnx.StorageCast %{{.*}} : tensor<2x3x1x1xi8> to tensor<2x3x1x1x!quant.uniform<i8:f32:0, {1.250000e-01,2.500000e-01}>>
// CHECK: %[[B:.*]] = onnx.StorageCast %arg1 : tensor<2xi32> to tensor<2x!quant.uniform<i32:f32:0, {6.250000e-02,1.250000e-01}>>
// CHECK: %[[Y:.*]] = onnx.Conv(%[[X]], %[[W]], %[[B]]) {{.*}} -> tensor<1x2x?x8x[[U8]]>
// CHECK: %[[R:.*]] = onnx.Relu(%[[Y]]) : {{.*}} -> tensor<1x2x?x8x[[U8]]>
// CHECK: onnx.StorageCast %[[R]] : {{.*}} to tensor<1x2x?x8xui8>
// CHECK-NOT: onnx

// BACK-LABEL: func.func @conv
// BACK-NOT: !quant
// BACK-DAG: onnx.Conv({{.*}} -> tensor<1x2x?x8xf32>
// BACK-DAG: onnx.Max({{.*}} -> tensor<1x2x?x8xui8>
// BACK-NOT: !quant
// BACK: return
func.func @conv(%x: tensor<1x3x?x8xf32>, %b: tensor<2xi32>) -> tensor<1x2x?x8xui8> {
  %s = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = onnx.Constant() {value = dense<128> : tensor<ui8>} : () -> tensor<ui8>
  %ws = onnx.Constant() {value = dense<[0.125, 0.25]> : tensor<2xf32>} : () -> tensor<2xf32>
  %bs = onnx.Constant() {value = dense<[0.0625, 0.125]> : tensor<2xf32>} : () -> tensor<2xf32>
  %w = onnx.Constant() {value = dense<3> : tensor<2x3x1x1xi8>} : () -> tensor<2x3x1x1xi8>
  %q = onnx.QuantizeLinear(%x, %s, %z) : (tensor<1x3x?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x3x?x8xui8>
  %d = onnx.DequantizeLinear(%q, %s, %z) : (tensor<1x3x?x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x3x?x8xf32>
  %wd = onnx.DequantizeLinear(%w, %ws) {axis = 0 : i64} : (tensor<2x3x1x1xi8>, tensor<2xf32>) -> tensor<2x3x1x1xf32>
  %bd = onnx.DequantizeLinear(%b, %bs) {axis = 0 : i64} : (tensor<2xi32>, tensor<2xf32>) -> tensor<2xf32>
  %c = onnx.Conv(%d, %wd, %bd) : (tensor<1x3x?x8xf32>, tensor<2x3x1x1xf32>, tensor<2xf32>) -> tensor<1x2x?x8xf32>
  %r = onnx.Relu(%c) : (tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  %y = onnx.QuantizeLinear(%r, %s, %z) : (tensor<1x2x?x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x2x?x8xui8>
  return %y : tensor<1x2x?x8xui8>
}

// -----

// The way there and back is where it started.

// CHECK-LABEL: func.func @round_trip
// CHECK: %[[Q:.*]] = onnx.QuantizeCast %arg0 : tensor<6x4xf32> to tensor<6x4x!quant.uniform<i4:f32:{0:3, 1:1}, {{.*}}>>
// CHECK: onnx.DequantizeCast %[[Q]]

// BACK-LABEL: func.func @round_trip
// BACK-DAG: %[[S:.*]] = onnx.Constant() {value = dense<{{.*}}> : tensor<2x4xf32>}
// BACK-DAG: %[[Z:.*]] = onnx.Constant() {value = dense<1> : tensor<2x4xi4>}
// BACK: %[[Q:.*]] = onnx.QuantizeLinear(%arg0, %[[S]], %[[Z]]) {axis = 0 : i64, block_size = 3 : i64, {{.*}} -> tensor<6x4xi4>
// BACK-NEXT: %[[D:.*]] = onnx.DequantizeLinear(%[[Q]], %[[S]], %[[Z]]) {axis = 0 : i64, block_size = 3 : i64,
// BACK-NEXT: return %[[D]]
func.func @round_trip(%x: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %s = onnx.Constant() {value = dense<[[0.5, 0.25, 0.5, 0.25], [1.0, 2.0, 3.0, 4.0]]> : tensor<2x4xf32>} : () -> tensor<2x4xf32>
  %z = onnx.Constant() {value = dense<1> : tensor<2x4xi4>} : () -> tensor<2x4xi4>
  %q = onnx.QuantizeLinear(%x, %s, %z) {axis = 0 : i64, block_size = 3 : i64} : (tensor<6x4xf32>, tensor<2x4xf32>, tensor<2x4xi4>) -> tensor<6x4xi4>
  %d = onnx.DequantizeLinear(%q, %s, %z) {axis = 0 : i64, block_size = 3 : i64} : (tensor<6x4xi4>, tensor<2x4xf32>, tensor<2x4xi4>) -> tensor<6x4xf32>
  return %d : tensor<6x4xf32>
}

// -----

// What moves elements moves bytes, with the axis of their scales. What is
// quantized again to the same type stays as it is.

// CHECK-LABEL: func.func @moved
// CHECK: %[[Q:.*]] = onnx.StorageCast %arg0 : tensor<2x3xi8> to tensor<2x3x!quant.uniform<i8:f32:0, {5.000000e-01,2.500000e-01}>>
// CHECK: %[[T:.*]] = onnx.Transpose(%[[Q]]) {{.*}} -> tensor<3x2x!quant.uniform<i8:f32:1, {5.000000e-01,2.500000e-01}>>
// CHECK: onnx.DequantizeCast %[[T]]
// CHECK: %[[P:.*]] = onnx.StorageCast %arg1 : tensor<1x4xui8> to tensor<1x4x[[U8:.*]]>
// CHECK: %[[D:.*]] = onnx.Pad(%[[P]], %{{[^,]*}}) {mode = "constant"} : (tensor<1x4x[[U8]]>, tensor<4xi64>) -> tensor<1x6x[[U8]]>
// CHECK: onnx.StorageCast %[[D]] : tensor<1x6x[[U8]]> to tensor<1x6xui8>
// CHECK-NOT: onnx.QuantizeCast

// BACK-LABEL: func.func @moved
// BACK: %[[Z:.*]] = onnx.Constant() {value = dense<7> : tensor<ui8>}
// BACK: onnx.Pad(%arg1, %{{.*}}, %[[Z]]) {mode = "constant"} : (tensor<1x4xui8>, tensor<4xi64>, tensor<ui8>) -> tensor<1x6xui8>
func.func @moved(%x: tensor<2x3xi8>, %p: tensor<1x4xui8>) -> (tensor<3x2xf32>, tensor<1x6xui8>) {
  %s = onnx.Constant() {value = dense<[0.5, 0.25]> : tensor<2xf32>} : () -> tensor<2xf32>
  %d = onnx.DequantizeLinear(%x, %s) {axis = 0 : i64} : (tensor<2x3xi8>, tensor<2xf32>) -> tensor<2x3xf32>
  %t = onnx.Transpose(%d) {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %s1 = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z1 = onnx.Constant() {value = dense<7> : tensor<ui8>} : () -> tensor<ui8>
  %pads = onnx.Constant() {value = dense<[0, 1, 0, 1]> : tensor<4xi64>} : () -> tensor<4xi64>
  %e = onnx.DequantizeLinear(%p, %s1, %z1) : (tensor<1x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x4xf32>
  %f = onnx.Pad(%e, %pads) : (tensor<1x4xf32>, tensor<4xi64>) -> tensor<1x6xf32>
  %y = onnx.QuantizeLinear(%f, %s1, %z1) : (tensor<1x6xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x6xui8>
  return %t, %y : tensor<3x2xf32>, tensor<1x6xui8>
}

// -----

// CHECK-LABEL: func.func @operators
// CHECK: onnx.MatMul({{.*}} -> tensor<2x3x!quant.uniform<u8:f32, 1.000000e+00:3>>
// BACK-LABEL: func.func @operators
// BACK: onnx.MatMul({{.*}} -> tensor<2x3xf32>
func.func @operators(%a: tensor<2x4xui8>, %b: tensor<4x3xi8>) -> tensor<2x3xui8> {
  %sa = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %za = onnx.Constant() {value = dense<128> : tensor<ui8>} : () -> tensor<ui8>
  %sb = onnx.Constant() {value = dense<[0.5, 0.25, 0.125]> : tensor<3xf32>} : () -> tensor<3xf32>
  %zb = onnx.Constant() {value = dense<0> : tensor<3xi8>} : () -> tensor<3xi8>
  %sy = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %zy = onnx.Constant() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %y = onnx.QLinearMatMul(%a, %sa, %za, %b, %sb, %zb, %sy, %zy) : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>, tensor<4x3xi8>, tensor<3xf32>, tensor<3xi8>, tensor<f32>, tensor<ui8>) -> tensor<2x3xui8>
  return %y : tensor<2x3xui8>
}

// -----

// Computed parameters, products of other precision, negative scales, and f8
// aren't types.

// CHECK-LABEL: func.func @left_alone
// CHECK-NOT: !quant
// CHECK: return
func.func @left_alone(%x: tensor<4xf32>, %s: tensor<f32>, %z: tensor<ui8>, %h: tensor<4xf16>) -> (tensor<4xui8>, tensor<4xui8>, tensor<4xui8>, tensor<4xf8E4M3FN>) {
  %a = onnx.QuantizeLinear(%x, %s, %z) : (tensor<4xf32>, tensor<f32>, tensor<ui8>) -> tensor<4xui8>
  %c = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %b = onnx.QuantizeLinear(%h, %c) : (tensor<4xf16>, tensor<f32>) -> tensor<4xui8>
  %n = onnx.Constant() {value = dense<-0.5> : tensor<f32>} : () -> tensor<f32>
  %d = onnx.QuantizeLinear(%x, %n) : (tensor<4xf32>, tensor<f32>) -> tensor<4xui8>
  %e = onnx.QuantizeLinear(%x, %c) {output_dtype = 17 : i64} : (tensor<4xf32>, tensor<f32>) -> tensor<4xf8E4M3FN>
  return %a, %b, %d, %e : tensor<4xui8>, tensor<4xui8>, tensor<4xui8>, tensor<4xf8E4M3FN>
}

// -----

// Rounding is kept: two types of which one isn't the other.

// CHECK-LABEL: func.func @requantized
// CHECK: %[[A:.*]] = onnx.QuantizeCast %arg0 : {{.*}} to tensor<4x!quant.uniform<u8:f32, 5.000000e-01>>
// CHECK: %[[D:.*]] = onnx.DequantizeCast %[[A]]
// CHECK: onnx.QuantizeCast %[[D]] : {{.*}} to tensor<4x!quant.uniform<u8:f32, 2.500000e-01>>
func.func @requantized(%x: tensor<4xf32>) -> tensor<4xui8> {
  %s = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %t = onnx.Constant() {value = dense<0.25> : tensor<f32>} : () -> tensor<f32>
  %a = onnx.QuantizeLinear(%x, %s) : (tensor<4xf32>, tensor<f32>) -> tensor<4xui8>
  %d = onnx.DequantizeLinear(%a, %s) : (tensor<4xui8>, tensor<f32>) -> tensor<4xf32>
  %b = onnx.QuantizeLinear(%d, %t) : (tensor<4xf32>, tensor<f32>) -> tensor<4xui8>
  return %b : tensor<4xui8>
}
