// RUN: omb-opt %s --split-input-file --verify-diagnostics --omb-to-linalg | FileCheck %s

// Two reductions, the second of differences from the mean; no checks of sizes.

// CHECK-LABEL: func.func @layer
// CHECK-NOT: cf.assert
// CHECK: linalg.generic {{.*}} ["parallel", "reduction"]
// CHECK: linalg.generic {{.*}} ["parallel", "reduction"]
// CHECK: %[[D:.*]] = arith.subf
// CHECK-NEXT: arith.mulf %[[D]], %[[D]]
// CHECK: math.sqrt
// CHECK: linalg.generic {{.*}} ["parallel", "parallel"]
func.func @layer(%x: tensor<?x768xf32, #onnx.dims<"n", ?>>, %s: tensor<768xf32>) -> tensor<*xf32> {
  %0 = onnx.LayerNormalization(%x, %s) : (tensor<?x768xf32, #onnx.dims<"n", ?>>, tensor<768xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @softmax
// CHECK: arith.maximumf
// CHECK: arith.subf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: arith.divf
func.func @softmax(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %0 = onnx.Softmax(%x) : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// The factor is computed once for each channel.

// CHECK-LABEL: func.func @batch
// CHECK: linalg.generic {{.*}} ["parallel"]
// CHECK: math.sqrt
// CHECK: linalg.generic {{.*}} ["parallel", "parallel", "parallel"]
// CHECK-NOT: math.sqrt
func.func @batch(%x: tensor<1x4x?xf32>, %v: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.BatchNormalization(%x, %v, %v, %v, %v) : (tensor<1x4x?xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @group
// CHECK: linalg.generic {{.*}} ["parallel", "parallel", "reduction"]} ins(%{{.*}} : tensor<1x4x5xf32>)
// CHECK: tensor.expand_shape {{.*}} into tensor<1x2x2xf32>
// CHECK: tensor.collapse_shape {{.*}} into tensor<1x4xf32>
// CHECK: linalg.generic {{.*}} ["parallel", "parallel", "parallel"]} ins(%{{.*}} : tensor<1x4x5xf32>
func.func @group(%x: tensor<1x4x5xf32>, %v: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.GroupNormalization(%x, %v, %v) {num_groups = 2 : i64} : (tensor<1x4x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @dropout
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>
// CHECK: return %[[X]]
func.func @dropout(%x: tensor<2xf32>) -> tensor<*xf32> {
  %0 = onnx.Dropout(%x) : (tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
