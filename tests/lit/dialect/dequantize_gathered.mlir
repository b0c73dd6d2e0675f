// RUN: omb-opt %s -split-input-file --onnx-dequantize-gathered | FileCheck %s

// Rows of a table with blocks along its columns: scales and zero points are
// gathered, too. Gather takes no numbers of four bits.

// CHECK-LABEL: func.func @blocks
// CHECK: %[[X:.*]] = onnx.Cast(%arg0) {{.*}} : (tensor<100x64xui4>) -> tensor<100x64xui8>
// CHECK: %[[ROWS:.*]] = onnx.Gather(%[[X]], %arg3) {{.*}} -> tensor<?x3x64xui8>
// CHECK: %[[S:.*]] = onnx.Gather(%arg1, %arg3) {{.*}} -> tensor<?x3x2xf32>
// CHECK: %[[Z:.*]] = onnx.Gather(%{{.*}}, %arg3) {{.*}} -> tensor<?x3x2xui8>
// CHECK: onnx.DequantizeLinear(%[[ROWS]], %[[S]], %[[Z]]) {axis = 2 : i64, block_size = 32 : i64
func.func @blocks(%x: tensor<100x64xui4>, %s: tensor<100x2xf32>, %z: tensor<100x2xui4>, %i: tensor<?x3xi64>) -> tensor<?x3x64xf32> {
  %d = onnx.DequantizeLinear(%x, %s, %z) {axis = 1 : i64, block_size = 32 : i64} : (tensor<100x64xui4>, tensor<100x2xf32>, tensor<100x2xui4>) -> tensor<100x64xf32>
  %y = onnx.Gather(%d, %i) {axis = 0 : i64} : (tensor<100x64xf32>, tensor<?x3xi64>) -> tensor<?x3x64xf32>
  return %y : tensor<?x3x64xf32>
}

// -----

// A scale for each column, counted from the back, stays as it is.

// CHECK-LABEL: func.func @columns
// CHECK: %[[ROWS:.*]] = onnx.Gather(%arg0, %arg2) {{.*}} -> tensor<64xi8>
// CHECK: onnx.DequantizeLinear(%[[ROWS]], %arg1) {axis = 0 : i64{{.*}} -> tensor<64xf32>
func.func @columns(%x: tensor<100x64xi8>, %s: tensor<64xf32>, %i: tensor<i64>) -> tensor<64xf32> {
  %d = onnx.DequantizeLinear(%x, %s) {axis = -1 : i64} : (tensor<100x64xi8>, tensor<64xf32>) -> tensor<100x64xf32>
  %y = onnx.Gather(%d, %i) {axis = 0 : i64} : (tensor<100x64xf32>, tensor<i64>) -> tensor<64xf32>
  return %y : tensor<64xf32>
}

// -----

// CHECK-LABEL: func.func @one_for_all
// CHECK: %[[ROWS:.*]] = onnx.Gather(%arg0, %arg2) {{.*}} -> tensor<100x5xi8>
// CHECK: onnx.DequantizeLinear(%[[ROWS]], %arg1)
func.func @one_for_all(%x: tensor<100x64xi8>, %s: tensor<f32>, %i: tensor<5xi64>) -> tensor<100x5xf32> {
  %d = onnx.DequantizeLinear(%x, %s) : (tensor<100x64xi8>, tensor<f32>) -> tensor<100x64xf32>
  %y = onnx.Gather(%d, %i) {axis = 1 : i64} : (tensor<100x64xf32>, tensor<5xi64>) -> tensor<100x5xf32>
  return %y : tensor<100x5xf32>
}

// -----

// Along the axis of the scales, an index has a scale of its own.

// CHECK-LABEL: func.func @along_the_axis
// CHECK: onnx.DequantizeLinear(%arg0, %arg1)
// CHECK: onnx.Gather
func.func @along_the_axis(%x: tensor<100x64xi8>, %s: tensor<100xf32>, %i: tensor<5xi64>) -> tensor<5x64xf32> {
  %d = onnx.DequantizeLinear(%x, %s) {axis = 0 : i64} : (tensor<100x64xi8>, tensor<100xf32>) -> tensor<100x64xf32>
  %y = onnx.Gather(%d, %i) {axis = 0 : i64} : (tensor<100x64xf32>, tensor<5xi64>) -> tensor<5x64xf32>
  return %y : tensor<5x64xf32>
}

// -----

// A small table is dequantized once, however much is gathered from it.

// CHECK-LABEL: func.func @more_than_there_is
// CHECK: onnx.DequantizeLinear(%arg0, %arg1)
// CHECK: onnx.Gather
func.func @more_than_there_is(%x: tensor<10x64xi8>, %s: tensor<f32>, %i: tensor<50xi64>) -> tensor<50x64xf32> {
  %d = onnx.DequantizeLinear(%x, %s) : (tensor<10x64xi8>, tensor<f32>) -> tensor<10x64xf32>
  %y = onnx.Gather(%d, %i) {axis = 0 : i64} : (tensor<10x64xf32>, tensor<50xi64>) -> tensor<50x64xf32>
  return %y : tensor<50x64xf32>
}

// -----

// CHECK-LABEL: func.func @floats
// CHECK: onnx.DequantizeLinear(%arg0, %arg1)
// CHECK: onnx.Gather
func.func @floats(%x: tensor<100x64xf8E4M3FN>, %s: tensor<f32>, %i: tensor<5xi64>) -> tensor<5x64xf32> {
  %d = onnx.DequantizeLinear(%x, %s) : (tensor<100x64xf8E4M3FN>, tensor<f32>) -> tensor<100x64xf32>
  %y = onnx.Gather(%d, %i) {axis = 0 : i64} : (tensor<100x64xf32>, tensor<5xi64>) -> tensor<5x64xf32>
  return %y : tensor<5x64xf32>
}
