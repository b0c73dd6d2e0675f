// RUN: omb-opt %s -split-input-file --onnx-infer-shapes -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @lstm
// CHECK: onnx.LSTM({{.*}} -> (tensor<?x2x?x8xf32, #onnx.dims<"s", ?, "b", ?>>, tensor<2x?x8xf32, #onnx.dims<?, "b", ?>>, tensor<2x?x8xf32, #onnx.dims<?, "b", ?>>)
func.func @lstm(%x: tensor<?x?x4xf32, #onnx.dims<"s", "b", ?>>, %w: tensor<2x32x4xf32>, %r: tensor<2x32x8xf32>) -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) {
  %y:3 = onnx.LSTM(%x, %w, %r) {direction = "bidirectional"} : (tensor<?x?x4xf32, #onnx.dims<"s", "b", ?>>, tensor<2x32x4xf32>, tensor<2x32x8xf32>) -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>)
  return %y#0, %y#1, %y#2 : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @batch_first
// CHECK: onnx.GRU({{.*}} -> (tensor<3x5x1x8xf32>, tensor<3x1x8xf32>)
func.func @batch_first(%x: tensor<3x5x4xf32>, %w: tensor<1x24x4xf32>, %r: tensor<*xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %y:2 = onnx.GRU(%x, %w, %r) {layout = 1 : i64} : (tensor<3x5x4xf32>, tensor<1x24x4xf32>, tensor<*xf32>) -> (tensor<*xf32>, tensor<*xf32>)
  return %y#0, %y#1 : tensor<*xf32>, tensor<*xf32>
}

// -----

func.func @direction(%x: tensor<5x3x4xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has the direction 'up'}}
  %y = onnx.RNN(%x, %w, %r) {direction = "up"} : (tensor<5x3x4xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @layout(%x: tensor<5x3x4xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has the layout 2}}
  %y = onnx.RNN(%x, %w, %r) {layout = 2 : i64} : (tensor<5x3x4xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @hidden_size(%x: tensor<5x3x4xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has R whose dimension 2 is 8, but it has to be 7}}
  %y = onnx.RNN(%x, %w, %r) {hidden_size = 7 : i64} : (tensor<5x3x4xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @rows(%x: tensor<5x3x4xf32>, %w: tensor<1x16x4xf32>, %r: tensor<1x16x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has weights of 16 rows, but 3 gates of 8 neurons}}
  %y = onnx.GRU(%x, %w, %r) : (tensor<5x3x4xf32>, tensor<1x16x4xf32>, tensor<1x16x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @batch(%x: tensor<5x3x4xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>, %l: tensor<2xi32>) -> tensor<*xf32> {
  // expected-error @+1 {{has sequence_lens whose dimension 0 is 2, but it has to be 3}}
  %y = onnx.RNN(%x, %w, %r, none, %l) : (tensor<5x3x4xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>, tensor<2xi32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @rank(%x: tensor<3x4xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has X of rank 2, but it takes rank 3}}
  %y = onnx.RNN(%x, %w, %r) : (tensor<3x4xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}
