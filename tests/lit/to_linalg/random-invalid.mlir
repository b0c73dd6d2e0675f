// RUN: omb-opt %s -split-input-file --omb-to-linalg -verify-diagnostics

func.func @order() -> tensor<2xf32> {
  // expected-error @+1 {{can't be lowered to linalg: 'high' is less than 'low'}}
  %0 = onnx.RandomUniform() {low = 1.0 : f32, high = 0.5 : f32, shape = array<i64: 2>} : () -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @endless() -> tensor<2xf32> {
  // expected-error @+1 {{can't be lowered to linalg: 'low' or 'high' is not finite}}
  %0 = onnx.RandomUniform() {high = 0x7F800000 : f32, shape = array<i64: 2>} : () -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @ratio(%x: tensor<2xf32>, %ratio: tensor<2xf32>, %mode: tensor<i1>) -> tensor<2xf32> {
  // expected-error @+1 {{can't be lowered to linalg: 'ratio' or 'training_mode' is not one element}}
  %0 = onnx.Dropout(%x, %ratio, %mode) : (tensor<2xf32>, tensor<2xf32>, tensor<i1>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
