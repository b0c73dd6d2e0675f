// RUN: omb-opt %s --omb-simplify --convert-onnx-to-linalg --canonicalize --cse --split-input-file | FileCheck %s

// Whole scales repeat elements: nothing is computed.

// CHECK-LABEL: func.func @repeat
// CHECK-SAME: %[[X:.*]]: tensor<1x3x?x5xf32>
// CHECK-NOT: arith.divf
// CHECK: %[[B:.*]] = linalg.broadcast ins(%[[X]] : tensor<1x3x?x5xf32>) outs(%{{.*}} : tensor<1x3x?x2x5x2xf32>) dimensions = [3, 5]
// CHECK: tensor.collapse_shape %[[B]] {{\[}}[0], [1], [2, 3], [4, 5]]
// CHECK-NOT: linalg.generic
func.func @repeat(%x: tensor<1x3x?x5xf32>) -> tensor<1x3x?x10xf32> {
  %s = onnx.Constant() {value = dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>} : () -> tensor<4xf32>
  %0 = onnx.Resize(%x, none, %s) {coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"} : (tensor<1x3x?x5xf32>, tensor<4xf32>) -> tensor<1x3x?x10xf32>
  return %0 : tensor<1x3x?x10xf32>
}

// -----

// Other scales: a table of positions for each resized axis, which the large op
// reads.

// CHECK-LABEL: func.func @nearest
// CHECK-SAME: %[[X:.*]]: tensor<1x3x4x4xf32>
// CHECK: %[[ROWS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<6xi32>)
// CHECK: %[[COLUMNS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<3xi32>)
// CHECK: linalg.generic {{.*}} ins(%[[ROWS]], %[[COLUMNS]] : tensor<6xi32>, tensor<3xi32>) outs(%{{.*}} : tensor<1x3x6x3xf32>)
// CHECK-NOT: arith.divf
// CHECK: tensor.extract %[[X]]
func.func @nearest(%x: tensor<1x3x4x4xf32>) -> tensor<1x3x6x3xf32> {
  %s = onnx.Constant() {value = dense<[6, 3]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Resize(%x, none, none, %s) {axes = array<i64: 2, 3>} : (tensor<1x3x4x4xf32>, tensor<2xi64>) -> tensor<1x3x6x3xf32>
  return %0 : tensor<1x3x6x3xf32>
}

// -----

// Linear: for each axis, two positions and two weights.

// CHECK-LABEL: func.func @linear
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<6xi32>, tensor<6xf32>, tensor<6xi32>, tensor<6xf32>) outs(%{{.*}} : tensor<1x6x4xf32>)
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<3xi32>, tensor<3xf32>, tensor<3xi32>, tensor<3xf32>) outs(%{{.*}} : tensor<1x6x3xf32>)
func.func @linear(%x: tensor<1x4x4xf32>) -> tensor<1x6x3xf32> {
  %s = onnx.Constant() {value = dense<[6, 3]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Resize(%x, none, none, %s) {axes = array<i64: 1, 2>, mode = "linear"} : (tensor<1x4x4xf32>, tensor<2xi64>) -> tensor<1x6x3xf32>
  return %0 : tensor<1x6x3xf32>
}

// -----

// Stretched filters take as many elements as the scale asks for: a loop.

// CHECK-LABEL: func.func @antialias
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<3x8xi32>)
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<3x8xf32>)
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel"]{{.*}} outs(%{{.*}} : tensor<3xf32>)
// CHECK: scf.for %{{.*}} = %c0 to %c8 step %c1
func.func @antialias(%x: tensor<12xf32>) -> tensor<3xf32> {
  %s = onnx.Constant() {value = dense<3> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Resize(%x, none, none, %s) {antialias = 1 : i64, mode = "linear"} : (tensor<12xf32>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// Integers are computed in floats, rounded and kept in range. The scale is
// computed.

// CHECK-LABEL: func.func @integers
// CHECK-SAME: %[[X:.*]]: tensor<?xi8>, %[[S:.*]]: tensor<1xf32>
// CHECK: tensor.extract %[[S]]
// CHECK: math.floor
// CHECK: arith.uitofp %{{.*}} : i8 to f32
// CHECK: math.roundeven
// CHECK: arith.fptoui
func.func @integers(%x: tensor<?xui8>, %s: tensor<1xf32>) -> tensor<?xui8> {
  %0 = onnx.Resize(%x, none, %s) {mode = "cubic"} : (tensor<?xui8>, tensor<1xf32>) -> tensor<?xui8>
  return %0 : tensor<?xui8>
}

// -----

// What lies outside the region of interest gets the extrapolation value.

// CHECK-LABEL: func.func @crop
// CHECK: %[[V:.*]] = arith.constant 7.000000e+00 : f32
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[V]] : f32
func.func @crop(%x: tensor<4xf32>, %roi: tensor<2xf32>) -> tensor<3xf32> {
  %s = onnx.Constant() {value = dense<3> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Resize(%x, %roi, none, %s) {coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = 7.0 : f32, mode = "linear"} : (tensor<4xf32>, tensor<2xf32>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// A tensor of coordinates for each spatial dimension, computed once for all
// channels. The large op reads four elements, each of them inside.

// CHECK-LABEL: func.func @grid_sample
// CHECK-SAME: %[[X:.*]]: tensor<?x3x?x5xf32>, %[[G:.*]]: tensor<?x?x7x2xf32>
// CHECK: cf.assert {{.*}} differ in batch size
// CHECK: cf.assert {{.*}} samples a dimension of size 0
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel"]{{.*}} outs(%{{.*}} : tensor<?x?x7xf32>)
// CHECK: tensor.extract %[[G]]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel"]{{.*}} outs(%{{.*}} : tensor<?x?x7xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<?x?x7xf32>, tensor<?x?x7xf32>) outs(%{{.*}} : tensor<?x3x?x7xf32>)
// CHECK-COUNT-4: tensor.extract %[[X]]
// CHECK-NOT: tensor.extract %[[X]]
// CHECK: linalg.yield
func.func @grid_sample(%x: tensor<?x3x?x5xf32>, %g: tensor<?x?x7x2xf32>) -> tensor<?x3x?x7xf32> {
  %0 = onnx.GridSample(%x, %g) : (tensor<?x3x?x5xf32>, tensor<?x?x7x2xf32>) -> tensor<?x3x?x7xf32>
  return %0 : tensor<?x3x?x7xf32>
}

// -----

// The nearest elements are moved as they are.

// CHECK-LABEL: func.func @grid_sample_nearest
// CHECK-SAME: %[[X:.*]]: tensor<1x1x4x5xi8>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x1x2x3xi8>)
// CHECK: math.roundeven
// CHECK: %[[E:.*]] = tensor.extract %[[X]]
// CHECK-NEXT: linalg.yield %[[E]]
func.func @grid_sample_nearest(%x: tensor<1x1x4x5xui8>, %g: tensor<1x2x3x2xf16>) -> tensor<1x1x2x3xui8> {
  %0 = onnx.GridSample(%x, %g) {mode = "nearest", padding_mode = "border"} : (tensor<1x1x4x5xui8>, tensor<1x2x3x2xf16>) -> tensor<1x1x2x3xui8>
  return %0 : tensor<1x1x2x3xui8>
}

// -----

// Four dimensions of four elements each: the outermost is a loop.

// CHECK-LABEL: func.func @grid_sample_many
// CHECK: scf.for %{{.*}} = %c1 to %c4 step %c1
func.func @grid_sample_many(%x: tensor<1x1x3x3x3x3xf32>, %g: tensor<1x1x1x1x1x4xf32>) -> tensor<1x1x1x1x1x1xf32> {
  %0 = onnx.GridSample(%x, %g) {mode = "cubic"} : (tensor<1x1x3x3x3x3xf32>, tensor<1x1x1x1x1x4xf32>) -> tensor<1x1x1x1x1x1xf32>
  return %0 : tensor<1x1x1x1x1x1xf32>
}

// -----

// CHECK-LABEL: func.func @affine_grid
// CHECK-SAME: %[[T:.*]]: tensor<?x2x3xf16>
// CHECK: cf.assert {{.*}} differ in batch size
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x?x?x2xf16>)
// CHECK-COUNT-3: tensor.extract %[[T]]
// CHECK: arith.truncf
func.func @affine_grid(%t: tensor<?x2x3xf16>, %s: tensor<4xi64>) -> tensor<?x?x?x2xf16> {
  %0 = onnx.AffineGrid(%t, %s) : (tensor<?x2x3xf16>, tensor<4xi64>) -> tensor<?x?x?x2xf16>
  return %0 : tensor<?x?x?x2xf16>
}

// -----

// The coordinate is a fraction of sizes: half way between two elements is told
// from next to it. In i64 where the sizes may be large.

// CHECK-LABEL: func.func @exact
// CHECK-NOT: arith.divf
// CHECK: arith.floordivsi %{{.*}}, %{{.*}} : i32
func.func @exact(%x: tensor<4xf32>) -> tensor<6xf32> {
  %s = onnx.Constant() {value = dense<6> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Resize(%x, none, none, %s) {nearest_mode = "round_prefer_ceil"} : (tensor<4xf32>, tensor<1xi64>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

// CHECK-LABEL: func.func @exact_dynamic
// CHECK: cf.assert %{{.*}}, "Resize has nothing to sample in a dimension of 0 elements"
// CHECK: arith.floordivsi %{{.*}}, %{{.*}} : i64
func.func @exact_dynamic(%x: tensor<?xf32>, %s: tensor<1xi64>) -> tensor<?xf32> {
  %0 = onnx.Resize(%x, none, none, %s) {coordinate_transformation_mode = "align_corners", nearest_mode = "floor"} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
