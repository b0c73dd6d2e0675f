// RUN: omb-opt %s --omb-lower-sparse-contractions | FileCheck %s
// RUN: omb-opt %s --omb-lower-sparse-contractions=threads | FileCheck %s --check-prefix=THREADS

#FILTERS = #sparse_tensor.encoding<{ map = (f, c, y, x) -> (f : dense, c : compressed(nonunique), y : singleton(nonunique, soa), x : singleton(soa)) }>
#BLOCKS = #sparse_tensor.encoding<{ map = (f, c, y, x) -> (f floordiv 16 : dense, c : compressed, y : dense, x : dense, f mod 16 : dense) }>

// In rows of 6 elements, strides of 1 and 2, and 2 positions between taps: an element of the second row of taps is 12
// elements after the window's first one.

// CHECK-LABEL:   func.func @windows
// CHECK-SAME:      %[[X:.*]]: tensor<2x3x5x6xf32>
// CHECK-DAG:       arith.constant dense_resource<coordinates> : tensor<2xi8>
// CHECK:           %[[IMAGES:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0], [1, 2, 3]] : tensor<2x3x5x6xf32> into tensor<2x90xf32>
// CHECK:           linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%{{.*}} : tensor<2x4x3x3xf32>)
// CHECK-DAG:         %[[N:.*]] = linalg.index 0
// CHECK-DAG:         %[[F:.*]] = linalg.index 1
// CHECK-DAG:         %[[Y:.*]] = linalg.index 2
// CHECK-DAG:         %[[COLUMN:.*]] = linalg.index 3
// CHECK:             arith.muli %[[Y]], %{{.*}} : index
// CHECK:             %[[ROW:.*]] = arith.muli %{{.*}}, %{{.*}} : index
// CHECK:             %[[STEP:.*]] = arith.muli %[[COLUMN]], %{{.*}} : index
// CHECK:             %[[FIRST:.*]] = arith.addi %[[ROW]], %[[STEP]] : index
// CHECK:             %[[SUM:.*]] = scf.for
// CHECK:               %[[C:.*]] = arith.index_castui %{{.*}} : i8 to index
// CHECK:               %[[AT:.*]] = arith.addi %[[FIRST]], %[[C]] : index
// CHECK:               tensor.extract %[[IMAGES]][%[[N]], %[[AT]]]
// CHECK:             %[[B:.*]] = tensor.extract %{{.*}}[%[[F]]] : tensor<4xf32>
// CHECK:             %[[RESULT:.*]] = arith.addf %[[SUM]], %[[B]] : f32
// CHECK:             linalg.yield %[[RESULT]] : f32
// THREADS-LABEL: func.func @windows
// THREADS-DAG:     arith.constant dense_resource<coordinates> : tensor<2xi32>
// THREADS-NOT:     linalg.transpose
func.func @windows(%x: tensor<2x3x5x6xf32>, %b: tensor<4xf32>) -> tensor<2x4x3x3xf32> {
  %w = arith.constant sparse<[[0, 1, 1, 0], [3, 2, 0, 1]], [1.5, 3.0]> : tensor<4x3x2x2xf32, #FILTERS>
  %e = tensor.empty() : tensor<2x4x3x3xf32>
  %start = linalg.broadcast ins(%b : tensor<4xf32>) outs(%e : tensor<2x4x3x3xf32>) dimensions = [0, 2, 3]
  %r = linalg.conv_2d_nchw_fchw {dilations = dense<[2, 1]> : tensor<2xi64>, strides = dense<[1, 2]> : tensor<2xi64>}
      ins(%x, %w : tensor<2x3x5x6xf32>, tensor<4x3x2x2xf32, #FILTERS>) outs(%start : tensor<2x4x3x3xf32>) -> tensor<2x4x3x3xf32>
  return %r : tensor<2x4x3x3xf32>
}

// Of one position, images have any size; and features may be stored in blocks.

// CHECK-LABEL:   func.func @point
// CHECK-SAME:      %[[X:.*]]: tensor<?x3x?x?xf32>
// CHECK:           linalg.generic {{.*}} outs(%{{.*}} : tensor<?x32x?x?xf32>)
// CHECK-DAG:         %[[N:.*]] = linalg.index 0
// CHECK-DAG:         %[[F:.*]] = linalg.index 1
// CHECK-DAG:         %[[Y:.*]] = linalg.index 2
// CHECK-DAG:         %[[COLUMN:.*]] = linalg.index 3
// CHECK:             arith.divui %[[F]], %{{.*}}
// CHECK:             scf.for
// CHECK:               %[[C:.*]] = arith.index_castui %{{.*}} : i8 to index
// CHECK:               tensor.extract %[[X]][%[[N]], %[[C]], %[[Y]], %[[COLUMN]]]
func.func @point(%x: tensor<?x3x?x?xf32>, %e: tensor<?x32x?x?xf32>) -> tensor<?x32x?x?xf32> {
  %w = arith.constant sparse<[[0, 1, 0, 0], [17, 2, 0, 0]], [1.5, 3.0]> : tensor<32x3x1x1xf32, #BLOCKS>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x32x?x?xf32>) -> tensor<?x32x?x?xf32>
  %r = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<?x3x?x?xf32>, tensor<32x3x1x1xf32, #BLOCKS>) outs(%f : tensor<?x32x?x?xf32>) -> tensor<?x32x?x?xf32>
  return %r : tensor<?x32x?x?xf32>
}

// Windows of images of unknown size have no coordinates.

// CHECK-LABEL:   func.func @unknown
// CHECK:           linalg.conv_2d_nchw_fchw
func.func @unknown(%x: tensor<1x3x?x6xf32>, %e: tensor<1x4x?x5xf32>) -> tensor<1x4x?x5xf32> {
  %w = arith.constant sparse<[[0, 1, 1, 0]], [1.5]> : tensor<4x3x2x2xf32, #FILTERS>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x4x?x5xf32>) -> tensor<1x4x?x5xf32>
  %r = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<1x3x?x6xf32>, tensor<4x3x2x2xf32, #FILTERS>) outs(%f : tensor<1x4x?x5xf32>) -> tensor<1x4x?x5xf32>
  return %r : tensor<1x4x?x5xf32>
}
