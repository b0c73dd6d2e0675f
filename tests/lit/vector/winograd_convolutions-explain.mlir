// RUN: omb-opt %s --split-input-file --omb-winograd-convolutions=explain --verify-diagnostics -o /dev/null

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @few_channels(%x: tensor<1x58x58x3xf32>, %s: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %w = arith.constant dense<1.0> : tensor<64x3x3x3xf32>
  // expected-remark@+1 {{has channels that don't fill vectors}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x58x58x3xf32>, tensor<64x3x3x3xf32>) outs(%s : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// -----

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @few_tiles(%x: tensor<1x9x9x64xf32>, %s: tensor<1x7x7x64xf32>) -> tensor<1x7x7x64xf32> {
  %w = arith.constant dense<1.0> : tensor<64x64x3x3xf32>
  // expected-remark@+1 {{takes about as long, or too much memory, with fewer multiplications}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x9x9x64xf32>, tensor<64x64x3x3xf32>) outs(%s : tensor<1x7x7x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x7x7x64xf32>
  return %r : tensor<1x7x7x64xf32>
}

// -----

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @unknown_size(%x: tensor<1x?x58x64xf32>, %s: tensor<1x?x56x64xf32>) -> tensor<1x?x56x64xf32> {
  %w = arith.constant dense<1.0> : tensor<64x64x3x3xf32>
  // expected-remark@+1 {{has images of unknown size}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x?x58x64xf32>, tensor<64x64x3x3xf32>) outs(%s : tensor<1x?x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x?x56x64xf32>
  return %r : tensor<1x?x56x64xf32>
}

// -----

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @five_taps(%x: tensor<1x60x60x64xf32>, %s: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %w = arith.constant dense<1.0> : tensor<64x64x5x5xf32>
  // expected-remark@+1 {{isn't a convolution of 3x3}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x60x60x64xf32>, tensor<64x64x5x5xf32>) outs(%s : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// -----

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y * 2 + ky, x * 2 + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @stride(%x: tensor<1x113x113x64xf32>, %s: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %w = arith.constant dense<1.0> : tensor<64x64x3x3xf32>
  // expected-remark@+1 {{has strides or dilations}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x113x113x64xf32>, tensor<64x64x3x3xf32>) outs(%s : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// -----

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky * 2, x + kx * 2, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @dilation(%x: tensor<1x60x60x64xf32>, %s: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %w = arith.constant dense<1.0> : tensor<64x64x3x3xf32>
  // expected-remark@+1 {{has strides or dilations}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x60x60x64xf32>, tensor<64x64x3x3xf32>) outs(%s : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// -----

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @doubles(%x: tensor<1x58x58x64xf64>, %s: tensor<1x56x56x64xf64>) -> tensor<1x56x56x64xf64> {
  %w = arith.constant dense<1.0> : tensor<64x64x3x3xf64>
  // expected-remark@+1 {{isn't a convolution of images in f32 without groups}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x58x58x64xf64>, tensor<64x64x3x3xf64>) outs(%s : tensor<1x56x56x64xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64):
    %m = arith.mulf %a, %b : f64
    %n = arith.addf %c, %m : f64
    linalg.yield %n : f64
  } -> tensor<1x56x56x64xf64>
  return %r : tensor<1x56x56x64xf64>
}

// -----

#in = affine_map<(n, y, x, f, ky, kx, c) -> (n, y + ky, x + kx, c)>
#w = affine_map<(n, y, x, f, ky, kx, c) -> (f, c, ky, kx)>
#out = affine_map<(n, y, x, f, ky, kx, c) -> (n, y, x, f)>
func.func @computed_weights(%x: tensor<1x58x58x64xf32>, %s: tensor<1x56x56x64xf32>, %w: tensor<64x64x3x3xf32>) -> tensor<1x56x56x64xf32> {
  // expected-remark@+1 {{has weights that aren't constant}}
  %r = linalg.generic {indexing_maps = [#in, #w, #out],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x58x58x64xf32>, tensor<64x64x3x3xf32>) outs(%s : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// -----

func.func @matmul(%x: tensor<9x16xf32>, %s: tensor<9x16xf32>) -> tensor<9x16xf32> {
  %w = arith.constant dense<2.0> : tensor<16x16xf32>
  // expected-remark@+1 {{isn't a convolution of images in f32 without groups}}
  %r = linalg.matmul ins(%x, %w : tensor<9x16xf32>, tensor<16x16xf32>) outs(%s : tensor<9x16xf32>) -> tensor<9x16xf32>
  return %r : tensor<9x16xf32>
}
