// RUN: omb-opt %s --omb-pack-contractions="explain vector-bytes=64 vector-registers=32" -verify-diagnostics -o /dev/null

func.func @channels_second(%x: tensor<1x64x8x8xf32>) -> tensor<1x64x7x7xf32> {
  %zero = arith.constant 0.0 : f32
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x64x7x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x64x7x7xf32>) -> tensor<1x64x7x7xf32>
  // expected-remark @below {{is a pool of an image whose channels aren't last}}
  %r = linalg.pooling_nchw_sum {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x64x8x8xf32>, tensor<2x2xf32>) outs(%f : tensor<1x64x7x7xf32>) -> tensor<1x64x7x7xf32>
  return %r : tensor<1x64x7x7xf32>
}

func.func @few_channels(%x: tensor<1x8x8x3xf32>) -> tensor<1x7x7x3xf32> {
  %zero = arith.constant 0.0 : f32
  %w = tensor.empty() : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x7x7x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x7x7x3xf32>) -> tensor<1x7x7x3xf32>
  // expected-remark @below {{is a pool with too few channels for a vector}}
  %r = linalg.pooling_nhwc_sum {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x8x8x3xf32>, tensor<2x2xf32>) outs(%f : tensor<1x7x7x3xf32>) -> tensor<1x7x7x3xf32>
  return %r : tensor<1x7x7x3xf32>
}

func.func @starts_with_others(%x: tensor<1x8x8x16xf32>, %f: tensor<1x7x7x16xf32>) -> tensor<1x7x7x16xf32> {
  %w = tensor.empty() : tensor<2x2xf32>
  // expected-remark @below {{is a pool that starts with several values}}
  %r = linalg.pooling_nhwc_sum {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x8x8x16xf32>, tensor<2x2xf32>) outs(%f : tensor<1x7x7x16xf32>) -> tensor<1x7x7x16xf32>
  return %r : tensor<1x7x7x16xf32>
}

func.func @half(%x: tensor<1x8x8x16xf16>) -> tensor<1x7x7x16xf16> {
  %zero = arith.constant 0.0 : f16
  %w = tensor.empty() : tensor<2x2xf16>
  %e = tensor.empty() : tensor<1x7x7x16xf16>
  %f = linalg.fill ins(%zero : f16) outs(%e : tensor<1x7x7x16xf16>) -> tensor<1x7x7x16xf16>
  // expected-remark @below {{is a pool of another type than f32, f64, i8 and i32}}
  %r = linalg.pooling_nhwc_max {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
    ins(%x, %w : tensor<1x8x8x16xf16>, tensor<2x2xf16>) outs(%f : tensor<1x7x7x16xf16>) -> tensor<1x7x7x16xf16>
  return %r : tensor<1x7x7x16xf16>
}
