// RUN: omb-opt %s -split-input-file -verify-diagnostics

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>
func.func @result_of_another_op(%x: tensor<4x3xf32>) -> tensor<4x3xf32, #COO> {
  // expected-error @+1 {{can't be sparse: only a constant of 'sparse_value' is sparse}}
  %0 = onnx.Relu(%x) : (tensor<4x3xf32>) -> tensor<4x3xf32, #COO>
  return %0 : tensor<4x3xf32, #COO>
}

// -----

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>
func.func @dense_value() -> tensor<2x1xf32, #COO> {
  // expected-error @+1 {{can't be sparse: only a constant of 'sparse_value' is sparse}}
  %0 = onnx.Constant() {value = dense<1.0> : tensor<2x1xf32>} : () -> tensor<2x1xf32, #COO>
  return %0 : tensor<2x1xf32, #COO>
}

// -----

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>
func.func @value_of_another_type() -> tensor<2x1xf32, #COO> {
  // expected-error @+1 {{can't be sparse: its value has another type}}
  %0 = onnx.Constant() {sparse_value = sparse<[[0, 0]], [1.0]> : tensor<2x1xf32>} : () -> tensor<2x1xf32, #COO>
  return %0 : tensor<2x1xf32, #COO>
}

// -----

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>
func.func @type_of_another_form() -> tensor<2x1xf32> {
  // expected-error @+1 {{can't be sparse: its value has another type}}
  %0 = onnx.Constant() {sparse_value = sparse<[[0, 0]], [1.0]> : tensor<2x1xf32, #COO>} : () -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}

// -----

#VECTOR = #sparse_tensor.encoding<{ map = (i) -> (i : compressed) }>
func.func @strings() -> tensor<2x!onnx.string, #VECTOR> {
  // expected-error @+1 {{can't be sparse: strings aren't sparse}}
  %0 = onnx.Constant() {sparse_value = sparse<[[0]], ["a"]> : tensor<2x!onnx.string, #VECTOR>} : () -> tensor<2x!onnx.string, #VECTOR>
  return %0 : tensor<2x!onnx.string, #VECTOR>
}

// -----

#CSC = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>
func.func @integers_of_another_width() -> tensor<2x1x!quant.uniform<i8:f32, 0.5>, #CSC> {
  // expected-error @+1 {{can't be sparse: its value has another type}}
  %0 = onnx.Constant() {sparse_value = sparse<[[0, 0]], [1]> : tensor<2x1xi16, #CSC>} : () -> tensor<2x1x!quant.uniform<i8:f32, 0.5>, #CSC>
  return %0 : tensor<2x1x!quant.uniform<i8:f32, 0.5>, #CSC>
}

// -----

#CSC = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>
func.func @too_few_scales() -> tensor<2x1x!quant.uniform<i8:f32:0, {0.5}>, #CSC> {
  // expected-error @+1 {{which has 1 scales along dimension 0 of size 2}}
  %0 = onnx.Constant() {sparse_value = sparse<[[0, 0]], [1]> : tensor<2x1xi8, #CSC>} : () -> tensor<2x1x!quant.uniform<i8:f32:0, {0.5}>, #CSC>
  return %0 : tensor<2x1x!quant.uniform<i8:f32:0, {0.5}>, #CSC>
}
