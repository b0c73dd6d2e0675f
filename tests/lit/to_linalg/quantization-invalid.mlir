// RUN: omb-opt %s -split-input-file --omb-to-linalg -verify-diagnostics

func.func @scale_rank(%x: tensor<2x3xi8>, %s: tensor<*xf32>) -> tensor<2x3xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the rank of a scale or zero point isn't known}}
  %y = onnx.DequantizeLinear(%x, %s) : (tensor<2x3xi8>, tensor<*xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

func.func @precision(%x: tensor<2x3xf32>, %s: tensor<f32>) -> tensor<2x3xui8> {
  // expected-error @+1 {{can't be lowered to linalg: the precision is neither float, float16 nor bfloat16}}
  %y = onnx.QuantizeLinear(%x, %s) {precision = 2 : i64} : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xui8>
  return %y : tensor<2x3xui8>
}
