// RUN: omb-opt %s --load-pass-plugin=%example \
// RUN:   --pass-pipeline='builtin.module(func.func(example-relu-to-linalg))' | FileCheck %s

// CHECK-LABEL: func.func @static
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>
// CHECK: %[[ZEROS:.*]] = linalg.fill
// CHECK: linalg.max ins(%[[X]], %[[ZEROS]] : tensor<4xf32>, tensor<4xf32>)
func.func @static(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @dynamic
// CHECK: %[[SIZE:.*]] = tensor.dim
// CHECK: tensor.empty(%[[SIZE]]) : tensor<?xf64>
// CHECK: linalg.max
func.func @dynamic(%x: tensor<?xf64>) -> tensor<?xf64> {
  %0 = onnx.Relu(%x) : (tensor<?xf64>) -> tensor<?xf64>
  return %0 : tensor<?xf64>
}

// Integers are left alone.
// CHECK-LABEL: func.func @integers
// CHECK: onnx.Relu
func.func @integers(%x: tensor<4xi32>) -> tensor<4xi32> {
  %0 = onnx.Relu(%x) : (tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}
