// RUN: omb-opt %s -split-input-file --omb-to-linalg -verify-diagnostics

func.func @function(%x: tensor<5x3x4xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the activation function 'Cosine' is unknown}}
  %y = onnx.RNN(%x, %w, %r) {activations = ["Cosine"]} : (tensor<5x3x4xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @functions(%x: tensor<5x3x4xf32>, %w: tensor<1x24x4xf32>, %r: tensor<1x24x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: it has 1 activation functions instead of 2}}
  %y = onnx.GRU(%x, %w, %r) {activations = ["Tanh"]} : (tensor<5x3x4xf32>, tensor<1x24x4xf32>, tensor<1x24x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @rank(%x: tensor<*xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: an operand has an unknown or a wrong rank}}
  %y = onnx.RNN(%x, %w, %r) : (tensor<*xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}
