// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// A batch that only the left operand has joins the rows.
// CHECK-LABEL: func.func @one_matrix
// CHECK: %[[A:.*]] = tensor.collapse_shape %arg0 {{\[\[}}0, 1], [2]]
// CHECK: linalg.matmul ins(%[[A]], %arg1 : tensor<?x5xf32>, tensor<5x7xf32>)
// CHECK: tensor.expand_shape
// CHECK-NOT: cf.assert
func.func @one_matrix(%a: tensor<?x3x5xf32, #onnx.dims<"b", ?, ?>>, %b: tensor<5x7xf32>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<?x3x5xf32, #onnx.dims<"b", ?, ?>>, tensor<5x7xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @batch
// CHECK-NOT: cf.assert
// CHECK: linalg.batch_matmul ins(%{{.*}}, %{{.*}} : tensor<?x?x64xf32>, tensor<?x64x?xf32>)
func.func @batch(%a: tensor<?x12x?x64xf32, #onnx.dims<"b", ?, "s", ?>>, %b: tensor<?x12x64x?xf32, #onnx.dims<"b", ?, ?, "s">>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<?x12x?x64xf32, #onnx.dims<"b", ?, "s", ?>>, tensor<?x12x64x?xf32, #onnx.dims<"b", ?, ?, "s">>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Sizes that the types don't show to be equal: the batch may be 1, the inner
// dimension may not.
// CHECK-LABEL: func.func @uncertain
// CHECK: cf.assert %{{.*}}, "dimensions of the operands don't fit
// CHECK: tensor.extract
// CHECK: linalg.batch_matmul
func.func @uncertain(%a: tensor<?x4x?xf32, #onnx.dims<"a", ?, "k">>, %b: tensor<?x?x6xf32, #onnx.dims<"b", "l", ?>>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<?x4x?xf32, #onnx.dims<"a", ?, "k">>, tensor<?x?x6xf32, #onnx.dims<"b", "l", ?>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @inner_is_static
// CHECK: %[[K:.*]] = arith.cmpi eq, %{{.*}}, %c5 : index
// CHECK: cf.assert %[[K]]
// CHECK: linalg.matmul ins(%{{.*}}, %arg1 : tensor<4x5xf32>, tensor<5x6xf32>)
func.func @inner_is_static(%a: tensor<4x?xf32, #onnx.dims<?, "k">>, %b: tensor<5x6xf32>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<4x?xf32, #onnx.dims<?, "k">>, tensor<5x6xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @vectors
// CHECK: linalg.vecmat
// CHECK: linalg.matvec
// CHECK: linalg.dot
func.func @vectors(%v: tensor<5xf32>, %m: tensor<5x6xf32>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%v, %m) : (tensor<5xf32>, tensor<5x6xf32>) -> tensor<*xf32>
  %1 = onnx.MatMul(%m, %0) : (tensor<5x6xf32>, tensor<*xf32>) -> tensor<*xf32>
  %2 = onnx.MatMul(%v, %1) : (tensor<5xf32>, tensor<*xf32>) -> tensor<*xf32>
  return %2 : tensor<*xf32>
}

// -----

// f16 is summed in f32 and rounded once.
// CHECK-LABEL: func.func @half
// CHECK: linalg.matmul ins(%arg0, %arg1 : tensor<4x5xf16>, tensor<5x6xf16>) outs(%{{.*}} : tensor<4x6xf32>)
// CHECK: arith.truncf {{.*}} : f32 to f16
func.func @half(%a: tensor<4x5xf16>, %b: tensor<5x6xf16>) -> tensor<*xf16> {
  %0 = onnx.MatMul(%a, %b) : (tensor<4x5xf16>, tensor<5x6xf16>) -> tensor<*xf16>
  return %0 : tensor<*xf16>
}

// -----

// Nothing to sum: zeros.
// CHECK-LABEL: func.func @empty
// CHECK-NOT: linalg.matmul
// CHECK: return %{{.*}} : tensor<4x6xf32>
func.func @empty(%a: tensor<4x0xf32>, %b: tensor<0x6xf32>) -> tensor<*xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<4x0xf32>, tensor<0x6xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Transposed operands are read as they are; the bias is added afterwards.
// CHECK-DAG: #[[A:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-DAG: #[[B:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func @gemm
// CHECK-NOT: linalg.transpose
// CHECK: linalg.matmul indexing_maps = [#[[A]], #[[B]], #{{.*}}] ins(%arg0, %arg1
// CHECK: linalg.generic
// CHECK: %[[S:.*]] = arith.mulf %{{.*}}, %cst
// CHECK: arith.addf %{{.*}}, %[[S]]
func.func @gemm(%a: tensor<5x?xf32, #onnx.dims<?, "m">>, %b: tensor<7x5xf32>, %c: tensor<7xf32>) -> tensor<*xf32> {
  %0 = onnx.Gemm(%a, %b, %c) {beta = 2.0 : f32, transA = 1, transB = 1} : (tensor<5x?xf32, #onnx.dims<?, "m">>, tensor<7x5xf32>, tensor<7xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Neighboring labels are one dimension of the product.
// CHECK-LABEL: func.func @einsum_merges
// CHECK: linalg.batch_matmul indexing_maps
// CHECK-SAME: tensor<24x5x8xf32>, tensor<24x6x8xf32>
func.func @einsum_merges(%a: tensor<2x12x5x8xf32>, %b: tensor<2x12x6x8xf32>) -> tensor<*xf32> {
  %0 = onnx.Einsum(%a, %b) {equation = "bhid,bhjd->bhij"} : (tensor<2x12x5x8xf32>, tensor<2x12x6x8xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// A sum over labels of one operand comes before the product.
// CHECK-LABEL: func.func @einsum_sums
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel"]
func.func @einsum_sums(%a: tensor<2x3xf32>, %b: tensor<4xf32>) -> tensor<*xf32> {
  %0 = onnx.Einsum(%a, %b) {equation = "ij,k->ik"} : (tensor<2x3xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @det
// CHECK: scf.for
// CHECK: return %{{.*}} : tensor<?xf32>
func.func @det(%x: tensor<?x3x3xf32, #onnx.dims<"b", ?, ?>>) -> tensor<*xf32> {
  %0 = onnx.Det(%x) : (tensor<?x3x3xf32, #onnx.dims<"b", ?, ?>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// 16-bit floats are eliminated in f32, whatever is known of the sizes.

// CHECK-LABEL: func.func @det_half
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK: scf.for {{.*}} -> (tensor<?x?x?xf32>, tensor<?xf32>)
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @det_half(%x: tensor<?x?x?xf16>) -> tensor<*xf16> {
  %0 = onnx.Det(%x) : (tensor<?x?x?xf16>) -> tensor<*xf16>
  return %0 : tensor<*xf16>
}
