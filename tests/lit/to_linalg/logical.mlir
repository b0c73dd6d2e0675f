// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @unsigned_less
// CHECK: arith.cmpi ult
func.func @unsigned_less(%a: tensor<4xui8>, %b: tensor<4xui8>) -> tensor<*xi1> {
  %0 = onnx.Less(%a, %b) : (tensor<4xui8>, tensor<4xui8>) -> tensor<*xi1>
  return %0 : tensor<*xi1>
}

// -----

// Comparisons with NaN are false.
// CHECK-LABEL: func.func @greater
// CHECK: arith.cmpf olt
func.func @greater(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<*xi1> {
  %0 = onnx.Greater(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<*xi1>
  return %0 : tensor<*xi1>
}

// -----

// A shift by the width or more leaves zeros.
// CHECK-LABEL: func.func @shift
// CHECK: %[[IN:.*]] = arith.cmpi ult, %{{.*}}, %c8_i8
// CHECK: %[[S:.*]] = arith.shrui
// CHECK: arith.select %[[IN]], %[[S]], %c0_i8
func.func @shift(%a: tensor<4xui8>, %b: tensor<4xui8>) -> tensor<*xui8> {
  %0 = onnx.BitShift(%a, %b) {direction = "RIGHT"} : (tensor<4xui8>, tensor<4xui8>) -> tensor<*xui8>
  return %0 : tensor<*xui8>
}

// -----

// All three operands are broadcast.
// CHECK-LABEL: func.func @where
// CHECK: linalg.generic
// CHECK: arith.select
// CHECK: return %{{.*}} : tensor<2x3x4xf32>
func.func @where(%c: tensor<2x1x1xi1>, %a: tensor<3x1xf32>, %b: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.Where(%c, %a, %b) : (tensor<2x1x1xi1>, tensor<3x1xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
