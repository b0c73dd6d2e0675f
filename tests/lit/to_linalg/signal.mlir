// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// Short: one product with a matrix.

// CHECK-LABEL: func.func @short
// CHECK: arith.constant dense<{{.*}}> : tensor<{{.*}}xf32>
// CHECK: linalg.matmul
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @short(%x: tensor<?x16x2xf32>) -> tensor<?x16x2xf32> {
  %0 = onnx.DFT(%x) : (tensor<?x16x2xf32>) -> tensor<?x16x2xf32>
  return %0 : tensor<?x16x2xf32>
}

// -----

// 400 = 20 * 20: two products, with twiddles between.

// CHECK-LABEL: func.func @split
// CHECK: tensor.expand_shape %{{.*}} into tensor<3x20x20x1xf32>
// CHECK: linalg.generic {{.*}} : tensor<3x20x20x2xf32>, tensor<20x20x2x2xf32>) outs(%{{.*}} : tensor<3x20x20x2xf32>)
// CHECK: tensor.collapse_shape %{{.*}} into tensor<3x220x2xf32>
// CHECK: tensor.extract_slice {{.*}} to tensor<3x201x2xf32>
func.func @split(%x: tensor<3x400x1xf32>) -> tensor<3x201x2xf32> {
  %0 = onnx.DFT(%x) {onesided = 1 : i64} : (tensor<3x400x1xf32>) -> tensor<3x201x2xf32>
  return %0 : tensor<3x201x2xf32>
}

// -----

// A length that only the run tells: roots from a table.

// CHECK-LABEL: func.func @dynamic
// CHECK: cf.assert {{.*}} "the signal is too short for a DFT"
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?xf32>)
// CHECK: iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: arith.remsi
// CHECK: tensor.extract
func.func @dynamic(%x: tensor<2x?x1xf32>) -> tensor<2x?x2xf32> {
  %0 = onnx.DFT(%x) : (tensor<2x?x1xf32>) -> tensor<2x?x2xf32>
  return %0 : tensor<2x?x2xf32>
}
