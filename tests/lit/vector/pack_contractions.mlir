// RUN: omb-opt %s --split-input-file --omb-pack-contractions="vector-bytes=16 vector-registers=16" | FileCheck %s

// Five channels in vectors of four: the second panel ends with zeros.
// CHECK-DAG:   #[[IN:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2)>
// CHECK-DAG:   #[[W:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>
// CHECK-DAG:   #[[OUT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-LABEL: func.func @matmul
// CHECK-SAME:    %[[X:.*]]: tensor<?x2xf32>
// CHECK:         %[[W2:.*]] = arith.constant dense_resource<weights.packed> : tensor<[[J:.*]]x2x[[V:.*]]xf32>
// CHECK:         %[[P:.*]] = linalg.generic {indexing_maps = [#[[IN]], #[[W]], #[[OUT]]], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
// CHECK-SAME:      ins(%[[X]], %[[W2]]
// CHECK:         linalg.unpack %[[P]] inner_dims_pos = [1] inner_tiles = [[[V]]] into %{{.*}} -> tensor<?x5xf32>
// CHECK-NOT:     arith.addf
// CHECK:         return
// CHECK:         weights.packed: "0x40000000000080400000
func.func @matmul(%x: tensor<?x2xf32>, %n: index) -> tensor<?x5xf32> {
  %w = arith.constant dense<[[4.0, 5.0, 6.0, 7.0, 8.0], [9.0, 1.0, 2.0, 3.0, 4.0]]> : tensor<2x5xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x5xf32>) -> tensor<?x5xf32>
  %r = linalg.matmul ins(%x, %w : tensor<?x2xf32>, tensor<2x5xf32>) outs(%f : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %r : tensor<?x5xf32>
}

// -----

// A start that isn't zero is added to the product.
// CHECK-LABEL: func.func @start
// CHECK-SAME:    %{{.*}}: tensor<3x2xf64>, %[[START:.*]]: tensor<3x4xf64>
// CHECK:         %[[U:.*]] = linalg.unpack
// CHECK:         linalg.generic {{.*}} ins(%[[U]], %[[START]] :
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.addf
func.func @start(%x: tensor<3x2xf64>, %start: tensor<3x4xf64>) -> tensor<3x4xf64> {
  %w = arith.constant dense<2.0> : tensor<2x4xf64>
  %r = linalg.matmul ins(%x, %w : tensor<3x2xf64>, tensor<2x4xf64>) outs(%start : tensor<3x4xf64>) -> tensor<3x4xf64>
  return %r : tensor<3x4xf64>
}

// -----

// Weights for each batch that aren't constant are packed at run time.
// CHECK-LABEL: func.func @batches
// CHECK-SAME:    %{{.*}}: tensor<2x128x6xf32>, %[[B:.*]]: tensor<2x6x5xf32>
// CHECK:         %[[P:.*]] = linalg.pack %[[B]] padding_value(%{{.*}} : f32) outer_dims_perm = [0, 2, 1] inner_dims_pos = [2] inner_tiles = [[[V:.*]]]
// CHECK-SAME:      tensor<2x6x5xf32> -> tensor<2x{{.*}}x6x[[V]]xf32>
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[P]]
// CHECK:         linalg.unpack {{.*}} inner_dims_pos = [2]
func.func @batches(%a: tensor<2x128x6xf32>, %b: tensor<2x6x5xf32>) -> tensor<2x128x5xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x128x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x128x5xf32>) -> tensor<2x128x5xf32>
  %r = linalg.batch_matmul ins(%a, %b : tensor<2x128x6xf32>, tensor<2x6x5xf32>) outs(%f : tensor<2x128x5xf32>) -> tensor<2x128x5xf32>
  return %r : tensor<2x128x5xf32>
}

// -----

// Two sequences of any length: the number of panels is computed.
// CHECK-LABEL: func.func @sequences
// CHECK-SAME:    %{{.*}}: tensor<2x?x6xf32>, %[[B:.*]]: tensor<2x6x?xf32>
// CHECK:         %[[P:.*]] = linalg.pack %[[B]] {{.*}} tensor<2x6x?xf32> -> tensor<2x?x6x[[V:.*]]xf32>
// CHECK:         linalg.generic {{.*}} outs(%{{.*}} : tensor<2x?x?x[[V]]xf32>)
// CHECK:         linalg.unpack {{.*}} tensor<2x?x?x[[V]]xf32> -> tensor<2x?x?xf32>
func.func @sequences(%a: tensor<2x?x6xf32>, %b: tensor<2x6x?xf32>, %m: index, %n: index) -> tensor<2x?x?xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%m, %n) : tensor<2x?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %r = linalg.batch_matmul ins(%a, %b : tensor<2x?x6xf32>, tensor<2x6x?xf32>) outs(%f : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  return %r : tensor<2x?x?xf32>
}

// -----

// Transposed constants are read in the order that they have, here by channel.
// CHECK-LABEL: func.func @transposed
// CHECK:         %[[W:.*]] = arith.constant dense_resource<weights.packed{{.*}}> : tensor<1x2x{{.*}}xf32>
// CHECK-NOT:     linalg.transpose
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[W]]
func.func @transposed(%x: tensor<?x2xf32>, %out: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %w = arith.constant dense<[[4.0, 5.0], [6.0, 7.0], [8.0, 9.0]]> : tensor<3x2xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %t = linalg.transpose ins(%w : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]
  %r = linalg.matmul ins(%x, %t : tensor<?x2xf32>, tensor<2x3xf32>) outs(%out : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}

// -----

// A depthwise convolution's input is packed, too.
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1 + d3, d2, d4)>
// CHECK-DAG:   #[[FILTERS:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d2, d3, d4)>
// CHECK-DAG:   #[[SUM:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>
// CHECK-LABEL: func.func @depthwise
// CHECK-SAME:    %[[X:.*]]: tensor<?x9x5xf32>
// CHECK:         %[[P:.*]] = linalg.pack %[[X]] padding_value(%{{.*}} : f32) inner_dims_pos = [2] inner_tiles = [[[V:.*]]]
// CHECK:         linalg.generic {indexing_maps = [#[[IMAGE]], #[[FILTERS]], #[[SUM]]], {{.*}} ins(%[[P]], %{{.*}} : tensor<?x9x{{.*}}x[[V]]xf32>, tensor<{{.*}}x3x[[V]]xf32>)
// CHECK:         linalg.unpack {{.*}} inner_dims_pos = [2] inner_tiles = [[[V]]]
func.func @depthwise(%x: tensor<?x9x5xf32>, %out: tensor<?x7x5xf32>) -> tensor<?x7x5xf32> {
  %w = arith.constant dense<2.0> : tensor<5x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, w, c, k) -> (n, w + k, c)>, affine_map<(n, w, c, k) -> (c, k)>, affine_map<(n, w, c, k) -> (n, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<?x9x5xf32>, tensor<5x3xf32>) outs(%out : tensor<?x7x5xf32>) {
  ^bb0(%in: f32, %f: f32, %o: f32):
    %m = arith.mulf %in, %f : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x7x5xf32>
  return %r : tensor<?x7x5xf32>
}
