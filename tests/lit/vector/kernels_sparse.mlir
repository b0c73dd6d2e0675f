// RUN: omb-opt %s --split-input-file --omb-to-vector="vector-bytes=16 vector-registers=16" --mlir-elide-resource-strings-if-larger=32 | FileCheck %s

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>
#BLOCKS = #sparse_tensor.encoding<{ map = (k, n) -> (n floordiv 8 : dense, k : compressed, n mod 8 : dense) }>

// Rows in lanes: one kernel turns squares of 4 x 4, of which rows that don't exist are zeros; in the other, a vector
// for each value of a channel and 4 rows, then squares are turned back, and each row gets the bias.
// CHECK-LABEL: func.func @rows
// CHECK:         %[[T:.*]] = "flow.dispatch"(%{{.*}}) {{.*}} : (tensor<9x40xf32>) -> tensor<1x40x12xf32>
// CHECK:         "flow.dispatch"({{.*}}%[[T]], {{.*}} -> tensor<9x6xf32>
// CHECK:       func.func @kernel(
// CHECK:         vector.create_mask
// CHECK-COUNT-4: vector.maskedload
// CHECK-COUNT-8: vector.shuffle
// CHECK-COUNT-4: vector.store
// CHECK:       func.func @kernel_0
// CHECK:         %[[BUFFER:.*]] = memref.alloca() {{.*}} : memref<4x12xf32>
// CHECK:         memref.load %{{.*}} : memref<7xi32>
// CHECK:         scf.for {{.*}} iter_args
// CHECK:           %[[K8:.*]] = memref.load %{{.*}} : memref<?xi8>
// CHECK:           %[[K:.*]] = arith.index_castui %[[K8]] : i8 to index
// CHECK:           %[[W:.*]] = memref.load %{{.*}} : memref<?xf32>
// CHECK:           %[[V:.*]] = vector.broadcast %[[W]] : f32 to vector<4xf32>
// CHECK:           %[[X:.*]] = vector.load %{{.*}}[%{{.*}}, %[[K]], %{{.*}}] : memref<1x40x12xf32>
// CHECK:           vector.fma %[[V]], %[[X]]
// CHECK-COUNT-8: vector.shuffle
// CHECK:         %[[MASK:.*]] = vector.create_mask
// CHECK:         scf.for
// CHECK:           vector.load %[[BUFFER]]
// CHECK:           %[[BIAS:.*]] = vector.maskedload
// CHECK:           arith.addf {{.*}} : vector<4xf32>
// CHECK:           vector.maskedstore
func.func @rows(%x: tensor<9x40xf32>, %b: tensor<6xf32>) -> tensor<9x6xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [39, 0]], [1.5, 3.0, 2.0]> : tensor<40x6xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9x6xf32>) -> tensor<9x6xf32>
  %r = linalg.matmul ins(%x, %w : tensor<9x40xf32>, tensor<40x6xf32, #CHANNELS>) outs(%f : tensor<9x6xf32>) -> tensor<9x6xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
    ins(%r, %b : tensor<9x6xf32>, tensor<6xf32>) outs(%e : tensor<9x6xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %sum = arith.addf %in, %bias : f32
    linalg.yield %sum : f32
  } -> tensor<9x6xf32>
  return %s : tensor<9x6xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// An unknown number of rows: the last tile may have fewer vectors, for which there is code of its own.
// CHECK-LABEL: func.func @unknown_rows
// CHECK:       func.func @kernel_0
// CHECK:         arith.cmpi ule
// CHECK:         scf.if
// CHECK:           vector.fma
// CHECK:         } else {
// CHECK:           vector.fma
func.func @unknown_rows(%x: tensor<?x40xf32>, %n: index) -> tensor<?x8xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [39, 0]], [1.5, 3.0, 2.0]> : tensor<40x8xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.matmul ins(%x, %w : tensor<?x40xf32>, tensor<40x8xf32, #CHANNELS>) outs(%f : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// -----

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// Two rows, number by number, in one kernel.
// CHECK-LABEL: func.func @few_rows
// CHECK-COUNT-1: flow.dispatch
// CHECK-NOT:   flow.dispatch
// CHECK:       func.func @kernel(
// CHECK:         %[[W:.*]] = memref.load %{{.*}} : memref<?xf32>
// CHECK:         %[[X:.*]] = memref.load %{{.*}} : memref<2x40xf32>
// CHECK:         math.fma %[[W]], %[[X]]
// CHECK:         %[[X2:.*]] = memref.load %{{.*}} : memref<2x40xf32>
// CHECK:         math.fma %[[W]], %[[X2]]
func.func @few_rows(%x: tensor<2x40xf32>) -> tensor<2x8xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [39, 0]], [1.5, 3.0, 2.0]> : tensor<40x8xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %r = linalg.matmul ins(%x, %w : tensor<2x40xf32>, tensor<40x8xf32, #CHANNELS>) outs(%f : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}

// -----

#BLOCKS = #sparse_tensor.encoding<{ map = (k, n) -> (n floordiv 8 : dense, k : compressed, n mod 8 : dense) }>

// Blocks of 8 channels are two vectors, which are multiplied with a number of each row of a tile.
// CHECK-LABEL: func.func @blocks
// CHECK-COUNT-1: flow.dispatch
// CHECK-NOT:   flow.dispatch
// CHECK:       func.func @kernel(
// CHECK:         %[[V:.*]] = vector.load %{{.*}} : memref<?xf32>, vector<4xf32>
// CHECK:         %[[V2:.*]] = vector.load %{{.*}} : memref<?xf32>, vector<4xf32>
// CHECK:         %[[X:.*]] = memref.load %{{.*}} : memref<9x40xf32>
// CHECK:         %[[B:.*]] = vector.broadcast %[[X]]
// CHECK:         vector.fma %[[B]], %[[V]]
// CHECK:         vector.fma %[[B]], %[[V2]]
func.func @blocks(%x: tensor<9x40xf32>) -> tensor<9x16xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [39, 15]], [1.5, 3.0, 2.0]> : tensor<40x16xf32, #BLOCKS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<9x16xf32>) -> tensor<9x16xf32>
  %r = linalg.matmul ins(%x, %w : tensor<9x40xf32>, tensor<40x16xf32, #BLOCKS>) outs(%f : tensor<9x16xf32>) -> tensor<9x16xf32>
  return %r : tensor<9x16xf32>
}

