// RUN: omb-opt %s --split-input-file --omb-lower-sparse-contractions | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-lower-sparse-contractions=threads | FileCheck %s --check-prefix=THREADS

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// A loop over the channel's values; for threads, those next to each other have rows, and coordinates have 32 bits.
// CHECK-DAG:     #[[OUT:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL:   func.func @channels
// CHECK-SAME:      %[[X:.*]]: tensor<40x4xf32>
// CHECK-DAG:       %[[POS:.*]] = arith.constant dense_resource<positions> : tensor<4xi32>
// CHECK-DAG:       %[[CRD:.*]] = arith.constant dense_resource<coordinates> : tensor<3xi8>
// CHECK-DAG:       %[[VAL:.*]] = arith.constant dense_resource<values> : tensor<3xf32>
// CHECK:           linalg.generic {indexing_maps = [#[[OUT]]], iterator_types = ["parallel", "parallel"]} outs({{.*}} : tensor<40x3xf32>)
// CHECK-DAG:         %[[M:.*]] = linalg.index 0
// CHECK-DAG:         %[[N:.*]] = linalg.index 1
// CHECK:             %[[N1:.*]] = arith.addi %[[N]], %{{.*}} : index
// CHECK:             %[[P0:.*]] = tensor.extract %[[POS]][%[[N]]]
// CHECK:             %[[BEGIN:.*]] = arith.index_castui %[[P0]] : i32 to index
// CHECK:             %[[P1:.*]] = tensor.extract %[[POS]][%[[N1]]]
// CHECK:             %[[END:.*]] = arith.index_castui %[[P1]] : i32 to index
// CHECK:             %[[SUM:.*]] = scf.for %[[AT:[^ ]*]] = %[[BEGIN]] to %[[END]] {{.*}} iter_args(%[[INTO:.*]] = %{{.*}}) -> (f32)
// CHECK:               %[[C:.*]] = tensor.extract %[[CRD]][%[[AT]]] : tensor<3xi8>
// CHECK:               %[[K:.*]] = arith.index_castui %[[C]] : i8 to index
// CHECK:               %[[E:.*]] = tensor.extract %[[X]][%[[M]], %[[K]]]
// CHECK:               %[[W:.*]] = tensor.extract %[[VAL]][%[[AT]]]
// CHECK:               %[[P:.*]] = arith.mulf %[[E]], %[[W]]
// CHECK:               %[[NEXT:.*]] = arith.addf %[[INTO]], %[[P]]
// CHECK:               scf.yield %[[NEXT]]
// CHECK:             linalg.yield %[[SUM]]
// THREADS-DAG:   #[[OUT:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// THREADS-LABEL: func.func @channels
// THREADS-SAME:    %[[X:.*]]: tensor<40x4xf32>
// THREADS:         %[[T:.*]] = linalg.transpose ins(%[[X]] : tensor<40x4xf32>) outs(%{{.*}} : tensor<4x40xf32>) permutation = [1, 0]
// THREADS:         linalg.generic {indexing_maps = [#[[OUT]]], iterator_types = ["parallel", "parallel"]} outs({{.*}} : tensor<40x3xf32>)
// THREADS-DAG:       %[[N:.*]] = linalg.index 0
// THREADS-DAG:       %[[M:.*]] = linalg.index 1
// THREADS:           %[[C:.*]] = tensor.extract %{{.*}} : tensor<3xi32>
// THREADS:           %[[K:.*]] = arith.index_castui %[[C]] : i32 to index
// THREADS:           tensor.extract %[[T]][%[[K]], %[[M]]] : tensor<4x40xf32>
func.func @channels(%x: tensor<40x4xf32>) -> tensor<40x3xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [3, 0]], [1.5, 3.0, 2.0]> : tensor<4x3xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<40x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<40x3xf32>) -> tensor<40x3xf32>
  %r = linalg.matmul ins(%x, %w : tensor<40x4xf32>, tensor<4x3xf32, #CHANNELS>) outs(%f : tensor<40x3xf32>) -> tensor<40x3xf32>
  return %r : tensor<40x3xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// An unknown number of rows, and no values at all, for which there is one in memory.
// CHECK-LABEL:   func.func @dynamic_and_empty
// CHECK:           linalg.generic {{.*}} outs({{.*}} : tensor<?x3xf32>)
// CHECK:             tensor.extract %{{.*}} : tensor<1xi8>
// THREADS-LABEL: func.func @dynamic_and_empty
// THREADS:         linalg.transpose ins({{.*}} : tensor<?x4xf32>) outs(%{{.*}} : tensor<4x?xf32>)
func.func @dynamic_and_empty(%x: tensor<?x4xf32>, %n: index) -> tensor<?x3xf32> {
  %w = arith.constant sparse<> : tensor<4x3xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %r = linalg.matmul ins(%x, %w : tensor<?x4xf32>, tensor<4x3xf32, #CHANNELS>) outs(%f : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// Few rows aren't for threads next to each other. Whole numbers are stored as bytes, but for threads.
// CHECK-LABEL:   func.func @few_rows
// CHECK:           arith.index_castui %{{.*}} : i8 to index
// CHECK:           %[[B:.*]] = tensor.extract %{{.*}} : tensor<1xi8>
// CHECK:           arith.sitofp %[[B]] : i8 to f32
// THREADS-LABEL: func.func @few_rows
// THREADS-NOT:     linalg.transpose
// THREADS:         tensor.extract %{{.*}} : tensor<1xf32>
func.func @few_rows(%x: tensor<31x4xf32>) -> tensor<31x3xf32> {
  %w = arith.constant sparse<[[0, 1]], [1.0]> : tensor<4x3xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<31x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<31x3xf32>) -> tensor<31x3xf32>
  %r = linalg.matmul ins(%x, %w : tensor<31x4xf32>, tensor<4x3xf32, #CHANNELS>) outs(%f : tensor<31x3xf32>) -> tensor<31x3xf32>
  return %r : tensor<31x3xf32>
}

// -----

#BLOCKS = #sparse_tensor.encoding<{ map = (k, n) -> (n floordiv 2 : dense, k : compressed, n mod 2 : dense) }>

// The channels of a block read the same coordinates, and are next to each other.
// CHECK-LABEL:   func.func @blocks
// CHECK:           linalg.generic
// CHECK:             %[[N:.*]] = linalg.index 1
// CHECK:             %[[J:.*]] = arith.divui %[[N]], %c2
// CHECK:             %[[V:.*]] = arith.remui %[[N]], %c2
// CHECK:             tensor.extract %{{.*}}[%[[J]]] : tensor<3xi32>
// CHECK:             scf.for %[[AT:[^ ]*]] = 
// CHECK:               tensor.extract %{{.*}}[%[[AT]]] : tensor<3xi8>
// CHECK:               %[[B:.*]] = arith.muli %[[AT]], %c2
// CHECK:               %[[PLACE:.*]] = arith.addi %[[B]], %[[V]]
// CHECK:               tensor.extract %{{.*}}[%[[PLACE]]] : tensor<6xf32>
// THREADS-LABEL: func.func @blocks
// THREADS-NOT:     linalg.transpose
// THREADS:         linalg.generic
func.func @blocks(%x: tensor<40x4xf32>) -> tensor<40x4xf32> {
  %w = arith.constant sparse<[[0, 0], [0, 2], [0, 3], [3, 1]], [1.5, 3.0, 4.0, 2.0]> : tensor<4x4xf32, #BLOCKS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<40x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<40x4xf32>) -> tensor<40x4xf32>
  %r = linalg.matmul ins(%x, %w : tensor<40x4xf32>, tensor<4x4xf32, #BLOCKS>) outs(%f : tensor<40x4xf32>) -> tensor<40x4xf32>
  return %r : tensor<40x4xf32>
}
