// RUN: omb-opt %s -split-input-file --onnx-infer-shapes -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @matrices
// CHECK: onnx.MatMulInteger({{.*}} -> tensor<?x2x3xi32, #onnx.dims<"n", ?, ?>>
func.func @matrices(%a: tensor<?x2x4xui8, #onnx.dims<"n", ?, ?>>, %b: tensor<4x3xi8>, %z: tensor<2xui8>) -> tensor<*xi32> {
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<?x2x4xui8, #onnx.dims<"n", ?, ?>>, tensor<4x3xi8>, tensor<2xui8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

// CHECK-LABEL: func.func @vector
// CHECK: onnx.QLinearMatMul({{.*}} -> tensor<3xi8>
func.func @vector(%a: tensor<4xi8>, %s: tensor<f32>, %z: tensor<i8>, %b: tensor<4x3xi8>, %sb: tensor<1x3xf32>, %zb: tensor<1x3xi8>) -> tensor<*xi8> {
  %y = onnx.QLinearMatMul(%a, %s, %z, %b, %sb, %zb, %s, %z) : (tensor<4xi8>, tensor<f32>, tensor<i8>, tensor<4x3xi8>, tensor<1x3xf32>, tensor<1x3xi8>, tensor<f32>, tensor<i8>) -> tensor<*xi8>
  return %y : tensor<*xi8>
}

// -----

// CHECK-LABEL: func.func @convolution
// CHECK: onnx.ConvInteger({{.*}} -> tensor<?x2x5x5xi32, #onnx.dims<"n", ?, ?, ?>>
func.func @convolution(%x: tensor<?x3x5x5xui8, #onnx.dims<"n", ?, ?, ?>>, %w: tensor<2x3x3x3xi8>) -> tensor<*xi32> {
  %y = onnx.ConvInteger(%x, %w) {pads = array<i64: 1, 1, 1, 1>} : (tensor<?x3x5x5xui8, #onnx.dims<"n", ?, ?, ?>>, tensor<2x3x3x3xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

func.func @inner(%a: tensor<2x4xi8>, %b: tensor<5x3xi8>) -> tensor<*xi32> {
  // expected-error @+1 {{can't multiply rows of 4 elements by columns of 5}}
  %y = onnx.MatMulInteger(%a, %b) : (tensor<2x4xi8>, tensor<5x3xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

func.func @rows(%a: tensor<2x4xi8>, %b: tensor<4x3xi8>, %z: tensor<4xi8>) -> tensor<*xi32> {
  // expected-error @+1 {{has a zero point of A of 4 elements, but 2 are needed}}
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<2x4xi8>, tensor<4x3xi8>, tensor<4xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

func.func @inner_parameter(%a: tensor<2x4xi8>, %b: tensor<4x3xi8>, %z: tensor<4x1xi8>) -> tensor<*xi32> {
  // expected-error @+1 {{has a zero point of B of 4 elements where only one fits}}
  %y = onnx.MatMulInteger(%a, %b, none, %z) : (tensor<2x4xi8>, tensor<4x3xi8>, tensor<4x1xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

func.func @rank(%a: tensor<2x4xi8>, %b: tensor<4x3xi8>, %z: tensor<1x2x1xi8>) -> tensor<*xi32> {
  // expected-error @+1 {{has a zero point of A of rank 3 for a tensor of rank 2}}
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<2x4xi8>, tensor<4x3xi8>, tensor<1x2x1xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

func.func @features(%x: tensor<1x3x5x5xui8>, %w: tensor<2x3x3x3xi8>, %z: tensor<3xi8>) -> tensor<*xi32> {
  // expected-error @+1 {{has a zero point of w of 3 elements, but 2 are needed}}
  %y = onnx.ConvInteger(%x, %w, none, %z) : (tensor<1x3x5x5xui8>, tensor<2x3x3x3xi8>, tensor<3xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

func.func @one_scale(%x: tensor<1x3x5x5xi8>, %s: tensor<2xf32>, %z: tensor<i8>, %w: tensor<2x3x3x3xi8>, %one: tensor<f32>) -> tensor<*xi8> {
  // expected-error @+1 {{has a scale of x of 2 elements where only one fits}}
  %y = onnx.QLinearConv(%x, %s, %z, %w, %one, %z, %one, %z) : (tensor<1x3x5x5xi8>, tensor<2xf32>, tensor<i8>, tensor<2x3x3x3xi8>, tensor<f32>, tensor<i8>, tensor<f32>, tensor<i8>) -> tensor<*xi8>
  return %y : tensor<*xi8>
}
