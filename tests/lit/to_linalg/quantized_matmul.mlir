// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// Signed bytes without zero points are multiplied as they are.

// CHECK-LABEL: func.func @plain
// CHECK-SAME: %[[A:.*]]: tensor<?x4xi8>, %[[B:.*]]: tensor<4x3xi8>
// CHECK: %[[P:.*]] = linalg.matmul ins(%[[A]], %[[B]] : tensor<?x4xi8>, tensor<4x3xi8>) outs(%{{.*}} : tensor<?x3xi32>)
// CHECK-NEXT: return %[[P]]
func.func @plain(%a: tensor<?x4xi8>, %b: tensor<4x3xi8>) -> tensor<?x3xi32> {
  %y = onnx.MatMulInteger(%a, %b) : (tensor<?x4xi8>, tensor<4x3xi8>) -> tensor<?x3xi32>
  return %y : tensor<?x3xi32>
}

// Unsigned bytes with the zero point 128 are signed bytes without one.

// CHECK-LABEL: func.func @middle
// CHECK: arith.addi %{{.*}}, %c-128_i8
// CHECK: %[[P:.*]] = linalg.matmul
// CHECK-NEXT: return %[[P]]
func.func @middle(%a: tensor<2x4xui8>, %b: tensor<4x3xi8>) -> tensor<2x3xi32> {
  %z = onnx.Constant() {value = dense<128> : tensor<ui8>} : () -> tensor<ui8>
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<2x4xui8>, tensor<4x3xi8>, tensor<ui8>) -> tensor<2x3xi32>
  return %y : tensor<2x3xi32>
}

// A zero point for each row changes the product by sums of columns.

// CHECK-LABEL: func.func @rows
// CHECK-SAME: %[[A:.*]]: tensor<2x4xi8>, %[[B:.*]]: tensor<4x3xi8>, %[[Z:.*]]: tensor<2xi8>
// CHECK-DAG: linalg.matmul ins(%[[A]], %[[B]]
// CHECK-DAG: linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]} ins(%[[B]] :
// CHECK: linalg.generic
// CHECK: arith.muli
// CHECK: arith.subi
// CHECK-NOT: arith.muli
// CHECK: return
func.func @rows(%a: tensor<2x4xi8>, %b: tensor<4x3xi8>, %z: tensor<2xi8>) -> tensor<2x3xi32> {
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<2x4xi8>, tensor<4x3xi8>, tensor<2xi8>) -> tensor<2x3xi32>
  return %y : tensor<2x3xi32>
}

// What the types leave open is decided at run time.

// CHECK-LABEL: func.func @uncertain
// CHECK: linalg.matmul ins(%arg0, %arg1 :
// CHECK: cf.assert %{{.*}}, "a scale or zero point doesn't have the size of its tensor"
func.func @uncertain(%a: tensor<?x4xi8>, %b: tensor<4x3xi8>, %z: tensor<?xi8>) -> tensor<?x3xi32> {
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<?x4xi8>, tensor<4x3xi8>, tensor<?xi8>) -> tensor<?x3xi32>
  return %y : tensor<?x3xi32>
}

// CHECK-LABEL: func.func @requantize
// CHECK: linalg.matmul ins(%{{.*}} : tensor<2x4xi8>, tensor<4x3xi8>) outs(%{{.*}} : tensor<2x3xi32>)
// CHECK: arith.mulf
// CHECK: arith.divf
// CHECK: arith.sitofp %{{.*}} : i32 to f64
// CHECK: math.roundeven
// CHECK: return %{{.*}} : tensor<2x3xi8>
func.func @requantize(%a: tensor<2x4xi8>, %sa: tensor<f32>, %za: tensor<i8>, %b: tensor<4x3xi8>, %sb: tensor<3xf32>, %zb: tensor<3xi8>, %sy: tensor<f32>, %zy: tensor<ui8>) -> tensor<2x3xui8> {
  %y = onnx.QLinearMatMul(%a, %sa, %za, %b, %sb, %zb, %sy, %zy) : (tensor<2x4xi8>, tensor<f32>, tensor<i8>, tensor<4x3xi8>, tensor<3xf32>, tensor<3xi8>, tensor<f32>, tensor<ui8>) -> tensor<2x3xui8>
  return %y : tensor<2x3xui8>
}

// f8 is multiplied as f32.

// CHECK-LABEL: func.func @f8
// CHECK: linalg.matmul ins(%{{.*}} : tensor<2x4xf32>, tensor<4x3xf32>) outs(%{{.*}} : tensor<2x3xf32>)
func.func @f8(%a: tensor<2x4xf8E5M2>, %s: tensor<f16>, %za: tensor<f8E5M2>, %b: tensor<4x3xi8>, %zb: tensor<i8>) -> tensor<2x3xi8> {
  %y = onnx.QLinearMatMul(%a, %s, %za, %b, %s, %zb, %s, %zb) : (tensor<2x4xf8E5M2>, tensor<f16>, tensor<f8E5M2>, tensor<4x3xi8>, tensor<f16>, tensor<i8>, tensor<f16>, tensor<i8>) -> tensor<2x3xi8>
  return %y : tensor<2x3xi8>
}
