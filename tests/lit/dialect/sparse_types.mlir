// RUN: omb-opt %s | omb-opt | FileCheck %s
// RUN: omb-opt %s --omb-simplify | FileCheck %s --check-prefix=SIMPLE
// RUN: omb-opt %s --onnx-densify-constants | FileCheck %s --check-prefix=DENSE
// RUN: omb-opt %s --onnx-sparsify-constants=mode=on | FileCheck %s --check-prefix=ON
// RUN: omb-opt %s --onnx-sparsify-constants=mode=off | FileCheck %s
// RUN: not omb-opt %s --onnx-sparsify-constants=mode=all 2>&1 | FileCheck %s --check-prefix=MODE
// RUN: not omb-opt %s --onnx-sparsify-constants=costs=all 2>&1 | FileCheck %s --check-prefix=COSTS
// RUN: omb-opt %s --onnx-sparsify-constants=annotate | FileCheck %s --check-prefix=SAYS
// RUN: omb-opt %s --onnx-sparsify-constants="annotate mode=on costs=loops" | FileCheck %s --check-prefix=LOOPS

#COO = #sparse_tensor.encoding<{ map = (k, n) -> (k : compressed(nonunique), n : singleton(soa)) }>
#VECTOR = #sparse_tensor.encoding<{ map = (i) -> (i : compressed) }>
#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// COSTS: error: costs are of kernels, matrix, loops or threads, not all

// MODE: error: mode is off, auto or on, not all

// CHECK-DAG: #[[COO:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : compressed(nonunique), d1 : singleton(soa)) }>
// ON-DAG:    #[[FILTERS:.*]] = #sparse_tensor.encoding<{ map = (d0, d1, d2, d3) -> (d0 : dense, d1 : compressed(nonunique), d2 : singleton(nonunique, soa), d3 : singleton(soa)) }>
// ON-DAG:    #[[CHANNELS:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed) }>

// The type goes through shape inference, and what can't be sparse is dense before it.
// CHECK-LABEL:  func.func @matmul
// CHECK:          onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 2], [3, 1]], [1.000000e+00, 2.000000e+00]> : tensor<4x3xf32, #[[COO]]>} : () -> tensor<4x3xf32, #[[COO]]>
// SIMPLE-LABEL: func.func @matmul
// SIMPLE:         sparse_value = sparse<{{.*}}> : tensor<4x3xf32, #{{.*}}>} : () -> tensor<4x3xf32, #{{.*}}>
// SIMPLE:         onnx.MatMul{{.*}} -> tensor<?x3xf32, #onnx.dims<"m", ?>>
// DENSE-LABEL:  func.func @matmul
// DENSE:          value = dense<{{\[\[}}0.000000e+00, 0.000000e+00, 1.000000e+00], [0.000000e+00, 0.000000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00, 0.000000e+00], [0.000000e+00, 2.000000e+00, 0.000000e+00]]> : tensor<4x3xf32>
// ON-LABEL:     func.func @matmul
// ON:             %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 2], [3, 1]], {{.*}}> : tensor<4x3xf32, #[[CHANNELS]]>}
// ON:             onnx.MatMul(%{{.*}}, %[[W]])
func.func @matmul(%x: tensor<?x4xf32, #onnx.dims<"m", ?>>) -> tensor<?x?xf32> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 2], [3, 1]], [1.0, 2.0]> : tensor<4x3xf32, #COO>} : () -> tensor<4x3xf32, #COO>
  %0 = onnx.MatMul(%x, %w) : (tensor<?x4xf32, #onnx.dims<"m", ?>>, tensor<4x3xf32, #COO>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// A format that has kernels stays, without a pass that chooses one.
// CHECK-LABEL: func.func @channels
// DENSE-LABEL: func.func @channels
// DENSE:         sparse_value = sparse<
// ON-LABEL:    func.func @channels
func.func @channels(%x: tensor<5x4xf32>) -> tensor<5x3xf32> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 2], [3, 1]], [1.0, 2.0]> : tensor<4x3xf32, #CHANNELS>} : () -> tensor<4x3xf32, #CHANNELS>
  %0 = onnx.MatMul(%x, %w) : (tensor<5x4xf32>, tensor<4x3xf32, #CHANNELS>) -> tensor<5x3xf32>
  return %0 : tensor<5x3xf32>
}

