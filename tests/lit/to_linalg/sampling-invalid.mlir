// RUN: omb-opt %s --convert-onnx-to-linalg --split-input-file --verify-diagnostics

func.func @unranked(%x: tensor<1x1x2x2xf32>, %g: tensor<*xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't be lowered to linalg: the rank of the input or of the grid isn't known}}
  %0 = onnx.GridSample(%x, %g) : (tensor<1x1x2x2xf32>, tensor<*xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @complex(%x: tensor<1x1x2x2xcomplex<f32>>, %g: tensor<1x1x1x2xf32>) -> tensor<1x1x1x1xcomplex<f32>> {
  // expected-error @+1 {{complex numbers can only be sampled by 'nearest'}}
  %0 = onnx.GridSample(%x, %g) : (tensor<1x1x2x2xcomplex<f32>>, tensor<1x1x1x2xf32>) -> tensor<1x1x1x1xcomplex<f32>>
  return %0 : tensor<1x1x1x1xcomplex<f32>>
}

// -----

func.func @sizes(%t: tensor<1x2x3xf32>, %s: tensor<?xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{the number of sizes, or the rank of theta, isn't known}}
  %0 = onnx.AffineGrid(%t, %s) : (tensor<1x2x3xf32>, tensor<?xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @image(%x: tensor<1x4x4xf32>, %s: tensor<?xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{the number of dimensions of the image isn't known}}
  %0 = onnx.Col2Im(%x, %s, %s) : (tensor<1x4x4xf32>, tensor<?xi64>, tensor<?xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @offset(%x: tensor<1x4x4x4xf32>, %w: tensor<1x4x2x2xf32>, %o: tensor<*xf32>) -> tensor<1x1x3x3xf32> {
  // expected-error @+1 {{the rank of an operand or of the result isn't known}}
  %0 = onnx.DeformConv(%x, %w, %o) : (tensor<1x4x4x4xf32>, tensor<1x4x2x2xf32>, tensor<*xf32>) -> tensor<1x1x3x3xf32>
  return %0 : tensor<1x1x3x3xf32>
}

// -----

func.func @indices(%x: tensor<1x1x2x2xf32>, %i: tensor<*xi64>) -> tensor<1x1x4x4xf32> {
  // expected-error @+1 {{the rank of an operand isn't known}}
  %0 = onnx.MaxUnpool(%x, %i) {kernel_shape = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>, tensor<*xi64>) -> tensor<1x1x4x4xf32>
  return %0 : tensor<1x1x4x4xf32>
}
