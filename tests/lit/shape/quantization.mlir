// RUN: omb-opt %s -split-input-file --onnx-infer-shapes -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @per_axis
// CHECK: onnx.QuantizeLinear({{.*}} -> tensor<?x3xui8, #onnx.dims<"n", ?>>
func.func @per_axis(%x: tensor<?x3xf32, #onnx.dims<"n", ?>>, %s: tensor<3xf32>, %z: tensor<3xui8>) -> tensor<*xui8> {
  %y = onnx.QuantizeLinear(%x, %s, %z) : (tensor<?x3xf32, #onnx.dims<"n", ?>>, tensor<3xf32>, tensor<3xui8>) -> tensor<*xui8>
  return %y : tensor<*xui8>
}

// -----

func.func @axis_size(%x: tensor<2x3xi8>, %s: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a scale of 4 elements along dimension 1 of the input, but 3 are needed}}
  %y = onnx.DequantizeLinear(%x, %s) : (tensor<2x3xi8>, tensor<4xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @axis_range(%x: tensor<2x3xi8>, %s: tensor<3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has axis 2, which is out of range for rank 2}}
  %y = onnx.DequantizeLinear(%x, %s) {axis = 2 : i64} : (tensor<2x3xi8>, tensor<3xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @block_count(%x: tensor<2x5xi8>, %s: tensor<2x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a scale of 2 elements along dimension 1 of the input, but 3 are needed}}
  %y = onnx.DequantizeLinear(%x, %s) {block_size = 2 : i64} : (tensor<2x5xi8>, tensor<2x2xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @block_rank(%x: tensor<2x5xi8>, %s: tensor<3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a scale of rank 1, but it takes rank 2 for blocks}}
  %y = onnx.DequantizeLinear(%x, %s) {block_size = 2 : i64} : (tensor<2x5xi8>, tensor<3xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @block_size(%x: tensor<2x5xi8>, %s: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has the block_size -2}}
  %y = onnx.DequantizeLinear(%x, %s) {block_size = -2 : i64} : (tensor<2x5xi8>, tensor<2x3xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}
