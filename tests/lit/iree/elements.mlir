// RUN: omb-opt %s --omb-flatten-elements | FileCheck %s

// CHECK-LABEL: func.func @matrix
// CHECK-SAME: (%[[A:.*]]: i64, %[[B:.*]]: i64)
// CHECK: %[[V:.*]] = tensor.from_elements %[[A]], %[[B]] : tensor<2xi64>
// CHECK: %[[W:.*]] = "util.optimization_barrier"(%[[V]]) : (tensor<2xi64>) -> tensor<2xi64>
// CHECK: %[[M:.*]] = tensor.expand_shape %[[W]] {{\[\[}}0, 1]] output_shape [1, 2] : tensor<2xi64> into tensor<1x2xi64>
// CHECK: return %[[M]]
func.func @matrix(%a: i64, %b: i64) -> tensor<1x2xi64> {
  %0 = tensor.from_elements %a, %b : tensor<1x2xi64>
  return %0 : tensor<1x2xi64>
}

// CHECK-LABEL: func.func @vector
// CHECK-NOT: barrier
// CHECK: return
func.func @vector(%a: i64, %b: i64) -> (tensor<2xi64>, tensor<i64>) {
  %0 = tensor.from_elements %a, %b : tensor<2xi64>
  %1 = tensor.from_elements %a : tensor<i64>
  return %0, %1 : tensor<2xi64>, tensor<i64>
}
