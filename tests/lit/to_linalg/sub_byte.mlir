// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// Elements of less than a byte are i8.

// CHECK-LABEL: func.func @types
// CHECK-SAME: (%{{.*}}: tensor<?xi8>, %{{.*}}: tensor<2xi8>, %{{.*}}: tensor<i8>, %{{.*}}: tensor<3xi8>, %{{.*}}: tensor<3xi1>)
// CHECK-SAME: -> (tensor<?xi8>, tensor<2xi8>, tensor<i8>, tensor<3xi8>, tensor<3xi1>)
func.func @types(%a: tensor<?xi4>, %b: tensor<2xui2>, %c: tensor<f4E2M1FN>, %d: tensor<3xf6E3M2FN>, %e: tensor<3xi1>)
    -> (tensor<?xi4>, tensor<2xui2>, tensor<f4E2M1FN>, tensor<3xf6E3M2FN>, tensor<3xi1>) {
  return %a, %b, %c, %d, %e : tensor<?xi4>, tensor<2xui2>, tensor<f4E2M1FN>, tensor<3xf6E3M2FN>, tensor<3xi1>
}

// -----

// Values are sign- or zero-extended, codes zero-extended.

// CHECK-LABEL: func.func @constants
// CHECK-DAG: arith.constant dense<[-8, -1, 7]> : tensor<3xi8>
// CHECK-DAG: arith.constant dense<[8, 15, 7]> : tensor<3xi8>
// CHECK-DAG: arith.constant dense<-2> : tensor<4xi8>
// CHECK-DAG: arith.constant dense<[2, 12, 7]> : tensor<3xi8>
// CHECK-DAG: arith.constant dense<> : tensor<0xi8>
func.func @constants() -> (tensor<3xi4>, tensor<3xui4>, tensor<4xi2>, tensor<3xf4E2M1FN>, tensor<0xi4>) {
  %0 = onnx.Constant() {value = dense<[-8, -1, 7]> : tensor<3xi4>} : () -> tensor<3xi4>
  %1 = onnx.Constant() {value = dense<[8, 15, 7]> : tensor<3xui4>} : () -> tensor<3xui4>
  %2 = onnx.Constant() {value = dense<-2> : tensor<4xi2>} : () -> tensor<4xi2>
  %3 = onnx.Constant() {value = dense<[1.0, -2.0, 6.0]> : tensor<3xf4E2M1FN>} : () -> tensor<3xf4E2M1FN>
  %4 = onnx.Constant() {value = dense<> : tensor<0xi4>} : () -> tensor<0xi4>
  return %0, %1, %2, %3, %4 : tensor<3xi4>, tensor<3xui4>, tensor<4xi2>, tensor<3xf4E2M1FN>, tensor<0xi4>
}

// -----

// Of resources both forms: one element a byte, and as many as fit.

// CHECK-LABEL: func.func @resources
// CHECK-DAG: dense_resource<[[BYTES:.*]]> : tensor<3xi8>
// CHECK-DAG: dense_resource<[[FOURS:.*]]> : tensor<3xi8>
// CHECK-DAG: dense_resource<[[TWOS:.*]]> : tensor<5xi8>
// CHECK-DAG: [[BYTES]]: "0x40000000080F07"
// CHECK-DAG: [[FOURS]]: "0x40000000F8FF07"
// CHECK-DAG: [[TWOS]]: "0x4000000001FE00FFFF"
func.func @resources() -> (tensor<3xui4>, tensor<3xi4>, tensor<5xi2>) {
  %0 = onnx.Constant() {value = dense_resource<bytes> : tensor<3xui4>} : () -> tensor<3xui4>
  %1 = onnx.Constant() {value = dense_resource<fours> : tensor<3xi4>} : () -> tensor<3xi4>
  %2 = onnx.Constant() {value = dense_resource<twos> : tensor<5xi2>} : () -> tensor<5xi2>
  return %0, %1, %2 : tensor<3xui4>, tensor<3xi4>, tensor<5xi2>
}

{-#
  dialect_resources: {
    builtin: {
      bytes: "0x01000000F80F07",
      fours: "0x01000000F807",
      twos: "0x01000000C903"
    }
  }
#-}

// -----

// CHECK-LABEL: func.func @fill
// CHECK: linalg.fill ins(%{{.*}} : i8)
func.func @fill(%s: tensor<1xi64>) -> tensor<?xi4> {
  %0 = onnx.ConstantOfShape(%s) {value = dense<-3> : tensor<1xi4>} : (tensor<1xi64>) -> tensor<?xi4>
  return %0 : tensor<?xi4>
}

// -----

// Higher bits are discarded.

// CHECK-LABEL: func.func @to_i4
// CHECK: %[[X:.*]] = arith.trunci %{{.*}} : i32 to i8
// CHECK: %[[H:.*]] = arith.shli %[[X]], %c4_i8
// CHECK: arith.shrsi %[[H]], %c4_i8
func.func @to_i4(%x: tensor<3xi32>) -> tensor<3xi4> {
  %0 = onnx.Cast(%x) {to = 22} : (tensor<3xi32>) -> tensor<3xi4>
  return %0 : tensor<3xi4>
}

// -----

// CHECK-LABEL: func.func @to_ui2
// CHECK: arith.andi %{{.*}}, %c3_i8 : i8
func.func @to_ui2(%x: tensor<3xi4>) -> tensor<3xui2> {
  %0 = onnx.Cast(%x) {to = 25} : (tensor<3xi4>) -> tensor<3xui2>
  return %0 : tensor<3xui2>
}

// -----

// The code of a float isn't a number.

// CHECK-LABEL: func.func @from_f4
// CHECK: ^{{.*}}(%[[X:.*]]: i8, %{{.*}}: f32):
// CHECK: arith.extui %[[X]] : i8 to i32
// CHECK-NOT: arith.uitofp %[[X]]
func.func @from_f4(%x: tensor<3xf4E2M1FN>) -> tensor<3xf32> {
  %0 = onnx.Cast(%x) {to = 1} : (tensor<3xf4E2M1FN>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// CHECK-LABEL: func.func @bits
// CHECK: arith.andi %{{.*}}, %c15_i8 : i8
func.func @bits(%x: tensor<3xi4>) -> tensor<3xf4E2M1FN> {
  %0 = onnx.BitCast(%x) {to = 23} : (tensor<3xi4>) -> tensor<3xf4E2M1FN>
  return %0 : tensor<3xf4E2M1FN>
}

// -----

// Moved as any other element.

// CHECK-LABEL: func.func @moved
// CHECK: linalg.transpose ins(%{{.*}} : tensor<2x3xi8>)
// CHECK: tensor.collapse_shape
func.func @moved(%x: tensor<2x3xf4E2M1FN>) -> tensor<6xf4E2M1FN> {
  %0 = onnx.Transpose(%x) {perm = array<i64: 1, 0>} : (tensor<2x3xf4E2M1FN>) -> tensor<3x2xf4E2M1FN>
  %s = onnx.Constant() {value_ints = array<i64: 6>} : () -> tensor<1xi64>
  %1 = onnx.Reshape(%0, %s) : (tensor<3x2xf4E2M1FN>, tensor<1xi64>) -> tensor<6xf4E2M1FN>
  return %1 : tensor<6xf4E2M1FN>
}
