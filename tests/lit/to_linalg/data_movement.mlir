// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// Constant steps forward: a slice. The bounds are clamped where the size is
// known.

// CHECK-LABEL: func.func @slice
// CHECK-SAME: %[[X:.*]]: tensor<10x5xf32>
// CHECK: tensor.extract_slice %[[X]][2, 0] [4, 5] [2, 1]
func.func @slice(%x: tensor<10x5xf32>) -> tensor<4x5xf32> {
  %s = onnx.Constant() {value_ints = array<i64: 2>} : () -> tensor<1xi64>
  %e = onnx.Constant() {value_ints = array<i64: 9223372036854775807>} : () -> tensor<1xi64>
  %a = onnx.Constant() {value_ints = array<i64: -2>} : () -> tensor<1xi64>
  %t = onnx.Constant() {value_ints = array<i64: 2>} : () -> tensor<1xi64>
  %0 = onnx.Slice(%x, %s, %e, %a, %t) : (tensor<10x5xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// -----

// Every second element of rows whose size isn't known: read one by one.

// CHECK-LABEL: func.func @every_second
// CHECK-NOT: extract_slice
// CHECK: linalg.generic
// CHECK: %[[I:.*]] = linalg.index 0
// CHECK: %[[J:.*]] = linalg.index 1
// CHECK: %[[TWICE:.*]] = arith.muli %[[J]], %{{.*}}
// CHECK: %[[AT:.*]] = arith.addi %[[TWICE]], %{{.*}}
// CHECK: tensor.extract %{{.*}}[%[[I]], %[[AT]]]
func.func @every_second(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %s = onnx.Constant() {value_ints = array<i64: 0>} : () -> tensor<1xi64>
  %e = onnx.Constant() {value_ints = array<i64: 9223372036854775807>} : () -> tensor<1xi64>
  %a = onnx.Constant() {value_ints = array<i64: 1>} : () -> tensor<1xi64>
  %t = onnx.Constant() {value_ints = array<i64: 2>} : () -> tensor<1xi64>
  %0 = onnx.Slice(%x, %s, %e, %a, %t) : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// Backwards.

// CHECK-LABEL: func.func @reverse
// CHECK-SAME: %[[X:.*]]: tensor<3xf32>
// CHECK: linalg.generic
// CHECK: %[[I:.*]] = linalg.index 0
// CHECK: %[[AT:.*]] = arith.subi %{{.*}}, %[[I]]
// CHECK: tensor.extract %[[X]][%[[AT]]]
func.func @reverse(%x: tensor<3xf32>) -> tensor<3xf32> {
  %s = onnx.Constant() {value_ints = array<i64: -1>} : () -> tensor<1xi64>
  %e = onnx.Constant() {value_ints = array<i64: -9223372036854775807>} : () -> tensor<1xi64>
  %a = onnx.Constant() {value_ints = array<i64: 0>} : () -> tensor<1xi64>
  %t = onnx.Constant() {value_ints = array<i64: -1>} : () -> tensor<1xi64>
  %0 = onnx.Slice(%x, %s, %e, %a, %t) : (tensor<3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// Even the axes may be computed.

// CHECK-LABEL: func.func @computed_axes
// CHECK: cf.assert %{{.*}}, "an axis is out of range"
// CHECK: linalg.generic
func.func @computed_axes(%x: tensor<4x5xf32>, %s: tensor<1xi64>, %e: tensor<1xi64>, %a: tensor<1xi64>) -> tensor<?x?xf32> {
  %0 = onnx.Slice(%x, %s, %e, %a) : (tensor<4x5xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// An empty part is left out.

// CHECK-LABEL: func.func @concat
// CHECK-SAME: %[[X:.*]]: tensor<?x2xf32>, %[[Y:.*]]: tensor<?x3xf32>
// CHECK: cf.assert %{{.*}}, "the inputs of Concat differ in another dimension than the axis"
// CHECK: tensor.concat dim(1) %[[X]], %[[Y]] :
func.func @concat(%x: tensor<?x2xf32>, %y: tensor<?x3xf32>, %z: tensor<?x0xf32>) -> tensor<?x5xf32> {
  %0 = onnx.Concat(%x, %y, %z) {axis = -1 : i64} : (tensor<?x2xf32>, tensor<?x3xf32>, tensor<?x0xf32>) -> tensor<?x5xf32>
  return %0 : tensor<?x5xf32>
}

// -----

// The last part is what is left.

// CHECK-LABEL: func.func @split
// CHECK-SAME: %[[X:.*]]: tensor<7xf32>
// CHECK: tensor.extract_slice %[[X]][0] [3] [1]
// CHECK: tensor.extract_slice %[[X]][3] [3] [1]
// CHECK: tensor.extract_slice %[[X]][6] [1] [1]
func.func @split(%x: tensor<7xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<1xf32>) {
  %0, %1, %2 = onnx.Split(%x) {num_outputs = 3 : i64} : (tensor<7xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<1xf32>)
  return %0, %1, %2 : tensor<3xf32>, tensor<3xf32>, tensor<1xf32>
}

// -----

// CHECK-LABEL: func.func @tile
// CHECK-SAME: %[[X:.*]]: tensor<2x?xf32>
// CHECK: %[[B:.*]] = linalg.broadcast ins(%[[X]] : tensor<2x?xf32>) outs(%{{.*}} : tensor<3x2x?xf32>) dimensions = [0]
// CHECK: tensor.collapse_shape %[[B]] {{\[}}[0, 1], [2]] : tensor<3x2x?xf32> into tensor<6x?xf32>
func.func @tile(%x: tensor<2x?xf32>) -> tensor<6x?xf32> {
  %r = onnx.Constant() {value_ints = array<i64: 3, 1>} : () -> tensor<2xi64>
  %0 = onnx.Tile(%x, %r) : (tensor<2x?xf32>, tensor<2xi64>) -> tensor<6x?xf32>
  return %0 : tensor<6x?xf32>
}

// -----

// CHECK-LABEL: func.func @depth_to_space
// CHECK: tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2, 3], [4], [5]]
// CHECK: linalg.transpose {{.*}} permutation = [0, 1, 4, 2, 5, 3]
// CHECK: tensor.collapse_shape {{.*}} into tensor<1x2x6x4xf32>
func.func @depth_to_space(%x: tensor<1x8x3x2xf32>) -> tensor<1x2x6x4xf32> {
  %0 = onnx.DepthToSpace(%x) {blocksize = 2 : i64, mode = "CRD"} : (tensor<1x8x3x2xf32>) -> tensor<1x2x6x4xf32>
  return %0 : tensor<1x2x6x4xf32>
}

// -----

// CHECK-LABEL: func.func @space_to_depth
// CHECK: cf.assert %{{.*}}, "a size of SpaceToDepth is no multiple of the block"
// CHECK: tensor.expand_shape %{{.*}} {{\[}}[0], [1], [2, 3], [4, 5]]
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 5, 1, 2, 4]
func.func @space_to_depth(%x: tensor<1x2x?x4xf32>) -> tensor<1x8x?x2xf32> {
  %0 = onnx.SpaceToDepth(%x) {blocksize = 2 : i64} : (tensor<1x2x?x4xf32>) -> tensor<1x8x?x2xf32>
  return %0 : tensor<1x8x?x2xf32>
}

// -----

// CHECK-LABEL: func.func @trilu
// CHECK-SAME: %[[X:.*]]: tensor<2x3x4xi32>
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[X]]
// CHECK: %[[ROW:.*]] = linalg.index 1
// CHECK: %[[COLUMN:.*]] = linalg.index 2
// CHECK: arith.cmpi slt, %[[COLUMN]], %[[ROW]]
func.func @trilu(%x: tensor<2x3x4xi32>) -> tensor<2x3x4xi32> {
  %0 = onnx.Trilu(%x) : (tensor<2x3x4xi32>) -> tensor<2x3x4xi32>
  return %0 : tensor<2x3x4xi32>
}

// -----

// CHECK-LABEL: func.func @reverse_sequence
// CHECK-SAME: %[[X:.*]]: tensor<4x2xf32>, %[[L:.*]]: tensor<2xi64>
// CHECK: linalg.generic
// CHECK-DAG: %[[TIME:.*]] = linalg.index 0
// CHECK-DAG: %[[BATCH:.*]] = linalg.index 1
// CHECK: tensor.extract %[[L]][%[[BATCH]]]
// CHECK: %[[FROM:.*]] = arith.select
// CHECK: tensor.extract %[[X]][%[[FROM]], %[[BATCH]]]
func.func @reverse_sequence(%x: tensor<4x2xf32>, %l: tensor<2xi64>) -> tensor<4x2xf32> {
  %0 = onnx.ReverseSequence(%x, %l) : (tensor<4x2xf32>, tensor<2xi64>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

// Negative pads cut off.

// CHECK-LABEL: func.func @pad
// CHECK-SAME: %[[X:.*]]: tensor<3x4xf32>
// CHECK: %[[CUT:.*]] = tensor.extract_slice %[[X]][0, 1] [3, 3] [1, 1]
// CHECK: tensor.pad %[[CUT]] low[1, 0] high[0, 2]
func.func @pad(%x: tensor<3x4xf32>) -> tensor<4x5xf32> {
  %p = onnx.Constant() {value_ints = array<i64: 1, -1, 0, 2>} : () -> tensor<4xi64>
  %0 = onnx.Pad(%x, %p) : (tensor<3x4xf32>, tensor<4xi64>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// -----

// CHECK-LABEL: func.func @pad_reflect
// CHECK: linalg.generic
// CHECK: arith.remsi
// CHECK: tensor.extract
func.func @pad_reflect(%x: tensor<?xf32>) -> tensor<?xf32> {
  %p = onnx.Constant() {value_ints = array<i64: 1, 1>} : () -> tensor<2xi64>
  %0 = onnx.Pad(%x, %p) {mode = "reflect"} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// One dimension is cropped, the other padded.

// CHECK-LABEL: func.func @center_crop_pad
// CHECK-SAME: %[[X:.*]]: tensor<6x3xf32>
// CHECK: %[[CUT:.*]] = tensor.extract_slice %[[X]][1, 0] [3, 3] [1, 1]
// CHECK: tensor.pad %[[CUT]] low[0, 1] high[0, 1]
func.func @center_crop_pad(%x: tensor<6x3xf32>) -> tensor<3x5xf32> {
  %s = onnx.Constant() {value_ints = array<i64: 3, 5>} : () -> tensor<2xi64>
  %0 = onnx.CenterCropPad(%x, %s) : (tensor<6x3xf32>, tensor<2xi64>) -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

// -----

// From behind the end nothing is taken, whatever the end is.

// CHECK-LABEL: func.func @behind_end
// CHECK-NOT: tensor.extract_slice
// CHECK: tensor.empty(%{{.*}}) : tensor<?xf32>
func.func @behind_end(%x: tensor<4xf32>, %e: tensor<1xi64>) -> tensor<?xf32> {
  %s = onnx.Constant() {value = dense<9> : tensor<1xi64>} : () -> tensor<1xi64>
  %a = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Slice(%x, %s, %e, %a) : (tensor<4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
