// RUN: omb-opt %s --omb-to-linalg --split-input-file --verify-diagnostics

func.func @rank(%a: tensor<*xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the result's rank or its element type is unknown to linalg}}
  %0 = onnx.Abs(%a) : (tensor<*xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @strings(%a: tensor<4x!onnx.string>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: strings can't be converted}}
  %0 = onnx.Cast(%a) {to = 1} : (tensor<4x!onnx.string>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
