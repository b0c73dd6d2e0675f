// RUN: omb-opt %s --split-input-file --verify-diagnostics --onnx-infer-shapes | FileCheck %s

// The parameters tell the number of channels.

// CHECK-LABEL: func.func @channels
// CHECK: onnx.InstanceNormalization{{.*}} -> tensor<?x4x?xf32
func.func @channels(%x: tensor<?x?x?xf32>, %v: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.InstanceNormalization(%x, %v, %v) : (tensor<?x?x?xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @axis(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has axis -3, which is out of range for rank 2}}
  %0 = onnx.Softmax(%x) {axis = -3 : i64} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @parameters(%x: tensor<1x3x2xf32>, %v: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has 4 elements of 'scale' for 3 channels}}
  %0 = onnx.InstanceNormalization(%x, %v, %v) : (tensor<1x3x2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @groups(%x: tensor<1x3x2xf32>, %v: tensor<3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't divide 3 channels into 2 groups}}
  %0 = onnx.GroupNormalization(%x, %v, %v) {num_groups = 2 : i64} : (tensor<1x3x2xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @scale(%x: tensor<2x3xf32>, %s: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't broadcast 'Scale' to the input: 2 is not 3}}
  %0 = onnx.LayerNormalization(%x, %s) : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @size(%x: tensor<1x3x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has size 0; it must be positive}}
  %0 = onnx.LRN(%x) {size = 0 : i64} : (tensor<1x3x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
