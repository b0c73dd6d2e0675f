// RUN: omb-opt %s --split-input-file --omb-pack-contractions="vector-bytes=16 vector-registers=16 vector-dot-bytes=0" | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s --check-prefix=VECTORS
// RUN: omb-opt %s --split-input-file --omb-pack-contractions=explain --verify-diagnostics -o /dev/null

// A depthwise convolution of bytes: f32 holds all sums, which are integers. What
// the image is padded with, a zero point, is subtracted, so that kernels skip the
// padding; it times the sum of a channel's weights is added instead, with what
// channels start with.

// CHECK-LABEL: func.func @padded
// CHECK-DAG:     %[[W:.*]] = arith.constant dense_resource<{{.*}}packed> : tensor<1x3x3x4xf32>
// CHECK-DAG:     %[[SHIFT:.*]] = arith.constant 3.000000e+00 : f32
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<1x7x32x1x4xi8>, tensor<1x3x3x4xf32>) outs({{.*}} : tensor<1x5x30x1x4xf32>)
// CHECK:           %[[N:.*]] = arith.sitofp %{{.*}} : i8 to f32
// CHECK:           %[[X:.*]] = arith.subf %[[N]], %[[SHIFT]]
// CHECK:           arith.mulf %[[X]]
// CHECK:         linalg.unpack
// CHECK:         arith.fptosi
// CHECK:         %[[OFFSET:.*]] = arith.constant dense<[81, 82, 83, 84]> : tensor<4xi32>
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[OFFSET]]
// CHECK:           arith.addi

// VECTORS-LABEL: func.func @padded
// VECTORS-NOT:     tensor.pad
// VECTORS-NOT:     linalg
// VECTORS:         "flow.dispatch"{{.*}} : (tensor<1x5x30x4xi8>, tensor<1x3x3x4xf32>, tensor<4xi32>) -> tensor<1x5x30x4xi32>
// VECTORS:       func.func @kernel
// VECTORS:         vector.load {{.*}} vector<4xi8>
// VECTORS:         arith.sitofp {{.*}} : vector<4xi8> to vector<4xf32>
// VECTORS:         arith.subf
// VECTORS:         vector.fma {{.*}} : vector<4xf32>
// VECTORS:         arith.fptosi {{.*}} : vector<4xf32> to vector<4xi32>
// VECTORS:         vector.store {{.*}} vector<4xi32>
func.func @padded(%x: tensor<1x5x30x4xi8>) -> tensor<1x5x30x4xi32> {
  %w = arith.constant dense<3> : tensor<4x3x3xi8>
  %zero = arith.constant 3 : i8
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : i8
  } : tensor<1x5x30x4xi8> to tensor<1x7x32x4xi8>
  %e = tensor.empty() : tensor<1x5x30x4xi32>
  %bias = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi32>
  %f = linalg.broadcast ins(%bias : tensor<4xi32>) outs(%e : tensor<1x5x30x4xi32>) dimensions = [0, 1, 2]
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w : tensor<1x7x32x4xi8>, tensor<4x3x3xi8>) outs(%f : tensor<1x5x30x4xi32>) {
  ^bb0(%in: i8, %k: i8, %o: i32):
    %a = arith.extsi %in : i8 to i32
    %b = arith.extsi %k : i8 to i32
    %m = arith.muli %a, %b : i32
    %s = arith.addi %o, %m : i32
    linalg.yield %s : i32
  } -> tensor<1x5x30x4xi32>
  return %r : tensor<1x5x30x4xi32>
}

// -----

// As many products as f32 may not hold the sum of stay as they are.

// CHECK-LABEL: func.func @many
// CHECK-NOT:     linalg.unpack
// VECTORS-LABEL: func.func @many
// VECTORS-NOT:     "flow.dispatch"
func.func @many(%x: tensor<1x54x54x4xi8>) -> tensor<1x31x31x4xi32> {
  %w = arith.constant dense<3> : tensor<4x24x24xi8>
  %e = tensor.empty() : tensor<1x31x31x4xi32>
  %zero = arith.constant 0 : i32
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<1x31x31x4xi32>) -> tensor<1x31x31x4xi32>
  // expected-remark @below {{sums too many bytes of each channel, perhaps}}
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%x, %w : tensor<1x54x54x4xi8>, tensor<4x24x24xi8>) outs(%f : tensor<1x31x31x4xi32>) {
  ^bb0(%in: i8, %k: i8, %o: i32):
    %a = arith.extsi %in : i8 to i32
    %b = arith.extsi %k : i8 to i32
    %m = arith.muli %a, %b : i32
    %s = arith.addi %o, %m : i32
    linalg.yield %s : i32
  } -> tensor<1x31x31x4xi32>
  return %r : tensor<1x31x31x4xi32>
}
