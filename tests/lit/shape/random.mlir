// RUN: omb-opt %s --onnx-infer-shapes --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @from_attribute
// CHECK: onnx.RandomNormal() {{.*}} -> tensor<2x3xf32>
func.func @from_attribute() -> tensor<*xf32> {
  %0 = onnx.RandomNormal() {shape = array<i64: 2, 3>} : () -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @like
// CHECK: onnx.RandomUniformLike({{.*}} -> tensor<?x3xf32, #onnx.dims<"n", ?>>
// CHECK: onnx.Bernoulli({{.*}} -> tensor<?x3xi1, #onnx.dims<"n", ?>>
func.func @like(%x: tensor<?x3xf64, #onnx.dims<"n", ?>>) -> (tensor<*xf32>, tensor<*xi1>) {
  %0 = onnx.RandomUniformLike(%x) {dtype = 1 : i64} : (tensor<?x3xf64, #onnx.dims<"n", ?>>) -> tensor<*xf32>
  %1 = onnx.Bernoulli(%0) {dtype = 9 : i64} : (tensor<*xf32>) -> tensor<*xi1>
  return %0, %1 : tensor<*xf32>, tensor<*xi1>
}

// -----

// CHECK-LABEL: func.func @multinomial
// CHECK: onnx.Multinomial({{.*}} -> tensor<?x7xi32, #onnx.dims<"b", ?>>
func.func @multinomial(%x: tensor<?x3xf32, #onnx.dims<"b", ?>>) -> tensor<*xi32> {
  %0 = onnx.Multinomial(%x) {sample_size = 7 : i64} : (tensor<?x3xf32, #onnx.dims<"b", ?>>) -> tensor<*xi32>
  return %0 : tensor<*xi32>
}

// -----

func.func @rank(%x: tensor<3xf32>) -> tensor<*xi32> {
  // expected-error @+1 {{takes an input of rank 2, not 1}}
  %0 = onnx.Multinomial(%x) : (tensor<3xf32>) -> tensor<*xi32>
  return %0 : tensor<*xi32>
}
