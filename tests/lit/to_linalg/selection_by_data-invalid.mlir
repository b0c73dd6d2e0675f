// RUN: omb-opt %s --convert-onnx-to-linalg --split-input-file --verify-diagnostics

func.func @unique_unranked(%x: tensor<*xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the input has no tensor type}}
  %y, %i, %v, %c = onnx.Unique(%x) : (tensor<*xf32>) -> (tensor<?xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>)
  return %y : tensor<?xf32>
}

// -----

func.func @unique_empty_slices(%x: tensor<4x0xf32>) -> tensor<?x0xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the slices have no elements}}
  %y, %i, %v, %c = onnx.Unique(%x) {axis = 0 : i64} : (tensor<4x0xf32>) -> (tensor<?x0xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>)
  return %y : tensor<?x0xf32>
}

// -----

func.func @non_max_suppression_limit(%b: tensor<1x5x4xf32>, %s: tensor<1x1x5xf32>, %m: tensor<2xi64>) -> tensor<?x3xi64> {
  // expected-error @+1 {{can't be lowered to linalg: a limit or a threshold isn't a scalar}}
  %r = onnx.NonMaxSuppression(%b, %s, %m) : (tensor<1x5x4xf32>, tensor<1x1x5xf32>, tensor<2xi64>) -> tensor<?x3xi64>
  return %r : tensor<?x3xi64>
}

// -----

func.func @non_max_suppression_boxes(%b: tensor<1x5x4xf32>, %s: tensor<1x1x5xf32>) -> tensor<?x3xi64> {
  // expected-error @+1 {{can't be lowered to linalg: center_point_box isn't 0 or 1}}
  %r = onnx.NonMaxSuppression(%b, %s) {center_point_box = 2 : i64} : (tensor<1x5x4xf32>, tensor<1x1x5xf32>) -> tensor<?x3xi64>
  return %r : tensor<?x3xi64>
}
