// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// One generic, whatever the function.
// CHECK-LABEL: func.func @gelu
// CHECK: linalg.generic
// CHECK: math.erf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @gelu(%x: tensor<?x4xf32>) -> tensor<*xf32> {
  %0 = onnx.Gelu(%x) : (tensor<?x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @gelu_tanh
// CHECK: math.tanh
func.func @gelu_tanh(%x: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.Gelu(%x) {approximate = "tanh"} : (tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// NaN goes through a Relu.
// CHECK-LABEL: func.func @relu
// CHECK: arith.maximumf
func.func @relu(%x: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-DAG: #[[SLOPE:.*]] = affine_map<(d0, d1, d2) -> (d0, 0, 0)>
// CHECK-LABEL: func.func @prelu
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[SLOPE]], #{{.*}}]
func.func @prelu(%x: tensor<3x4x5xf32>, %slope: tensor<3x1x1xf32>) -> tensor<*xf32> {
  %0 = onnx.PRelu(%x, %slope) : (tensor<3x4x5xf32>, tensor<3x1x1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
