// RUN: omb-opt %s --split-input-file --omb-pack-sparse-contractions="vector-bytes=16 vector-registers=16" | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-densify-constants | FileCheck %s --check-prefix=DENSE
// RUN: omb-opt %s --split-input-file --omb-pack-sparse-contractions="vector-bytes=16 vector-registers=16 narrow=bf16" | FileCheck %s --check-prefix=NARROW
// RUN: not omb-opt %s --split-input-file --omb-pack-sparse-contractions=narrow=f8 2>&1 | FileCheck %s --check-prefix=TYPE

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// TYPE: error: narrow is bf16, f16 or empty, not f8

// NARROW-LABEL: func.func @channels
// NARROW:         sparse_tensor.assemble {{.*}} : (tensor<4xi32>, tensor<?xi8>), tensor<?xbf16> to tensor<4x3xbf16, #{{.*}}>
// NARROW:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x4x12xf32>, tensor<4x3xbf16, #{{.*}}>)
// NARROW:           arith.extf %{{.*}} : bf16 to f32
// NARROW:       values: "0x400000000040C03F4040"

// 9 rows are three tiles of 4; coordinates have 16 bits; how many values there are isn't part of the types.
// CHECK-DAG:   #[[ROWS:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG:   #[[W:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d1)>
// CHECK-DAG:   #[[OUT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG:   #[[CSC:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed), posWidth = 32, crdWidth = 8 }>
// CHECK-LABEL: func.func @channels
// CHECK-SAME:    %[[X:.*]]: tensor<9x4xf32>
// CHECK-DAG:     %[[POS:.*]] = arith.constant dense_resource<positions> : tensor<4xi32>
// CHECK-DAG:     %[[C:.*]] = arith.constant dense_resource<coordinates> : tensor<3xi8>
// CHECK-DAG:     %[[V:.*]] = arith.constant dense_resource<values> : tensor<3xf32>
// CHECK-DAG:     %[[CRD:.*]] = tensor.cast %[[C]] : tensor<3xi8> to tensor<?xi8>
// CHECK-DAG:     %[[VAL:.*]] = tensor.cast %[[V]] : tensor<3xf32> to tensor<?xf32>
// CHECK:         %[[S:.*]] = sparse_tensor.assemble (%[[POS]], %[[CRD]]), %[[VAL]] : {{.*}} to tensor<4x3xf32, #[[CSC]]>
// CHECK:         %[[T:.*]] = linalg.pack %[[X]] padding_value(%{{.*}} : f32) inner_dims_pos = [0] inner_tiles = [12] into %{{.*}} : tensor<9x4xf32> -> tensor<1x4x12xf32>
// CHECK:         %[[P:.*]] = linalg.generic {indexing_maps = [#[[ROWS]], #[[W]], #[[OUT]]], iterator_types = ["parallel", "parallel", "reduction", "parallel"]} ins(%[[T]], %[[S]]
// CHECK:         linalg.unpack %[[P]] inner_dims_pos = [0] inner_tiles = [12] into %{{.*}} : tensor<1x3x12xf32> -> tensor<9x3xf32>
// CHECK-DAG:   coordinates: "0x40000000030002"
// CHECK-DAG:   positions: "0x4000000000000000010000000200000003000000"
// CHECK-DAG:   values: "0x40000000000000400000C03F00004040"
// DENSE-LABEL: func.func @channels
// DENSE:         %[[W:.*]] = arith.constant dense<{{\[\[}}0.000000e+00, 1.500000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00, 3.000000e+00], [2.000000e+00, 0.000000e+00, 0.000000e+00]]> : tensor<4x3xf32>
// DENSE:         linalg.matmul ins(%{{.*}}, %[[W]] : tensor<9x4xf32>, tensor<4x3xf32>)
func.func @channels(%x: tensor<9x4xf32>) -> tensor<9x3xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [3, 0]], [1.5, 3.0, 2.0]> : tensor<4x3xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9x3xf32>) -> tensor<9x3xf32>
  %r = linalg.matmul ins(%x, %w : tensor<9x4xf32>, tensor<4x3xf32, #CHANNELS>) outs(%f : tensor<9x3xf32>) -> tensor<9x3xf32>
  return %r : tensor<9x3xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// An unknown number of rows; no values at all, for which there is a byte in memory. 65536 coordinates take 16 bits.
// CHECK-LABEL: func.func @dynamic_and_empty
// CHECK:         sparse_tensor.assemble {{.*}} : (tensor<4xi32>, tensor<?xi16>), tensor<?xi8>
// CHECK:         linalg.pack {{.*}} inner_tiles = [4] into %{{.*}} : tensor<?x65536xf32> -> tensor<?x65536x4xf32>
func.func @dynamic_and_empty(%x: tensor<?x65536xf32>, %n: index) -> tensor<?x3xf32> {
  %w = arith.constant sparse<> : tensor<65536x3xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %r = linalg.matmul ins(%x, %w : tensor<?x65536xf32>, tensor<65536x3xf32, #CHANNELS>) outs(%f : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// One more coordinate takes 32 bits; a few rows are tiles of one, for which channels that have values have a multiple of
// 4, with zeros at the first coordinates without one.
// CHECK-LABEL: func.func @wide
// CHECK:         sparse_tensor.assemble {{.*}} : (tensor<4xi32>, tensor<?xi32>), tensor<?xf32>
// CHECK:         linalg.pack {{.*}} inner_tiles = [1] into %{{.*}} : tensor<3x65537xf32> -> tensor<3x65537x1xf32>
// CHECK-DAG:   coordinates: "0x4000000000000000010000000200000000000100"
// CHECK-DAG:   positions: "0x4000000000000000000000000400000004000000"
// CHECK-DAG:   values: "0x400000000000000000000000000000000000C03F"
func.func @wide(%x: tensor<3x65537xf32>) -> tensor<3x3xf32> {
  %w = arith.constant sparse<[[65536, 1]], [1.5]> : tensor<65537x3xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x3xf32>) -> tensor<3x3xf32>
  %r = linalg.matmul ins(%x, %w : tensor<3x65537xf32>, tensor<65537x3xf32, #CHANNELS>) outs(%f : tensor<3x3xf32>) -> tensor<3x3xf32>
  return %r : tensor<3x3xf32>
}

// -----

#BLOCKS = #sparse_tensor.encoding<{ map = (k, n) -> (n floordiv 2 : dense, k : compressed, n mod 2 : dense) }>

// Blocks of two channels: rows stay as they are, and a block's zeros are stored.
// CHECK-DAG:   #[[ROWS:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2)>
// CHECK-DAG:   #[[W:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d1 * 2 + d3)>
// CHECK-LABEL: func.func @blocks
// CHECK-SAME:    %[[X:.*]]: tensor<9x4xf32>
// CHECK-NOT:     linalg.pack
// CHECK:         %[[P:.*]] = linalg.generic {{.*}} ins(%[[X]], %{{.*}} : tensor<9x4xf32>, tensor<4x4xf32, {{.*}}>)
// CHECK:         linalg.unpack %[[P]] inner_dims_pos = [1] inner_tiles = [2] into %{{.*}} : tensor<9x2x2xf32> -> tensor<9x4xf32>
// CHECK-DAG:   coordinates: "0x40000000000300"
// CHECK-DAG:   positions: "0x40000000000000000200000003000000"
// CHECK-DAG:   values: "0x400000000000C03F0000000000000000000000400000404000008040"
func.func @blocks(%x: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %w = arith.constant sparse<[[0, 0], [0, 2], [0, 3], [3, 1]], [1.5, 3.0, 4.0, 2.0]> : tensor<4x4xf32, #BLOCKS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %r = linalg.matmul ins(%x, %w : tensor<9x4xf32>, tensor<4x4xf32, #BLOCKS>) outs(%f : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %r : tensor<9x4xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// Whole numbers are stored as bytes, whatever the others would be.
// CHECK-LABEL:  func.func @bytes
// CHECK:          sparse_tensor.assemble {{.*}} : (tensor<4xi32>, tensor<?xi8>), tensor<?xi8> to tensor<4x3xi8, #{{.*}}>
// CHECK:            arith.sitofp %{{.*}} : i8 to f32
// CHECK-DAG:    values: "0x4000000080FD7F"
// NARROW-LABEL: func.func @bytes
// NARROW:         tensor<?xi8>
func.func @bytes(%x: tensor<9x4xf32>) -> tensor<9x3xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [3, 0]], [-3.0, 127.0, -128.0]> : tensor<4x3xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9x3xf32>) -> tensor<9x3xf32>
  %r = linalg.matmul ins(%x, %w : tensor<9x4xf32>, tensor<4x3xf32, #CHANNELS>) outs(%f : tensor<9x3xf32>) -> tensor<9x3xf32>
  return %r : tensor<9x3xf32>
}
