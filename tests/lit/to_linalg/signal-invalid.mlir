// RUN: omb-opt %s -split-input-file --omb-to-linalg -verify-diagnostics

func.func @parts(%x: tensor<2x8x?xf32>) -> tensor<2x8x2xf32> {
  // expected-error @+1 {{can't be lowered to linalg: whether the input is real or complex isn't known}}
  %0 = onnx.DFT(%x) : (tensor<2x8x?xf32>) -> tensor<2x8x2xf32>
  return %0 : tensor<2x8x2xf32>
}

// -----

func.func @step(%x: tensor<2x8x1xf32>, %step: tensor<?xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: 'frame_step' or 'frame_length' is not one number}}
  %0 = onnx.STFT(%x, %step) : (tensor<2x8x1xf32>, tensor<?xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
