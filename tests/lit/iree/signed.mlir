// RUN: omb-opt %s --omb-extend-signed | FileCheck %s
// RUN: omb-opt %s --omb-extend-signed=dot-products | FileCheck %s --check-prefix=DOT

#id = affine_map<(i, j) -> (i, j)>

// The first bit of eight is inverted, and subtracted.

// CHECK-LABEL: func.func @elements
// CHECK:         linalg.generic
// CHECK:           ^bb0(%[[X:.*]]: i8, %{{.*}}: i32)
// CHECK-DAG:       %[[U:.*]] = arith.extui %[[X]] : i8 to i32
// CHECK-DAG:       %[[SIGN:.*]] = arith.constant 128 : i32
// CHECK:           %[[INVERTED:.*]] = arith.xori %[[U]], %[[SIGN]] : i32
// CHECK:           %[[SIGNED:.*]] = arith.subi %[[INVERTED]], %[[SIGN]] : i32
// CHECK:           linalg.yield %[[SIGNED]] : i32
// CHECK-NOT:     util.optimization_barrier
func.func @elements(%x: tensor<4x?xi8>, %out: tensor<4x?xi32>) -> tensor<4x?xi32> {
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x?xi8>) outs(%out : tensor<4x?xi32>) {
  ^bb0(%a: i8, %b: i32):
    %e = arith.extsi %a : i8 to i32
    linalg.yield %e : i32
  } -> tensor<4x?xi32>
  return %y : tensor<4x?xi32>
}

// Factors are extended before, for a product of wide ones.

// CHECK-LABEL: func.func @product
// CHECK:         %[[X:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<?x5xi8>)
// CHECK:         %[[BARRIER:.*]] = "util.optimization_barrier"(%[[X]])
// CHECK:         %[[ROWS:.*]] = "flow.tensor.tie_shape"(%[[BARRIER]], %{{.*}}) {{.*}} tensor<?x5xi32>
// CHECK:         %[[W:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<5x3xi16>)
// CHECK:         %[[COLUMNS:.*]] = "util.optimization_barrier"(%[[W]]) : (tensor<5x3xi32>) -> tensor<5x3xi32>
// CHECK:         linalg.matmul ins(%[[ROWS]], %[[COLUMNS]] : tensor<?x5xi32>, tensor<5x3xi32>)
func.func @product(%x: tensor<?x5xi8>, %w: tensor<5x3xi16>, %out: tensor<?x3xi32>) -> tensor<?x3xi32> {
  %y = linalg.matmul ins(%x, %w : tensor<?x5xi8>, tensor<5x3xi16>) outs(%out : tensor<?x3xi32>) -> tensor<?x3xi32>
  return %y : tensor<?x3xi32>
}

// A device has products of four bytes: of known sizes, and of bytes alone.

// DOT-LABEL:   func.func @elements
// DOT:           arith.xori
// DOT-LABEL:   func.func @product
// DOT:           linalg.matmul {{.*}} tensor<?x5xi32>
// DOT-LABEL:   func.func @dots
// DOT-NOT:       linalg.generic
// DOT:           linalg.matmul ins(%arg0, %arg1 : tensor<3x8xi8>, tensor<8x5xi8>)
// DOT:           linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<5x3xi32>, tensor<3x8xi32>)
// CHECK-LABEL: func.func @dots
// CHECK:         linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<3x8xi32>, tensor<8x5xi32>)
func.func @dots(%x: tensor<3x8xi8>, %w: tensor<8x5xi8>, %out: tensor<3x5xi32>,
                %y: tensor<5x3xi8>, %v: tensor<3x8xi8>, %other: tensor<5x8xi32>) -> (tensor<3x5xi32>, tensor<5x8xi32>) {
  %0 = linalg.matmul ins(%x, %w : tensor<3x8xi8>, tensor<8x5xi8>) outs(%out : tensor<3x5xi32>) -> tensor<3x5xi32>
  %1 = linalg.matmul ins(%y, %v : tensor<5x3xi8>, tensor<3x8xi8>) outs(%other : tensor<5x8xi32>) -> tensor<5x8xi32>
  return %0, %1 : tensor<3x5xi32>, tensor<5x8xi32>
}

// Unsigned numbers, booleans and wider ones stay what they are.

// CHECK-LABEL: func.func @others
// CHECK:         arith.extui %arg0 : i8 to i32
// CHECK:         arith.extsi %arg1 : i32 to i64
// CHECK:         arith.extsi %arg2 : i1 to i32
// CHECK-NOT:     arith.xori
func.func @others(%u: i8, %i: i32, %b: i1) -> (i32, i64, i32) {
  %0 = arith.extui %u : i8 to i32
  %1 = arith.extsi %i : i32 to i64
  %2 = arith.extsi %b : i1 to i32
  return %0, %1, %2 : i32, i64, i32
}
