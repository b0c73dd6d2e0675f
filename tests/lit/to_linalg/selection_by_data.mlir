// RUN: omb-opt %s --convert-onnx-to-linalg --canonicalize --cse --split-input-file | FileCheck %s

// Results that have as many elements as the data say.

// Positions are sorted by a merge sort, whose runs double; first elements of
// runs of equal ones are counted, and results of so many elements made.

// CHECK-LABEL: func.func @unique
// CHECK: %[[SORTED:.*]] = scf.for {{.*}} -> (tensor<?xi32>)
// CHECK: %[[FIRST:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?xi32>)
// CHECK: scf.while
// CHECK: %[[TOTAL:.*]] = linalg.generic {{.*}}iterator_types = ["reduction"]
// CHECK: tensor.extract %{{.*}}[] : tensor<i32>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?xf32>)
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?xi64>)
// CHECK: return
func.func @unique(%x: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>) {
  %y, %i, %v, %c = onnx.Unique(%x) : (tensor<?xf32>) -> (tensor<?xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>)
  return %y, %i, %v, %c : tensor<?xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>
}

// -----

// Whole slices are compared, element by element, and moved.

// CHECK-LABEL: func.func @unique_slices
// CHECK: scf.for {{.*}} -> (tensor<4xi32>)
// CHECK: tensor.extract %{{.*}} : tensor<3x4xi16>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} outs(%{{.*}} : tensor<3x?xi16>)
// CHECK: return
func.func @unique_slices(%x: tensor<3x4xi16>) -> tensor<3x?xi16> {
  %y, %i, %v, %c = onnx.Unique(%x) {axis = 1 : i64, sorted = 0 : i64} : (tensor<3x4xi16>) -> (tensor<3x?xi16>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>)
  return %y : tensor<3x?xi16>
}

// -----

// One round for each box that may be selected: the best of each class of each
// image, and whatever overlaps it out of the race. No limit selects nothing.

// CHECK-LABEL: func.func @non_max_suppression
// CHECK-SAME: %[[BOXES:.*]]: tensor<2x?x4xf32>, %[[SCORES:.*]]: tensor<2x3x?xf32>, %[[LIMIT:.*]]: tensor<i64>
// CHECK: cf.assert %{{.*}}, "NonMaxSuppression has more boxes than scores of a class, or fewer"
// CHECK: %[[START:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<6x?xi64>)
// CHECK: tensor.extract %[[SCORES]]
// CHECK: tensor.extract %[[LIMIT]]
// CHECK: scf.for {{.*}} iter_args(%[[STATE:.*]] = %[[START]]) -> (tensor<6x?xi64>)
// CHECK:   %[[BEST:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%[[STATE]]
// CHECK:     arith.maxsi
// CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<6x?xi64>)
// CHECK:     tensor.extract %[[BEST]]
// CHECK:     tensor.extract %[[BOXES]]
// CHECK:   scf.yield
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x3xi64>)
func.func @non_max_suppression(%b: tensor<2x?x4xf32>, %s: tensor<2x3x?xf32>, %m: tensor<i64>) -> tensor<?x3xi64> {
  %r = onnx.NonMaxSuppression(%b, %s, %m) : (tensor<2x?x4xf32>, tensor<2x3x?xf32>, tensor<i64>) -> tensor<?x3xi64>
  return %r : tensor<?x3xi64>
}
