// RUN: omb-opt %s --omb-simplify --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @batches_are_broadcast
// CHECK: -> tensor<?x4x?x6xf32, #onnx.dims<"b", ?, "m", ?>>
func.func @batches_are_broadcast(%a: tensor<?x1x?x5xf32, #onnx.dims<"b", ?, "m", ?>>, %b: tensor<4x5x6xf32>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<?x1x?x5xf32, #onnx.dims<"b", ?, "m", ?>>, tensor<4x5x6xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// CHECK-LABEL: func.func @vectors
// CHECK: onnx.MatMul(%arg0, %arg1) : {{.*}} -> tensor<6xf32>
// CHECK: onnx.MatMul(%arg1, %{{.*}}) : {{.*}} -> tensor<5xf32>
// CHECK: onnx.MatMul(%arg0, %{{.*}}) : {{.*}} -> tensor<f32>
func.func @vectors(%v: tensor<5xf32>, %m: tensor<5x6xf32>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%v, %m) : (tensor<5xf32>, tensor<5x6xf32>) -> tensor<*xf32>
  %1 = onnx.MatMul(%m, %0) : (tensor<5x6xf32>, tensor<*xf32>) -> tensor<*xf32>
  %2 = onnx.MatMul(%v, %1) : (tensor<5xf32>, tensor<*xf32>) -> tensor<*xf32>
  return %2 : tensor<*xf32>
}

// CHECK-LABEL: func.func @gemm_transposed
// CHECK: -> tensor<?x7xf32, #onnx.dims<"m", ?>>
func.func @gemm_transposed(%a: tensor<5x?xf32, #onnx.dims<?, "m">>, %b: tensor<7x5xf32>, %c: tensor<7xf32>) -> tensor<*xf32> {
  %0 = onnx.Gemm(%a, %b, %c) {transA = 1, transB = 1} : (tensor<5x?xf32, #onnx.dims<?, "m">>, tensor<7x5xf32>, tensor<7xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// CHECK-LABEL: func.func @einsum
// CHECK: equation = "bqhd,bkhd->bhqk"{{.*}} -> tensor<?x12x?x?xf32, #onnx.dims<"b", ?, "q", "k">>
func.func @einsum(%q: tensor<?x?x12x64xf32, #onnx.dims<"b", "q", ?, ?>>, %k: tensor<?x?x12x64xf32, #onnx.dims<"b", "k", ?, ?>>) -> tensor<*xf32> {
  %0 = onnx.Einsum(%q, %k) {equation = "bqhd,bkhd->bhqk"} : (tensor<?x?x12x64xf32, #onnx.dims<"b", "q", ?, ?>>, tensor<?x?x12x64xf32, #onnx.dims<"b", "k", ?, ?>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// The letters that occur once, in the order of their codes, after the ellipsis.
// CHECK-LABEL: func.func @einsum_implicit
// CHECK: -> tensor<2x4x3xf32>
func.func @einsum_implicit(%a: tensor<2x3x5xf32>, %b: tensor<5x4xf32>) -> tensor<*xf32> {
  %0 = onnx.Einsum(%a, %b) {equation = "...bz, zA"} : (tensor<2x3x5xf32>, tensor<5x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// CHECK-LABEL: func.func @det
// CHECK: -> tensor<?xf32, #onnx.dims<"b">>
func.func @det(%x: tensor<?x3x3xf32, #onnx.dims<"b", ?, ?>>) -> tensor<*xf32> {
  %0 = onnx.Det(%x) : (tensor<?x3x3xf32, #onnx.dims<"b", ?, ?>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// CHECK-LABEL: func.func @unknown_rank
// CHECK: onnx.MatMul({{.*}} -> tensor<*xf32>
func.func @unknown_rank(%a: tensor<*xf32>, %b: tensor<5x4xf32>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<*xf32>, tensor<5x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @inner(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't multiply rows of 3 elements by columns of 4}}
  %0 = onnx.MatMul(%a, %b) : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @batch(%a: tensor<2x3x4xf32>, %b: tensor<5x4x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't broadcast dimension 0: its sizes are 2 and 5}}
  %0 = onnx.MatMul(%a, %b) : (tensor<2x3x4xf32>, tensor<5x4x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @scalar(%a: tensor<f32>, %b: tensor<4x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{can't multiply a scalar; use Mul}}
  %0 = onnx.MatMul(%a, %b) : (tensor<f32>, tensor<4x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @gemm_rank(%a: tensor<2x3x4xf32>, %b: tensor<4x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{takes matrices, but has an operand of rank 3}}
  %0 = onnx.Gemm(%a, %b) : (tensor<2x3x4xf32>, tensor<4x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @bias(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>, %c: tensor<2x1x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has a C that can't be broadcast to 2 x 5}}
  %0 = onnx.Gemm(%a, %b, %c) : (tensor<2x3xf32>, tensor<3x5xf32>, tensor<2x1x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @letters(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has an equation with '1', which is no letter}}
  %0 = onnx.Einsum(%a) {equation = "i1->i"} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @operands(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has an equation of 2 operands, but 1 operands}}
  %0 = onnx.Einsum(%a) {equation = "ij,jk->ik"} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @rank(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has an operand 0 of rank 2, but an equation of rank 3 for it}}
  %0 = onnx.Einsum(%a) {equation = "ijk->ik"} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @result(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has an equation with 'k' in the result, but in no operand}}
  %0 = onnx.Einsum(%a) {equation = "ij->k"} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @ellipses(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has an equation with two ellipses in a term}}
  %0 = onnx.Einsum(%a) {equation = "...i...->i"} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @sizes(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{has operands whose sizes differ: 3 and 4 for one label of 'ij,jk->ik'}}
  %0 = onnx.Einsum(%a, %b) {equation = "ij,jk->ik"} : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @square(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{takes square matrices, but has 2 x 3}}
  %0 = onnx.Det(%a) : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
