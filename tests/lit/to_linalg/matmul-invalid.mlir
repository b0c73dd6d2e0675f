// RUN: omb-opt %s --omb-to-linalg --split-input-file --verify-diagnostics

func.func @matmul(%a: tensor<*xf32>, %b: tensor<5x4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: an operand's rank isn't known}}
  %0 = onnx.MatMul(%a, %b) : (tensor<*xf32>, tensor<5x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @einsum(%a: tensor<*xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: an operand's rank isn't known}}
  %0 = onnx.Einsum(%a) {equation = "...i->..."} : (tensor<*xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @det(%a: tensor<*xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the input's rank isn't known}}
  %0 = onnx.Det(%a) : (tensor<*xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