// Transposed weights are turned, whatever transposes them; two products share one constant.
// CHECK-LABEL: func.func @transposed
// SIMPLE-LABEL: func.func @transposed
// DENSE-LABEL: func.func @transposed
// ON-LABEL:    func.func @transposed
// ON:            %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}1, 3], [2, 0]], [2.000000e+00, 1.000000e+00]> : tensor<3x4xf32, #[[CHANNELS]]>}
// ON:            onnx.MatMul(%{{.*}}, %[[W]])
// ON:            %[[W2:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}1, 3], [2, 0]], {{.*}} : tensor<3x4xf32, #[[CHANNELS]]>}
// ON:            onnx.Gemm(%{{.*}}, %[[W2]]){{.*}}transB = 0
func.func @transposed(%x: tensor<5x3xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>) {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 2], [3, 1]], [1.0, 2.0]> : tensor<4x3xf32, #COO>} : () -> tensor<4x3xf32, #COO>
  %t = onnx.Transpose(%w) {perm = array<i64: 1, 0>} : (tensor<4x3xf32, #COO>) -> tensor<3x4xf32>
  %i = onnx.Identity(%t) : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %0 = onnx.MatMul(%x, %i) : (tensor<5x3xf32>, tensor<3x4xf32>) -> tensor<5x4xf32>
  %1 = onnx.Gemm(%x, %w) {transB = 1 : i64} : (tensor<5x3xf32>, tensor<4x3xf32, #COO>) -> tensor<5x4xf32>
  return %0, %1 : tensor<5x4xf32>, tensor<5x4xf32>
}

// What reads shapes, indices and the like finds them.
// SIMPLE-LABEL: func.func @shape
// SIMPLE:         onnx.Reshape{{.*}} -> tensor<6x4xf32>
// ON-LABEL:     func.func @shape
// ON:             sparse_value = sparse<{{\[\[}}0], [1]], [6, 4]> : tensor<2xi64
func.func @shape(%x: tensor<3x8xf32>) -> tensor<?x?xf32> {
  %s = onnx.Constant() {sparse_value = sparse<[[0], [1]], [6, 4]> : tensor<2xi64, #VECTOR>} : () -> tensor<2xi64, #VECTOR>
  %0 = onnx.Reshape(%x, %s) : (tensor<3x8xf32>, tensor<2xi64, #VECTOR>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// Dense weights become sparse where half of them are zeros. What is expected is said whether or not they do.
// SAYS-LABEL: func.func @dense
// SAYS:         value = dense<
// SAYS:         onnx.MatMul{{.*}} {onnx.sparse_estimate = {bytes = 24 : i64, cost = 3.350000e+00 : f64, dense_bytes = 16 : i64, form = "channels", sparse = false}}
// LOOPS-LABEL: func.func @dense
// LOOPS:         sparse_value = sparse<
// LOOPS:        onnx.MatMul{{.*}} {onnx.sparse_estimate = {bytes = 24 : i64, cost = 2.100000e+00 : f64, dense_bytes = 16 : i64, form = "channels", sparse = true}}
// ON-LABEL: func.func @dense
// ON:         sparse_value = sparse<{{\[\[}}0, 1], [1, 0]], [3.000000e+00, 4.000000e+00]> : tensor<2x2xf32, #[[CHANNELS]]>
// ON-LABEL: func.func @full
// ON:         value = dense<
func.func @dense(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  %w = onnx.Constant() {value = dense<[[0.0, 3.0], [4.0, 0.0]]> : tensor<2x2xf32>} : () -> tensor<2x2xf32>
  %0 = onnx.MatMul(%x, %w) : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %0 : tensor<5x2xf32>
}
func.func @full(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  %w = onnx.Constant() {value = dense<[[1.0, 3.0], [4.0, 0.0]]> : tensor<2x2xf32>} : () -> tensor<2x2xf32>
  %0 = onnx.MatMul(%x, %w) : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %0 : tensor<5x2xf32>
}

// For a k, all of 16 channels have a value, or none has.
// ON-LABEL: func.func @blocks
// ON:         tensor<4x16xf32, #[[BLOCKS:.*]]>
func.func @blocks(%x: tensor<5x4xf32>) -> tensor<5x16xf32> {
  %w = onnx.Constant() {value = dense<[
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]]> : tensor<4x16xf32>} : () -> tensor<4x16xf32>
  %0 = onnx.MatMul(%x, %w) : (tensor<5x4xf32>, tensor<4x16xf32>) -> tensor<5x16xf32>
  return %0 : tensor<5x16xf32>
}

// Filters: features one by one, or, of one position, 16 of them; not those of groups, nor those of several positions of
// images of unknown size.
#COO4 = #sparse_tensor.encoding<{ map = (f, c, y, x) -> (f : compressed(nonunique), c : singleton(nonunique, soa), y : singleton(nonunique, soa), x : singleton(soa)) }>
// CHECK-LABEL:  func.func @filters
// SIMPLE-LABEL: func.func @filters
// SIMPLE:         sparse_value = sparse<{{.*}}> : tensor<2x3x2x2xf32, #{{.*}}>}
// DENSE-LABEL:  func.func @filters
// DENSE:          value = dense<
// ON-LABEL:     func.func @filters
// ON:             %[[W:.*]] = onnx.Constant() {sparse_value = sparse<{{\[\[}}0, 2, 1, 0], [1, 0, 0, 1]], [1.000000e+00, 2.000000e+00]> : tensor<2x3x2x2xf32, #[[FILTERS]]>}
// ON:             onnx.Conv(%{{.*}}, %[[W]])
func.func @filters(%x: tensor<?x3x7x7xf32, #onnx.dims<"n", ?, ?, ?>>) -> tensor<?x2x6x6xf32, #onnx.dims<"n", ?, ?, ?>> {
  %w = onnx.Constant() {sparse_value = sparse<[[0, 2, 1, 0], [1, 0, 0, 1]], [1.0, 2.0]> : tensor<2x3x2x2xf32, #COO4>} : () -> tensor<2x3x2x2xf32, #COO4>
  %0 = onnx.Conv(%x, %w) : (tensor<?x3x7x7xf32, #onnx.dims<"n", ?, ?, ?>>, tensor<2x3x2x2xf32, #COO4>) -> tensor<?x2x6x6xf32, #onnx.dims<"n", ?, ?, ?>>
  return %0 : tensor<?x2x6x6xf32, #onnx.dims<"n", ?, ?, ?>>
}

// ON-LABEL:     func.func @filters_without_kernels
// ON-COUNT-2:     value = dense<
// ON-NOT:         sparse_value
// ON:             return
func.func @filters_without_kernels(%x: tensor<1x4x7x7xf32>, %u: tensor<1x4x?x7xf32>) -> (tensor<1x2x6x6xf32>, tensor<1x2x?x6xf32>) {
  %w = onnx.Constant() {value = dense<0.0> : tensor<2x2x2x2xf32>} : () -> tensor<2x2x2x2xf32>
  %v = onnx.Constant() {value = dense<0.0> : tensor<2x4x2x2xf32>} : () -> tensor<2x4x2x2xf32>
  %0 = onnx.Conv(%x, %w) {group = 2 : i64} : (tensor<1x4x7x7xf32>, tensor<2x2x2x2xf32>) -> tensor<1x2x6x6xf32>
  %1 = onnx.Conv(%u, %v) : (tensor<1x4x?x7xf32>, tensor<2x4x2x2xf32>) -> tensor<1x2x?x6xf32>
  return %0, %1 : tensor<1x2x6x6xf32>, tensor<1x2x?x6xf32>
}
