// RUN: omb-opt %s --onnx-convert-sparse-constants=to=coo | FileCheck %s --check-prefix=COO
// RUN: omb-opt %s --onnx-convert-sparse-constants=to=csr | FileCheck %s --check-prefix=CSR
// RUN: omb-opt %s --onnx-convert-sparse-constants | FileCheck %s --check-prefix=CSC
// RUN: omb-opt %s --onnx-convert-sparse-constants="to=bsr block-rows=2 block-columns=3" | FileCheck %s --check-prefix=BSR
// RUN: omb-opt %s --onnx-convert-sparse-constants=to=nm | FileCheck %s --check-prefix=NM
// RUN: omb-opt %s --onnx-convert-sparse-constants=to=nm | omb-opt --onnx-densify-constants | FileCheck %s --check-prefix=DENSE
// RUN: omb-opt %s --onnx-convert-sparse-constants=to=nm | omb-opt --onnx-sparsify-constants=mode=on | FileCheck %s --check-prefix=KERNEL
// RUN: omb-opt %s --onnx-convert-sparse-constants="to=bsr block-columns=3" | FileCheck %s --check-prefix=LINES
// RUN: not omb-opt %s --onnx-convert-sparse-constants=to=ell 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not omb-opt %s --onnx-convert-sparse-constants="to=nm kept=5" 2>&1 | FileCheck %s --check-prefix=SIZES
// RUN: not omb-opt %s --onnx-convert-sparse-constants="to=nm kept=1" 2>&1 | FileCheck %s --check-prefix=FULL
// RUN: not omb-opt %s --onnx-convert-sparse-constants="to=nm group=5" 2>&1 | FileCheck %s --check-prefix=GROUP
// RUN: not omb-opt %s --onnx-convert-sparse-constants="to=bsr block-columns=16" 2>&1 | FileCheck %s --check-prefix=BLOCK

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>

// NAME: error: there is no format 'ell', but coo, csr, csc, bsr and nm
// SIZES: error: a block or group has no such sizes
// FULL: error: can't have the format nm: rows 4 to 7 have more than 1 values in column 1
// GROUP: error: can't have the format nm: its rows aren't a multiple of a group
// BLOCK: error: can't have the format bsr: its sizes aren't multiples of the block's

// COO: #[[F:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : compressed(nonunique), d1 : singleton(soa)) }>
// CSR: #[[F:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : dense, d1 : compressed) }>
// CSC: #[[F:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed) }>
// BSR: #[[F:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 floordiv 2 : dense, d1 floordiv 3 : compressed, d0 mod 2 : dense, d1 mod 3 : dense) }>
// LINES: #[[F:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : dense, d1 floordiv 3 : compressed, d1 mod 3 : dense) }>
// NM:  #[[F:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 floordiv 4 : dense, d0 mod 4 : structured[2, 4]) }>

// The stored elements and what reads them stay.
// COO: onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 2], [4, 1], [5, 1]], [1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<8x3xf32, #[[F]]>} : () -> tensor<8x3xf32, #[[F]]>
// CSR: onnx.Constant() {{.*}} : () -> tensor<8x3xf32, #[[F]]>
// CSC: onnx.Constant() {{.*}} : () -> tensor<8x3xf32, #[[F]]>
// BSR: onnx.Constant() {{.*}} : () -> tensor<8x3xf32, #[[F]]>
// NM:  %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 2], [4, 1], [5, 1]], [1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<8x3xf32, #[[F]]>} : () -> tensor<8x3xf32, #[[F]]>
// NM:  onnx.MatMul(%{{.*}}, %[[W]])
// DENSE: value = dense<{{\[\[}}0.000000e+00, 0.000000e+00, 1.000000e+00], {{.*}} : tensor<8x3xf32>
// KERNEL-DAG: #[[CHANNELS:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed) }>
// KERNEL: onnx.MatMul(%{{.*}}, %{{.*}}) : (tensor<?x8xf32>, tensor<8x3xf32, #[[CHANNELS]]>)
func.func @matmul(%x: tensor<?x8xf32>) -> tensor<?x3xf32> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 2], [4, 1], [5, 1]], [1.0, 2.0, 3.0]> : tensor<8x3xf32, #COO>} : () -> tensor<8x3xf32, #COO>
  %0 = onnx.MatMul(%x, %w) : (tensor<?x8xf32>, tensor<8x3xf32, #COO>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}
