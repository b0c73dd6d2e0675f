// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// A size that is an element of a concatenation is read where that comes from.

// CHECK-LABEL: func.func @reshape
// CHECK-SAME: %{{.*}}: tensor<?x?xf32>, %[[N:.*]]: tensor<1xi64>, %[[M:.*]]: tensor<2xi64>
// CHECK-NOT: tensor.concat
// CHECK-DAG: tensor.extract %[[N]][%{{.*}}]
// CHECK-DAG: tensor.extract %[[M]][%{{.*}}]
// CHECK-DAG: tensor.extract %[[M]][%{{.*}}]
func.func @reshape(%x: tensor<?x?xf32>, %n: tensor<1xi64>, %m: tensor<2xi64>) -> tensor<?x?x?xf32> {
  %sizes = onnx.Concat(%n, %m) {axis = 0 : i64} : (tensor<1xi64>, tensor<2xi64>) -> tensor<3xi64>
  %y = onnx.Reshape(%x, %sizes) : (tensor<?x?xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