// -----

#F = #sparse_tensor.encoding<{ map = (f, c, x) -> (f : dense, c : compressed(nonunique), x : singleton(soa)) }>

// A convolution: one kernel turns squares of 4 x 4, where positions of the padding are zeros; in the other, lanes are
// positions, from a coordinate on, and each position gets the bias with the channels last.
// CHECK-LABEL: func.func @convolution
// CHECK:         %[[T:.*]] = linalg.transpose
// CHECK:         %[[P:.*]] = "flow.dispatch"({{.*}}%[[T]]) {{.*}} : (tensor<2x9x8xf32>) -> tensor<2x120xf32>
// CHECK:         "flow.dispatch"({{.*}}%[[P]], {{.*}} -> tensor<2x9x6xf32>
// CHECK:       func.func @kernel(
// CHECK:         vector.create_mask
// CHECK-COUNT-4: vector.maskedload
// CHECK-COUNT-8: vector.shuffle
// CHECK-COUNT-4: vector.store
// CHECK:         vector.maskedstore
// CHECK:       func.func @kernel_0
// CHECK:         %[[BUFFER:.*]] = memref.alloca() {{.*}} : memref<8x12xf32>
// CHECK:         scf.for {{.*}} iter_args
// CHECK:           %[[K8:.*]] = memref.load %{{.*}} : memref<?xi8>
// CHECK:           vector.load %{{.*}} : memref<2x120xf32>, vector<4xf32>
// CHECK-COUNT-3:   vector.fma
// CHECK-COUNT-8: vector.shuffle
// CHECK:         vector.maskedload
// CHECK:         arith.addf {{.*}} : vector<4xf32>
// CHECK:         vector.maskedstore
func.func @convolution(%x: tensor<2x8x9xf32>, %b: tensor<6xf32>) -> tensor<2x6x9xf32> {
  %w = arith.constant sparse<[[0, 1, 0], [2, 2, 2], [5, 7, 1]], [1.0, 3.0, 2.0]> : tensor<6x8x3xf32, #F>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %zero : f32
  } : tensor<2x8x9xf32> to tensor<2x8x11xf32>
  %e = tensor.empty() : tensor<2x6x9xf32>
  %s = linalg.broadcast ins(%b : tensor<6xf32>) outs(%e : tensor<2x6x9xf32>) dimensions = [0, 2]
  %r = linalg.conv_1d_ncw_fcw ins(%p, %w : tensor<2x8x11xf32>, tensor<6x8x3xf32, #F>) outs(%s : tensor<2x6x9xf32>) -> tensor<2x6x9xf32>
  return %r : tensor<2x6x9xf32>
}
