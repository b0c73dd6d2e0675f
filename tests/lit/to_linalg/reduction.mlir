// RUN: omb-opt %s --split-input-file --verify-diagnostics --omb-to-linalg | FileCheck %s

// f16 is summed up in f32 and rounded once.

// CHECK-LABEL: func.func @sum_f16
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: arith.extf
// CHECK: arith.addf %{{.*}} : f32
// CHECK: arith.truncf
// CHECK: tensor.expand_shape {{.*}} into tensor<?x3x1xf16>
func.func @sum_f16(%x: tensor<?x3x4xf16, #onnx.dims<"n", ?, ?>>) -> tensor<*xf16> {
  %axes = onnx.Constant() {value = dense<[-1]> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.ReduceSum(%x, %axes) : (tensor<?x3x4xf16, #onnx.dims<"n", ?, ?>>, tensor<1xi64>) -> tensor<*xf16>
  return %0 : tensor<*xf16>
}

// -----

// CHECK-LABEL: func.func @max_unsigned
// CHECK: linalg.fill ins(%{{.*}} : i8)
// CHECK: arith.maxui
// CHECK-NOT: expand_shape
// CHECK: return %{{.*}} : tensor<i8>
func.func @max_unsigned(%x: tensor<2x3xui8>) -> tensor<*xui8> {
  %0 = onnx.ReduceMax(%x) {keepdims = 0 : i64} : (tensor<2x3xui8>) -> tensor<*xui8>
  return %0 : tensor<*xui8>
}

// -----

// No element: the identity.

// CHECK-LABEL: func.func @empty
// CHECK: %[[ONE:.*]] = arith.constant 1.0
// CHECK-NOT: linalg.generic
// CHECK: linalg.fill ins(%[[ONE]]
func.func @empty(%x: tensor<2x0xf32>) -> tensor<*xf32> {
  %axes = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.ReduceProd(%x, %axes) {keepdims = 0 : i64} : (tensor<2x0xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Axes known at run time only: a window as large as what is reduced.

// CHECK: #[[WINDOW:.*]] = affine_map<(d0, d1, d2, d3) -> (d0 + d2, d1 + d3)>
// CHECK-LABEL: func.func @runtime_axes
// CHECK: cf.assert %{{.*}}, "a reduction has an axis that is out of range"
// CHECK: linalg.generic {indexing_maps = [#[[WINDOW]],
// CHECK-SAME: ["parallel", "parallel", "reduction", "reduction"]
func.func @runtime_axes(%x: tensor<2x3xf32>, %axes: tensor<1xi64>) -> tensor<*xf32> {
  %0 = onnx.ReduceSum(%x, %axes) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// The rank that the model declares tells their number.

// CHECK-LABEL: func.func @declared_rank
// CHECK-SAME: %[[AXES:[a-z0-9]+]]: tensor<?xi64>
// CHECK: tensor.dim %[[AXES]]
// CHECK: cf.assert %{{.*}}, "{{.*}}the result has another rank than the model declares"
func.func @declared_rank(%x: tensor<2x3xf32>, %axes: tensor<?xi64>) -> tensor<?xf32> {
  %0 = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<2x3xf32>, tensor<?xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @unknown_count(%x: tensor<2x3xf32>, %axes: tensor<?xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the axes aren't constant, and not even their number is known}}
  %0 = onnx.ReduceSum(%x, %axes) : (tensor<2x3xf32>, tensor<?xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// The extreme and where it is, in one pass. NaN is taken for the largest.

// CHECK-LABEL: func.func @argmax
// CHECK: linalg.generic {{.*}} outs(%{{.*}}, %{{.*}} : tensor<2xf32>, tensor<2xi64>)
// CHECK: arith.cmpf olt
// CHECK: arith.cmpf une
func.func @argmax(%x: tensor<2x3xf32>) -> tensor<*xi64> {
  %0 = onnx.ArgMax(%x) {axis = -1 : i64, keepdims = 0 : i64} : (tensor<2x3xf32>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}

// -----

// A short scan is one op; a long one is made of blocks of 64.

// CHECK-LABEL: func.func @cumsum_short
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
// CHECK-LABEL: func.func @cumsum_long
// CHECK: tensor.expand_shape {{.*}} into tensor<16x64xi64>
// CHECK: tensor.collapse_shape {{.*}} into tensor<1024xi64>
func.func @cumsum_short(%x: tensor<8xi64>, %axis: tensor<i64>) -> tensor<*xi64> {
  %0 = onnx.CumSum(%x, %axis) : (tensor<8xi64>, tensor<i64>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}
func.func @cumsum_long(%x: tensor<1024xi64>, %axis: tensor<i64>) -> tensor<*xi64> {
  %0 = onnx.CumSum(%x, %axis) : (tensor<1024xi64>, tensor<i64>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}
