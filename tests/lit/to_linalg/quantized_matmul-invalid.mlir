// RUN: omb-opt %s -split-input-file --convert-onnx-to-linalg -verify-diagnostics

func.func @rank(%a: tensor<2x4xi8>, %b: tensor<*xi8>) -> tensor<*xi32> {
  // expected-error @+1 {{can't be lowered to linalg: an operand's rank isn't known}}
  %y = onnx.MatMulInteger(%a, %b) : (tensor<2x4xi8>, tensor<*xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// -----

func.func @parameter_rank(%a: tensor<2x4xi8>, %b: tensor<4x3xi8>, %z: tensor<*xi8>) -> tensor<2x3xi32> {
  // expected-error @+1 {{can't be lowered to linalg: the rank of a scale or zero point isn't known}}
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<2x4xi8>, tensor<4x3xi8>, tensor<*xi8>) -> tensor<2x3xi32>
  return %y : tensor<2x3xi32>
}

// -----

func.func @parameter_size(%a: tensor<2x4xi8>, %b: tensor<4x3xi8>, %z: tensor<4xi8>) -> tensor<2x3xi32> {
  // expected-error @+1 {{can't be lowered to linalg: a scale or zero point doesn't have the size of its tensor}}
  %y = onnx.MatMulInteger(%a, %b, %z) : (tensor<2x4xi8>, tensor<4x3xi8>, tensor<4xi8>) -> tensor<2x3xi32>
  return %y : tensor<2x3xi32>
}

// -----

func.func @parameter_dims(%x: tensor<1x3x5x5xi8>, %w: tensor<2x3x3x3xi8>, %z: tensor<1x1xi8>) -> tensor<1x2x3x3xi32> {
  // expected-error @+1 {{can't be lowered to linalg: a scale or zero point has too many dimensions}}
  %y = onnx.ConvInteger(%x, %w, %z) : (tensor<1x3x5x5xi8>, tensor<2x3x3x3xi8>, tensor<1x1xi8>) -> tensor<1x2x3x3xi32>
  return %y : tensor<1x2x3x3xi32>
}
