// RUN: omb-opt %s --onnx-infer-shapes --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @filled_with_size
// CHECK: onnx.ConstantOfShape({{.*}}) : (tensor<1xi64>) -> tensor<?xf32, #onnx.dims<"n">>
func.func @filled_with_size(%x: tensor<?x3xf32, #onnx.dims<"n", ?>>) -> tensor<*xf32> {
  %0 = onnx.Shape(%x) {end = 1 : i64} : (tensor<?x3xf32, #onnx.dims<"n", ?>>) -> tensor<*xi64>
  %1 = onnx.ConstantOfShape(%0) : (tensor<*xi64>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @range_of_size
// CHECK: onnx.Range({{.*}} -> tensor<?xi64, #onnx.dims<"n">>
func.func @range_of_size(%x: tensor<?xf32, #onnx.dims<"n">>) -> tensor<*xi64> {
  %limit = onnx.Size(%x) : (tensor<?xf32, #onnx.dims<"n">>) -> tensor<i64>
  %start = onnx.Constant() {value_int = 0 : i64} : () -> tensor<i64>
  %delta = onnx.Constant() {value_int = 1 : i64} : () -> tensor<i64>
  %0 = onnx.Range(%start, %limit, %delta) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}

// -----

// CHECK-LABEL: func.func @known_range
// CHECK: %[[R:.*]] = onnx.Constant() {value = dense<[5, 3, 1]> : tensor<3xi64>}
// CHECK: return %[[R]]
func.func @known_range() -> tensor<*xi64> {
  %start = onnx.Constant() {value_int = 5 : i64} : () -> tensor<i64>
  %limit = onnx.Constant() {value_int = 0 : i64} : () -> tensor<i64>
  %delta = onnx.Constant() {value_int = -2 : i64} : () -> tensor<i64>
  %0 = onnx.Range(%start, %limit, %delta) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}

// -----

// CHECK-LABEL: func.func @float_range
// CHECK: onnx.Range({{.*}} -> tensor<4xf32>
func.func @float_range() -> tensor<*xf32> {
  %start = onnx.Constant() {value_float = 0.0 : f32} : () -> tensor<f32>
  %limit = onnx.Constant() {value_float = 1.0 : f32} : () -> tensor<f32>
  %delta = onnx.Constant() {value_float = 0.3 : f32} : () -> tensor<f32>
  %0 = onnx.Range(%start, %limit, %delta) : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @no_value() -> tensor<*xf32> {
  // expected-error @+1 {{has no value}}
  %0 = onnx.Constant() : () -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_size() -> tensor<*xf32> {
  %s = onnx.Constant() {value_ints = array<i64: 2, -3>} : () -> tensor<2xi64>
  // expected-error @+1 {{has a dimension of size -3}}
  %0 = onnx.ConstantOfShape(%s) : (tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @two_values(%s: tensor<2xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{has a value of 2 elements; it must be one}}
  %0 = onnx.ConstantOfShape(%s) {value = dense<[1.0, 2.0]> : tensor<2xf32>} : (tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @no_step(%start: tensor<i64>, %limit: tensor<i64>) -> tensor<*xi64> {
  %delta = onnx.Constant() {value_int = 0 : i64} : () -> tensor<i64>
  // expected-error @+1 {{has a delta of 0}}
  %0 = onnx.Range(%start, %start, %delta) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}

// -----

func.func @not_a_matrix(%x: tensor<2x3x4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{takes an input of rank 2, not 3}}
  %0 = onnx.EyeLike(%x) : (tensor<2x3x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
