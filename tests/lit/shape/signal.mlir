// RUN: omb-opt %s --onnx-infer-shapes --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @onesided
// CHECK: onnx.DFT({{.*}} -> tensor<?x51x2xf32, #onnx.dims<"b", ?, ?>>
func.func @onesided(%x: tensor<?x100x1xf32, #onnx.dims<"b", ?, ?>>) -> tensor<*xf32> {
  %0 = onnx.DFT(%x) {onesided = 1 : i64} : (tensor<?x100x1xf32, #onnx.dims<"b", ?, ?>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// The default length of the inverse is an even one.

// CHECK-LABEL: func.func @real_inverse
// CHECK: onnx.DFT({{.*}} -> tensor<4x20x1xf32>
func.func @real_inverse(%x: tensor<4x11x2xf32>) -> tensor<*xf32> {
  %0 = onnx.DFT(%x) {inverse = 1 : i64, onesided = 1 : i64} : (tensor<4x11x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @unknown_axis
// CHECK: onnx.DFT({{.*}} -> tensor<?x?x2xf32, #onnx.dims<{{.*}}>>
func.func @unknown_axis(%x: tensor<4x11x1xf32>, %axis: tensor<i64>) -> tensor<*xf32> {
  %0 = onnx.DFT(%x, none, %axis) : (tensor<4x11x1xf32>, tensor<i64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @frames
// CHECK: onnx.STFT({{.*}} -> tensor<2x6x9x2xf32>
func.func @frames(%x: tensor<2x42x1xf32>, %w: tensor<16xf32>) -> tensor<*xf32> {
  %step = onnx.Constant() {value_int = 5 : i64} : () -> tensor<i64>
  %0 = onnx.STFT(%x, %step, %w) : (tensor<2x42x1xf32>, tensor<i64>, tensor<16xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @mel
// CHECK: onnx.MelWeightMatrix({{.*}} -> tensor<201x80xf32>
func.func @mel(%rate: tensor<i64>, %low: tensor<f32>, %high: tensor<f32>) -> tensor<*xf32> {
  %bins = onnx.Constant() {value_int = 80 : i64} : () -> tensor<i64>
  %length = onnx.Constant() {value_int = 400 : i64} : () -> tensor<i64>
  %0 = onnx.MelWeightMatrix(%bins, %length, %rate, %low, %high) : (tensor<i64>, tensor<i64>, tensor<i64>, tensor<f32>, tensor<f32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @parts(%x: tensor<4x11x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{the last dimension must be 1 or 2, not 3}}
  %0 = onnx.DFT(%x) : (tensor<4x11x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @too_short(%x: tensor<2x15x1xf32>, %w: tensor<16xf32>, %step: tensor<i64>) -> tensor<*xf32> {
  // expected-error @+1 {{has frames of 16 for a signal of 15}}
  %0 = onnx.STFT(%x, %step, %w) : (tensor<2x15x1xf32>, tensor<i64>, tensor<16xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
