// RUN: omb-opt %s --omb-vectorize-kernels --verify-diagnostics

// expected-error@+1 {{isn't a kernel of omb-outline-kernels}}
func.func private @kernel(%x: tensor<4xf32>) -> tensor<4xf32> attributes {omb.kernel} {
  return %x : tensor<4xf32>
}
