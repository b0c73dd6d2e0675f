// RUN: omb-opt %s --omb-simplify --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @broadcast
// CHECK: onnx.Add({{.*}} -> tensor<?x4x3xf32, #onnx.dims<"n", ?, ?>>
func.func @broadcast(%a: tensor<?x1x3xf32, #onnx.dims<"n", ?, ?>>, %b: tensor<4x1xf32>) -> tensor<*xf32> {
  %0 = onnx.Add(%a, %b) : (tensor<?x1x3xf32, #onnx.dims<"n", ?, ?>>, tensor<4x1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// A bound may be a vector of one element.
// CHECK-LABEL: func.func @clip_by_vectors
// CHECK: onnx.Clip({{.*}} -> tensor<?x3xf32, #onnx.dims<"n", ?>>
func.func @clip_by_vectors(%a: tensor<?x3xf32, #onnx.dims<"n", ?>>, %b: tensor<1xf32>) -> tensor<*xf32> {
  %0 = onnx.Clip(%a, %b, %b) : (tensor<?x3xf32, #onnx.dims<"n", ?>>, tensor<1xf32>, tensor<1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// A size other than 1 decides; two names may be either.
// CHECK-LABEL: func.func @names
// CHECK: onnx.Mul({{.*}} -> tensor<?x8xf32, #onnx.dims<"?{{[0-9]+}}", ?>>
func.func @names(%a: tensor<?x?xf32, #onnx.dims<"n", "k">>, %b: tensor<?x8xf32, #onnx.dims<"m", ?>>) -> tensor<*xf32> {
  %0 = onnx.Mul(%a, %b) : (tensor<?x?xf32, #onnx.dims<"n", "k">>, tensor<?x8xf32, #onnx.dims<"m", ?>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// The type of the base is the type of the result.
// CHECK-LABEL: func.func @pow
// CHECK: onnx.Pow({{.*}} -> tensor<2x3xf32>
func.func @pow(%a: tensor<2x3xf32>, %b: tensor<3xi64>) -> tensor<*xf32> {
  %0 = onnx.Pow(%a, %b) : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @mismatch(%a: tensor<2x3xf32>, %b: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't broadcast dimension 1: its sizes are 3 and 4}}
  %0 = onnx.Pow(%a, %b) : (tensor<2x3xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @clip(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a 'min' or 'max' of rank 1; it must be a scalar}}
  %0 = onnx.Clip(%a, %b, %b) : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// One number, but of no dimensions: it would give the result one.
func.func @clip_number(%a: tensor<f32>, %b: tensor<1xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a 'min' or 'max' of rank 1; it must be a scalar}}
  %0 = onnx.Clip(%a, %b, %b) : (tensor<f32>, tensor<1xf32>, tensor<1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @slope(%a: tensor<2x1xf32>, %b: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a slope that can't be broadcast to the shape of its input}}
  %0 = onnx.PRelu(%a, %b) : (tensor<2x1xf32>, tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
