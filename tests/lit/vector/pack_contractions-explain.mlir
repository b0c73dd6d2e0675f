// RUN: omb-opt %s --split-input-file --omb-pack-contractions=explain --verify-diagnostics -o /dev/null

func.func @integers(%x: tensor<9x2xi32>, %w: tensor<2x5xi32>, %e: tensor<9x5xi32>) -> tensor<9x5xi32> {
  // expected-remark@+1 {{doesn't sum products of floats or signed bytes}}
  %r = linalg.matmul ins(%x, %w : tensor<9x2xi32>, tensor<2x5xi32>) outs(%e : tensor<9x5xi32>) -> tensor<9x5xi32>
  return %r : tensor<9x5xi32>
}

// -----

func.func @half(%x: tensor<9x2xf16>, %w: tensor<2x5xf16>, %e: tensor<9x5xf16>) -> tensor<9x5xf16> {
  // expected-remark@+1 {{isn't of f32 or f64}}
  %r = linalg.matmul ins(%x, %w : tensor<9x2xf16>, tensor<2x5xf16>) outs(%e : tensor<9x5xf16>) -> tensor<9x5xf16>
  return %r : tensor<9x5xf16>
}

// -----

func.func @channels_second(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %e: tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32> {
  // expected-remark@+1 {{has weights that aren't a permutation of its loops}}
  %c = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) outs(%e : tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  return %c : tensor<1x4x6x6xf32>
}

// -----

func.func @sum(%x: tensor<9x2xf32>, %w: tensor<9x2xf32>, %e: tensor<9xf32>) -> tensor<9xf32> {
  // expected-remark@+1 {{has the channels in both operands, but not last}}
  %r = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>],
    iterator_types = ["parallel", "reduction"]}
    ins(%x, %w : tensor<9x2xf32>, tensor<9x2xf32>) outs(%e : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<9xf32>
  return %r : tensor<9xf32>
}

// -----

func.func @few(%x: tensor<127x2xf32>, %w: tensor<2x5xf32>, %e: tensor<127x5xf32>) -> tensor<127x5xf32> {
  // expected-remark@+1 {{has too few positions for weights that aren't constant}}
  %r = linalg.matmul ins(%x, %w : tensor<127x2xf32>, tensor<2x5xf32>) outs(%e : tensor<127x5xf32>) -> tensor<127x5xf32>
  return %r : tensor<127x5xf32>
}

// -----

func.func @perhaps_few(%x: tensor<?x2xf32>, %w: tensor<2x5xf32>, %e: tensor<?x5xf32>) -> tensor<?x5xf32> {
  // expected-remark@+1 {{may have too few positions for weights that aren't constant}}
  %r = linalg.matmul ins(%x, %w : tensor<?x2xf32>, tensor<2x5xf32>) outs(%e : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %r : tensor<?x5xf32>
}

// -----

func.func @empty(%x: tensor<9x0xf32>, %w: tensor<0x5xf32>, %e: tensor<9x5xf32>) -> tensor<9x5xf32> {
  // expected-remark@+1 {{has empty weights}}
  %r = linalg.matmul ins(%x, %w : tensor<9x0xf32>, tensor<0x5xf32>) outs(%e : tensor<9x5xf32>) -> tensor<9x5xf32>
  return %r : tensor<9x5xf32>
}

// -----

func.func @each(%x: tensor<9x2xf32>, %w: tensor<9x2x5xf32>, %e: tensor<9x5xf32>) -> tensor<9x5xf32> {
  // expected-remark@+1 {{has weights for each position}}
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (m, k, n)>, affine_map<(m, n, k) -> (m, n)>],
    iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<9x2xf32>, tensor<9x2x5xf32>) outs(%e : tensor<9x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<9x5xf32>
  return %r : tensor<9x5xf32>
}

// -----

func.func @pool(%x: tensor<1x8x8x4xf32>, %w: tensor<3x3xf32>, %e: tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32> {
  // expected-remark@+1 {{doesn't sum products of floats}}
  %r = linalg.pooling_nhwc_sum ins(%x, %w : tensor<1x8x8x4xf32>, tensor<3x3xf32>) outs(%e : tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  return %r : tensor<1x6x6x4xf32>
}

// -----

func.func @narrow(%x: tensor<?x2xf32>, %e: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = arith.constant dense<1.0> : tensor<2x4xf32>
  // expected-remark@+1 {{has too few channels for a vector}}
  %r = linalg.matmul ins(%x, %w : tensor<?x2xf32>, tensor<2x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

// IREE can't compile a convolution with one position and few features: it is
// packed.

func.func @one_position(%x: tensor<1x1x1x16xf32>, %e: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %w = arith.constant dense<1.0> : tensor<1x1x16x2xf32>
  %r = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<1x1x1x16xf32>, tensor<1x1x16x2xf32>) outs(%e : tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  return %r : tensor<1x1x1x2xf32>
}

// -----

func.func @unknown_output(%x: tensor<?x2xf32>, %e: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %w = arith.constant dense<1.0> : tensor<2x40xf32>
  // expected-remark@+1 {{has an output of an unknown number of channels}}
  %r = linalg.matmul ins(%x, %w : tensor<?x2xf32>, tensor<2x40xf32>) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}

// -----

func.func @scalar(%x: f32, %w: tensor<16x3xf32>, %e: tensor<16xf32>) -> tensor<16xf32> {
  // expected-remark@+1 {{isn't a product of two tensors}}
  %r = linalg.generic {indexing_maps = [affine_map<(n, k) -> ()>, affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n)>],
    iterator_types = ["parallel", "reduction"]} ins(%x, %w : f32, tensor<16x3xf32>) outs(%e : tensor<16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<16xf32>
  return %r : tensor<16xf32>
}

// -----

func.func @computed_filters(%x: tensor<?x9x5xf32>, %w: tensor<5x3xf32>, %out: tensor<?x7x5xf32>) -> tensor<?x7x5xf32> {
  // expected-remark@+1 {{has depthwise weights that aren't constant}}
  %r = linalg.generic {indexing_maps = [affine_map<(n, w, c, k) -> (n, w + k, c)>, affine_map<(n, w, c, k) -> (c, k)>, affine_map<(n, w, c, k) -> (n, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<?x9x5xf32>, tensor<5x3xf32>) outs(%out : tensor<?x7x5xf32>) {
  ^bb0(%in: f32, %f: f32, %o: f32):
    %m = arith.mulf %in, %f : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x7x5xf32>
  return %r : tensor<?x7x5xf32>
}
