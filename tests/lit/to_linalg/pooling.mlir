// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @maximum
// CHECK-DAG: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
// CHECK: tensor.pad %{{.*}} low[0, 0, 1, 1] high[0, 0, 1, 1]
// CHECK: tensor.yield %[[LOWEST]] : f32
// CHECK: linalg.pooling_nchw_max
func.func @maximum(%x: tensor<?x3x?x?xf32>) -> tensor<*xf32> {
  %0 = onnx.MaxPool(%x) {kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>} : (tensor<?x3x?x?xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// The named op compares as signed.
// CHECK-LABEL: func.func @unsigned
// CHECK: arith.maxui
func.func @unsigned(%x: tensor<1x3x9xui8>) -> tensor<*xui8> {
  %0 = onnx.MaxPool(%x) {kernel_shape = array<i64: 3>} : (tensor<1x3x9xui8>) -> tensor<*xui8>
  return %0 : tensor<*xui8>
}

// CHECK-LABEL: func.func @average
// CHECK: linalg.pooling_ncw_sum {{.*}} outs(%{{.*}} : tensor<1x3x7xf32>)
// CHECK: arith.divf
// CHECK: arith.truncf
func.func @average(%x: tensor<1x3x9xf16>) -> tensor<*xf16> {
  %0 = onnx.AveragePool(%x) {kernel_shape = array<i64: 3>} : (tensor<1x3x9xf16>) -> tensor<*xf16>
  return %0 : tensor<*xf16>
}

// CHECK-LABEL: func.func @global
// CHECK: linalg.reduce
// CHECK: tensor.expand_shape %{{.*}} : tensor<?x3xf32> into tensor<?x3x1x1xf32>
func.func @global(%x: tensor<?x3x?x?xf32>) -> tensor<*xf32> {
  %0 = onnx.GlobalAveragePool(%x) : (tensor<?x3x?x?xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
