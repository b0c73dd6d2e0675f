// RUN: omb-opt %s --split-input-file --omb-pack-sparse-contractions=explain --verify-diagnostics -o /dev/null

#ROWS = #sparse_tensor.encoding<{ map = (k, n) -> (k : dense, n : compressed) }>
func.func @format(%x: tensor<9x2xf32>) -> tensor<9x5xf32> {
  %w = arith.constant sparse<[[0, 1]], [1.0]> : tensor<2x5xf32, #ROWS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9x5xf32>) -> tensor<9x5xf32>
  // expected-remark@+1 {{has weights in a format without a kernel}}
  %r = linalg.matmul ins(%x, %w : tensor<9x2xf32>, tensor<2x5xf32, #ROWS>) outs(%f : tensor<9x5xf32>) -> tensor<9x5xf32>
  return %r : tensor<9x5xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>
func.func @start(%x: tensor<9x2xf32>, %e: tensor<9x5xf32>) -> tensor<9x5xf32> {
  %w = arith.constant sparse<[[0, 1]], [1.0]> : tensor<2x5xf32, #CHANNELS>
  // expected-remark@+1 {{doesn't start at zero}}
  %r = linalg.matmul ins(%x, %w : tensor<9x2xf32>, tensor<2x5xf32, #CHANNELS>) outs(%e : tensor<9x5xf32>) -> tensor<9x5xf32>
  return %r : tensor<9x5xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>
func.func @doubles(%x: tensor<9x2xf64>, %e: tensor<9x5xf64>) -> tensor<9x5xf64> {
  %w = arith.constant sparse<[[0, 1]], [1.0]> : tensor<2x5xf64, #CHANNELS>
  // expected-remark@+1 {{isn't of f32}}
  %r = linalg.matmul ins(%x, %w : tensor<9x2xf64>, tensor<2x5xf64, #CHANNELS>) outs(%e : tensor<9x5xf64>) -> tensor<9x5xf64>
  return %r : tensor<9x5xf64>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>
func.func @columns(%x: tensor<2x9xf32>, %e: tensor<9x5xf32>) -> tensor<9x5xf32> {
  %w = arith.constant sparse<[[0, 1]], [1.0]> : tensor<2x5xf32, #CHANNELS>
  // expected-remark@+1 {{has rows that aren't next to each other}}
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<2x9xf32>, tensor<2x5xf32, #CHANNELS>) outs(%e : tensor<9x5xf32>) -> tensor<9x5xf32>
  return %r : tensor<9x5xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>
func.func @transposed(%x: tensor<9x2xf32>, %e: tensor<9x5xf32>) -> tensor<9x5xf32> {
  %w = arith.constant sparse<[[1, 0]], [1.0]> : tensor<5x2xf32, #CHANNELS>
  // expected-remark@+1 {{has transposed sparse weights}}
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<9x2xf32>, tensor<5x2xf32, #CHANNELS>) outs(%e : tensor<9x5xf32>) -> tensor<9x5xf32>
  return %r : tensor<9x5xf32>
}

// -----

#F = #sparse_tensor.encoding<{ map = (f, c, x) -> (f : dense, c : compressed(nonunique), x : singleton(soa)) }>
func.func @images_of_unknown_size(%x: tensor<1x4x?xf32>, %e: tensor<1x3x?xf32>) -> tensor<1x3x?xf32> {
  %f = arith.constant sparse<[[0, 1, 0]], [1.0]> : tensor<3x4x2xf32, #F>
  %z = arith.constant 0.0 : f32
  %s = linalg.fill ins(%z : f32) outs(%e : tensor<1x3x?xf32>) -> tensor<1x3x?xf32>
  // expected-remark@+1 {{has images of unknown size}}
  %r = linalg.conv_1d_ncw_fcw ins(%x, %f : tensor<1x4x?xf32>, tensor<3x4x2xf32, #F>) outs(%s : tensor<1x3x?xf32>) -> tensor<1x3x?xf32>
  return %r : tensor<1x3x?xf32>
}

// -----

#F = #sparse_tensor.encoding<{ map = (f, c, x) -> (f : dense, c : compressed(nonunique), x : singleton(soa)) }>
func.func @convolution_start(%x: tensor<1x4x5xf32>, %s: tensor<1x3x5xf32>) -> tensor<1x3x5xf32> {
  %f = arith.constant sparse<[[0, 1, 0]], [1.0]> : tensor<3x4x1xf32, #F>
  // expected-remark@+1 {{doesn't start at zero or at a bias}}
  %r = linalg.conv_1d_ncw_fcw ins(%x, %f : tensor<1x4x5xf32>, tensor<3x4x1xf32, #F>) outs(%s : tensor<1x3x5xf32>) -> tensor<1x3x5xf32>
  return %r : tensor<1x3x5xf32>
}

// -----

#B = #sparse_tensor.encoding<{ map = (f, c, x) -> (f floordiv 16 : dense, c : compressed, x : dense, f mod 16 : dense) }>
func.func @blocks_of_windows(%x: tensor<1x4x5xf32>, %e: tensor<1x16x4xf32>) -> tensor<1x16x4xf32> {
  %f = arith.constant sparse<[[0, 1, 0]], [1.0]> : tensor<16x4x2xf32, #B>
  %z = arith.constant 0.0 : f32
  %s = linalg.fill ins(%z : f32) outs(%e : tensor<1x16x4xf32>) -> tensor<1x16x4xf32>
  // expected-remark@+1 {{has weights in a format without a kernel}}
  %r = linalg.conv_1d_ncw_fcw ins(%x, %f : tensor<1x4x5xf32>, tensor<16x4x2xf32, #B>) outs(%s : tensor<1x16x4xf32>) -> tensor<1x16x4xf32>
  return %r : tensor<1x16x4xf32>
}

// -----

#F = #sparse_tensor.encoding<{ map = (f, c, x) -> (f : dense, c : compressed(nonunique), x : singleton(soa)) }>
func.func @convolution_of_doubles(%x: tensor<1x4x5xf64>, %e: tensor<1x3x5xf64>) -> tensor<1x3x5xf64> {
  %f = arith.constant sparse<[[0, 1, 0]], [1.0]> : tensor<3x4x1xf64, #F>
  %z = arith.constant 0.0 : f64
  %s = linalg.fill ins(%z : f64) outs(%e : tensor<1x3x5xf64>) -> tensor<1x3x5xf64>
  // expected-remark@+1 {{isn't of f32}}
  %r = linalg.conv_1d_ncw_fcw ins(%x, %f : tensor<1x4x5xf64>, tensor<3x4x1xf64, #F>) outs(%s : tensor<1x3x5xf64>) -> tensor<1x3x5xf64>
  return %r : tensor<1x3x5xf64>
}
