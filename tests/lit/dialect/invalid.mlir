// RUN: omb-opt %s -split-input-file -verify-diagnostics

func.func @type_not_allowed(%x: tensor<4xi32>) -> tensor<4xi32> {
  // expected-error @+1 {{operand #0 must be T, one of tensor(float16), tensor(bfloat16), tensor(float), tensor(double), but got 'tensor<4xi32>'}}
  %0 = onnx.Sqrt(%x) : (tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

func.func @type_variable_differs(%x: tensor<4xf32>, %y: tensor<4xf64>) -> tensor<4xf32> {
  // expected-error @+1 {{type constraint T is one type, but A has 'tensor<*xf32>' and B has 'tensor<*xf64>'}}
  %0 = onnx.Add(%x, %y) : (tensor<4xf32>, tensor<4xf64>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @operand_missing(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expected the operand 'B'}}
  %0 = onnx.Add(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @too_many_operands(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expected at most 1 operands, but got 2}}
  %0 = onnx.Abs(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @attribute_type(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{attribute 'axis' failed to satisfy constraint: 64-bit integer attribute}}
  %0 = onnx.Softmax(%x) {axis = "last"} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error @+1 {{#onnx.dims names 2 dimensions, but the tensor has 1}}
func.func @dims_rank(%x: tensor<?xf32, #onnx.dims<"a", "b">>) {
  return
}
