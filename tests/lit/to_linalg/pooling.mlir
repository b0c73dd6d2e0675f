// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @maximum
// CHECK-DAG: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
// CHECK: tensor.pad %{{.*}} low[0, 0, 1, 1] high[0, 0, 1, 1]
// CHECK: tensor.yield %[[LOWEST]] : f32
// CHECK: linalg.pooling_nchw_max
func.func @maximum(%x: tensor<?x3x?x?xf32>) -> tensor<*xf32> {
  %0 = onnx.MaxPool(%x) {kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>} : (tensor<?x3x?x?xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// The named op compares as signed: bytes less 128.
// CHECK-LABEL: func.func @unsigned
// CHECK: arith.addi %{{.*}}, %c-128_i8
// CHECK: linalg.pooling_ncw_max
// CHECK: arith.addi %{{.*}}, %c-128_i8
func.func @unsigned(%x: tensor<1x3x9xui8>) -> tensor<*xui8> {
  %0 = onnx.MaxPool(%x) {kernel_shape = array<i64: 3>} : (tensor<1x3x9xui8>) -> tensor<*xui8>
  return %0 : tensor<*xui8>
}

// CHECK-LABEL: func.func @average
// CHECK: linalg.pooling_ncw_sum {{.*}} outs(%{{.*}} : tensor<1x3x7xf32>)
// CHECK: arith.divf
// CHECK: arith.truncf
func.func @average(%x: tensor<1x3x9xf16>) -> tensor<*xf16> {
  %0 = onnx.AveragePool(%x) {kernel_shape = array<i64: 3>} : (tensor<1x3x9xf16>) -> tensor<*xf16>
  return %0 : tensor<*xf16>
}

// CHECK-LABEL: func.func @global
// CHECK: linalg.reduce
// CHECK: tensor.expand_shape %{{.*}} : tensor<?x3xf32> into tensor<?x3x1x1xf32>
func.func @global(%x: tensor<?x3x?x?xf32>) -> tensor<*xf32> {
  %0 = onnx.GlobalAveragePool(%x) : (tensor<?x3x?x?xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// The number of points depends on the region: two loops for each element.

// CHECK-LABEL: func.func @roi_align
// CHECK-SAME: %[[X:.*]]: tensor<?x3x?x?xf32>, %[[R:.*]]: tensor<?x4xf32>, %[[B:.*]]: tensor<?xi64>
// CHECK: cf.assert {{.*}} another number of batch indices
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x3x2x4xf32>)
// CHECK-COUNT-4: tensor.extract %[[R]]
// CHECK: tensor.extract %[[B]]
// CHECK: scf.for
// CHECK: scf.for
// CHECK-COUNT-4: tensor.extract %[[X]]
// CHECK: arith.divf
func.func @roi_align(%x: tensor<?x3x?x?xf32>, %r: tensor<?x4xf32>, %b: tensor<?xi64>) -> tensor<?x3x2x4xf32> {
  %0 = onnx.RoiAlign(%x, %r, %b) {output_height = 2 : i64, output_width = 4 : i64} : (tensor<?x3x?x?xf32>, tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x3x2x4xf32>
  return %0 : tensor<?x3x2x4xf32>
}

// Indices in their windows are looked for there, others everywhere.

// CHECK-LABEL: func.func @max_unpool
// CHECK-SAME: %[[X:.*]]: tensor<1x2x3x3xf32>, %[[I:.*]]: tensor<1x2x3x3xi64>
// CHECK: %[[FIT:.*]] = linalg.generic {{.*}} ins(%[[I]] : tensor<1x2x3x3xi64>) outs(%{{.*}} : tensor<i32>)
// CHECK: cf.assert {{.*}}an index of MaxUnpool is out of range
// CHECK: scf.if
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<2x1xi64>) outs(%{{.*}} : tensor<1x2x6x4xi64>)
// CHECK: } else {
// CHECK: tensor.collapse_shape %[[I]]
// CHECK: tensor.pad
func.func @max_unpool(%x: tensor<1x2x3x3xf32>, %i: tensor<1x2x3x3xi64>, %s: tensor<4xi64>) -> tensor<?x?x?x?xf32> {
  %0 = onnx.MaxUnpool(%x, %i, %s) {kernel_shape = array<i64: 3, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 1, 1, 1>} : (tensor<1x2x3x3xf32>, tensor<1x2x3x3xi64>, tensor<4xi64>) -> tensor<?x?x?x?xf32>
  return %0 : tensor<?x?x?x?xf32>
}
