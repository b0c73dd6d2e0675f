// RUN: omb-opt %s --omb-to-linalg --split-input-file | FileCheck %s

// One known index: a slice, without any reading by index.

// CHECK-LABEL: func.func @gather_one
// CHECK-SAME: %[[X:.*]]: tensor<4x5xf32>
// CHECK: tensor.extract_slice %[[X]][0, 4] [4, 1] [1, 1]
// CHECK-NOT: linalg.generic
func.func @gather_one(%x: tensor<4x5xf32>) -> tensor<4xf32> {
  %i = onnx.Constant() {value_int = -1 : i64} : () -> tensor<i64>
  %0 = onnx.Gather(%x, %i) {axis = 1 : i64} : (tensor<4x5xf32>, tensor<i64>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Indices count from the end where they are negative, and never leave the data.

// CHECK-LABEL: func.func @gather
// CHECK-SAME: %[[X:.*]]: tensor<?x5xf32>, %[[I:.*]]: tensor<3xi32>
// CHECK: cf.assert %{{.*}}, "an index picks from a dimension of size 0"
// CHECK: linalg.generic
// CHECK: %[[INDEX:.*]] = tensor.extract %[[I]]
// CHECK: arith.cmpi slt
// CHECK: arith.minsi
// CHECK: %[[AT:.*]] = arith.maxsi
// CHECK: tensor.extract %[[X]][%[[AT]], %{{.*}}]
func.func @gather(%x: tensor<?x5xf32>, %i: tensor<3xi32>) -> tensor<3x5xf32> {
  %0 = onnx.Gather(%x, %i) : (tensor<?x5xf32>, tensor<3xi32>) -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

// -----

// CHECK-LABEL: func.func @gather_elements
// CHECK: cf.assert %{{.*}}, "the indices of GatherElements are larger than the data"
// CHECK: linalg.generic
func.func @gather_elements(%x: tensor<?x5xf32>, %i: tensor<3x2xi64>) -> tensor<3x2xf32> {
  %0 = onnx.GatherElements(%x, %i) {axis = 1 : i64} : (tensor<?x5xf32>, tensor<3x2xi64>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: func.func @gather_nd
// CHECK-SAME: %[[X:.*]]: tensor<2x4x5xf32>, %[[I:.*]]: tensor<2x1xi64>
// CHECK: linalg.generic
// CHECK-SAME: outs(%{{.*}} : tensor<2x5xf32>)
// CHECK-DAG: %[[BATCH:.*]] = linalg.index 0
// CHECK-DAG: %[[LAST:.*]] = linalg.index 1
// CHECK: tensor.extract %[[I]][%[[BATCH]], %{{.*}}]
// CHECK: tensor.extract %[[X]][%[[BATCH]], %{{.*}}, %[[LAST]]]
func.func @gather_nd(%x: tensor<2x4x5xf32>, %i: tensor<2x1xi64>) -> tensor<2x5xf32> {
  %0 = onnx.GatherND(%x, %i) {batch_dims = 1 : i64} : (tensor<2x4x5xf32>, tensor<2x1xi64>) -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}

// -----

// Every element sums up the updates that are meant for it.

// CHECK-LABEL: func.func @scatter_add
// CHECK-SAME: %[[X:.*]]: tensor<4x5xf32>, %[[I:.*]]: tensor<2x5xi64>, %[[U:.*]]: tensor<2x5xf32>
// CHECK: %[[SUM:.*]] = linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel", "reduction"]
// CHECK-SAME: ins(%[[I]], %[[U]] :
// CHECK: arith.select
// CHECK: arith.addf
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[X]], %[[SUM]] :
// CHECK: arith.addf
func.func @scatter_add(%x: tensor<4x5xf32>, %i: tensor<2x5xi64>, %u: tensor<2x5xf32>) -> tensor<4x5xf32> {
  %0 = onnx.ScatterElements(%x, %i, %u) {reduction = "add"} : (tensor<4x5xf32>, tensor<2x5xi64>, tensor<2x5xf32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// -----

// f16 is summed up in f32, and rounded once.

// CHECK-LABEL: func.func @scatter_add_f16
// CHECK: "reduction"
// CHECK: arith.addf %{{.*}} : f32
// CHECK: arith.addf %{{.*}} : f32
// CHECK: arith.truncf
func.func @scatter_add_f16(%x: tensor<4xf16>, %i: tensor<2xi64>, %u: tensor<2xf16>) -> tensor<4xf16> {
  %0 = onnx.ScatterElements(%x, %i, %u) {reduction = "add"} : (tensor<4xf16>, tensor<2xi64>, tensor<2xf16>) -> tensor<4xf16>
  return %0 : tensor<4xf16>
}

// -----

// Without a reduction the last update wins; indices smaller than the data reach
// its front only.

// CHECK-LABEL: func.func @scatter_front
// CHECK-SAME: %[[X:.*]]: tensor<4x5xf32>
// CHECK: %[[FRONT:.*]] = tensor.extract_slice %[[X]][0, 0] [4, 3] [1, 1]
// CHECK: linalg.generic
// CHECK: arith.maxsi
// CHECK: %[[PUT:.*]] = linalg.generic
// CHECK: scf.if
// CHECK: tensor.insert_slice %[[PUT]] into %[[X]]
func.func @scatter_front(%x: tensor<4x5xf32>, %i: tensor<2x3xi64>, %u: tensor<2x3xf32>) -> tensor<4x5xf32> {
  %0 = onnx.ScatterElements(%x, %i, %u) : (tensor<4x5xf32>, tensor<2x3xi64>, tensor<2x3xf32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// -----

// Tuples of indices become positions in the collapsed dimensions.

// CHECK-LABEL: func.func @scatter_nd
// CHECK-SAME: %[[X:.*]]: tensor<4x5x6xf32>
// CHECK: %[[DATA:.*]] = tensor.collapse_shape %[[X]] {{\[}}[0, 1], [2]] : tensor<4x5x6xf32> into tensor<20x6xf32>
// CHECK: iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: arith.maximumf
// CHECK: ins(%[[DATA]], %{{.*}} : tensor<20x6xf32>, tensor<20x6xf32>)
// CHECK: tensor.expand_shape
func.func @scatter_nd(%x: tensor<4x5x6xf32>, %i: tensor<3x2xi64>, %u: tensor<3x6xf32>) -> tensor<4x5x6xf32> {
  %0 = onnx.ScatterND(%x, %i, %u) {reduction = "max"} : (tensor<4x5x6xf32>, tensor<3x2xi64>, tensor<3x6xf32>) -> tensor<4x5x6xf32>
  return %0 : tensor<4x5x6xf32>
}

// -----

// CHECK-LABEL: func.func @tensor_scatter
// CHECK-SAME: %[[CACHE:.*]]: tensor<2x?x4xf32>, %[[U:.*]]: tensor<2x1x4xf32>, %[[W:.*]]: tensor<2xi64>
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[CACHE]]
// CHECK: tensor.extract %[[W]]
// CHECK: scf.if
// CHECK: tensor.extract %[[U]]
func.func @tensor_scatter(%cache: tensor<2x?x4xf32>, %u: tensor<2x1x4xf32>, %w: tensor<2xi64>) -> tensor<2x?x4xf32> {
  %0 = onnx.TensorScatter(%cache, %u, %w) {axis = 1 : i64} : (tensor<2x?x4xf32>, tensor<2x1x4xf32>, tensor<2xi64>) -> tensor<2x?x4xf32>
  return %0 : tensor<2x?x4xf32>
}

// -----

// An unsigned depth is not negative, and a negative index counts from the end.

// CHECK-LABEL: func.func @one_hot
// CHECK-SAME: %[[I:.*]]: tensor<3xi64>, %[[D:.*]]: tensor<i8>, %[[V:.*]]: tensor<2xf32>
// CHECK: arith.index_castui %{{.*}} : i8 to index
// CHECK: linalg.generic
// CHECK: arith.select
func.func @one_hot(%i: tensor<3xi64>, %d: tensor<ui8>, %v: tensor<2xf32>) -> tensor<3x?xf32> {
  %0 = onnx.OneHot(%i, %d, %v) : (tensor<3xi64>, tensor<ui8>, tensor<2xf32>) -> tensor<3x?xf32>
  return %0 : tensor<3x?xf32>
}

// -----

// Each element's rank is the number of elements before it; then the ranks are
// looked up.

// CHECK-LABEL: func.func @top_k
// CHECK-SAME: %[[X:.*]]: tensor<4x9xf32>, %[[K:.*]]: tensor<1xi64>
// CHECK: cf.assert %{{.*}}, "the K of TopK is larger than the dimension"
// CHECK: %[[ONE:.*]] = tensor.expand_shape %[[X]] {{.*}} into tensor<4x1x9xf32>
// CHECK: %[[RANKS:.*]] = linalg.generic
// CHECK-SAME: ins(%[[ONE]], %[[ONE]]
// CHECK: arith.cmpf ugt
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[RANKS]]
// CHECK: arith.cmpi eq
func.func @top_k(%x: tensor<4x9xf32>, %k: tensor<1xi64>) -> (tensor<4x?xf32>, tensor<4x?xi64>) {
  %0, %1 = onnx.TopK(%x, %k) : (tensor<4x9xf32>, tensor<1xi64>) -> (tensor<4x?xf32>, tensor<4x?xi64>)
  return %0, %1 : tensor<4x?xf32>, tensor<4x?xi64>
}

// -----

// More elements are sorted in runs of 32, whose first 3 are merged in pairs.
// What pads the last run comes after all others.

// CHECK-LABEL: func.func @top_k_of_runs
// CHECK-SAME: %[[X:.*]]: tensor<70x2xf32>
// CHECK: %[[LAST:.*]] = arith.constant 0x7FC00000 : f32
// CHECK: %[[PADDED:.*]] = tensor.pad %[[X]] low[0, 0] high[26, 0]
// CHECK: tensor.yield %[[LAST]]
// CHECK: %[[RUNS:.*]] = tensor.expand_shape %[[PADDED]] {{.*}} into tensor<3x32x2xf32>
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[RUNS]], %[[RUNS]]
// CHECK: %[[FIRST:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<3x3x2xi32>)
// CHECK: %[[PAIRS:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<2x3x2xi32>)
// CHECK: scf.while
// CHECK: tensor.extract %[[FIRST]]
// CHECK: %[[MERGED:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<1x3x2xi32>)
// CHECK: tensor.extract %[[PAIRS]]
// CHECK: %[[PLACES:.*]] = tensor.collapse_shape %[[MERGED]]
// CHECK: tensor.extract %[[PLACES]]
// CHECK: tensor.extract %[[X]]
func.func @top_k_of_runs(%x: tensor<70x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xi64>) {
  %k = onnx.Constant() {value = dense<3> : tensor<1xi64>} : () -> tensor<1xi64>
  %0, %1 = onnx.TopK(%x, %k) {axis = 0 : i64, largest = 0 : i64} : (tensor<70x2xf32>, tensor<1xi64>) -> (tensor<3x2xf32>, tensor<3x2xi64>)
  return %0, %1 : tensor<3x2xf32>, tensor<3x2xi64>
}

// -----

// Of an unknown number, all are sorted: a pass merges runs of one length.

// CHECK-LABEL: func.func @top_k_of_unknown_size
// CHECK-SAME: %[[X:.*]]: tensor<4x?xi32>
// CHECK: %[[PLACES:.*]] = scf.for
// CHECK-SAME: iter_args(%[[RUNS:.*]] = %{{.*}}) -> (tensor<4x?xi32>)
// CHECK: linalg.generic
// CHECK: scf.while
// CHECK: tensor.extract %[[RUNS]]
// CHECK: tensor.extract %[[X]]
// CHECK: tensor.extract %[[PLACES]]
func.func @top_k_of_unknown_size(%x: tensor<4x?xi32>) -> (tensor<4x3xi32>, tensor<4x3xi64>) {
  %k = onnx.Constant() {value = dense<3> : tensor<1xi64>} : () -> tensor<1xi64>
  %0, %1 = onnx.TopK(%x, %k) : (tensor<4x?xi32>, tensor<1xi64>) -> (tensor<4x3xi32>, tensor<4x3xi64>)
  return %0, %1 : tensor<4x3xi32>, tensor<4x3xi64>
}

// -----

// The number of elements is counted first.

// CHECK-LABEL: func.func @non_zero
// CHECK: %[[TOTAL:.*]] = linalg.generic {{.*}}iterator_types = ["reduction"]
// CHECK: %[[N:.*]] = tensor.extract %[[TOTAL]][]
// CHECK: %[[COUNT:.*]] = arith.index_cast %[[N]] : i32 to index
// CHECK: tensor.empty(%[[COUNT]]) : tensor<2x?xi64>
func.func @non_zero(%x: tensor<3x4xf32>) -> tensor<2x?xi64> {
  %0 = onnx.NonZero(%x) : (tensor<3x4xf32>) -> tensor<2x?xi64>
  return %0 : tensor<2x?xi64>
}

// -----

// CHECK-LABEL: func.func @compress
// CHECK: tensor.empty(%{{.*}}) : tensor<?x4xf32>
func.func @compress(%x: tensor<3x4xf32>, %c: tensor<2xi1>) -> tensor<?x4xf32> {
  %0 = onnx.Compress(%x, %c) {axis = 0 : i64} : (tensor<3x4xf32>, tensor<2xi1>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
