// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @plain_values
// CHECK-DAG: arith.constant dense<3> : tensor<i64>
// CHECK-DAG: arith.constant dense<[1, -2]> : tensor<2xi64>
// CHECK-DAG: arith.constant dense<5.000000e-01> : tensor<f32>
// CHECK-DAG: arith.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
func.func @plain_values() -> (tensor<i64>, tensor<2xi64>, tensor<f32>, tensor<2xf32>) {
  %0 = onnx.Constant() {value_int = 3 : i64} : () -> tensor<i64>
  %1 = onnx.Constant() {value_ints = array<i64: 1, -2>} : () -> tensor<2xi64>
  %2 = onnx.Constant() {value_float = 0.5 : f32} : () -> tensor<f32>
  %3 = onnx.Constant() {value_floats = array<f32: 1.0, 2.0>} : () -> tensor<2xf32>
  return %0, %1, %2, %3 : tensor<i64>, tensor<2xi64>, tensor<f32>, tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @sparse_value
// CHECK: arith.constant dense<[0.000000e+00, 7.000000e+00, 0.000000e+00]> : tensor<3xf32>
func.func @sparse_value() -> tensor<3xf32> {
  %0 = onnx.Constant() {sparse_value = sparse<[[1]], [7.0]> : tensor<3xf32>} : () -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// A computed shape: the sizes are read, and checked not to be negative.

// CHECK-LABEL: func.func @constant_of_shape
// CHECK-SAME: %[[SHAPE:.*]]: tensor<2xi64>
// CHECK: %[[ONE:.*]] = arith.constant 1 : i8
// CHECK: tensor.extract %[[SHAPE]]
// CHECK: cf.assert %{{.*}}, "ConstantOfShape has a negative size"
// CHECK: linalg.fill ins(%[[ONE]] : i8) outs(%{{.*}} : tensor<?x?xi8>)
func.func @constant_of_shape(%shape: tensor<2xi64>) -> tensor<?x?xui8> {
  %0 = onnx.ConstantOfShape(%shape) {value = dense<1> : tensor<1xui8>} : (tensor<2xi64>) -> tensor<?x?xui8>
  return %0 : tensor<?x?xui8>
}

// -----

// CHECK-LABEL: func.func @eye_like
// CHECK: linalg.generic
// CHECK-DAG: %[[ROW:.*]] = linalg.index 0
// CHECK-DAG: %[[COLUMN:.*]] = linalg.index 1
// CHECK: %[[DIAGONAL:.*]] = arith.addi %[[ROW]]
// CHECK: arith.cmpi eq, %[[DIAGONAL]], %[[COLUMN]]
func.func @eye_like(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = onnx.EyeLike(%x) {k = 1 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// -----

// The number of elements depends on the numbers.

// CHECK-LABEL: func.func @range
// CHECK-SAME: %[[START:.*]]: tensor<i64>, %[[LIMIT:.*]]: tensor<i64>
// CHECK-DAG: %[[S:.*]] = tensor.extract %[[START]][]
// CHECK-DAG: %[[L:.*]] = tensor.extract %[[LIMIT]][]
// CHECK: %[[COUNT:.*]] = arith.maxsi
// CHECK: tensor.empty(%[[COUNT]]) : tensor<?xi64>
// CHECK: linalg.generic
func.func @range(%start: tensor<i64>, %limit: tensor<i64>) -> tensor<?xi64> {
  %delta = onnx.Constant() {value_int = 2 : i64} : () -> tensor<i64>
  %0 = onnx.Range(%start, %limit, %delta) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}

// -----

// CHECK-LABEL: func.func @size
// CHECK-SAME: %[[X:.*]]: tensor<?x3xf32>
// CHECK: %[[DIM:.*]] = tensor.dim %[[X]]
// CHECK: arith.muli %[[DIM]]
// CHECK: tensor.from_elements %{{.*}} : tensor<i64>
func.func @size(%x: tensor<?x3xf32>) -> tensor<i64> {
  %0 = onnx.Size(%x) : (tensor<?x3xf32>) -> tensor<i64>
  return %0 : tensor<i64>
}

// -----

// CHECK-LABEL: func.func @declared_rank
// CHECK-SAME: %[[SHAPE:.*]]: tensor<?xi64>
// CHECK: %[[COUNT:.*]] = tensor.dim %[[SHAPE]]
// CHECK: %[[FITS:.*]] = arith.cmpi eq, %[[COUNT]], %c2
// CHECK: cf.assert %[[FITS]], "{{.*}}another rank than the model declares"
func.func @declared_rank(%shape: tensor<?xi64>) -> tensor<?x?xf32> {
  %0 = onnx.ConstantOfShape(%shape) : (tensor<?xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}
