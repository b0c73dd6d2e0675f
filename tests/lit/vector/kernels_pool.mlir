// RUN: omb-opt %s --split-input-file --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s

// A maximum of windows of an image with padding: the image is read where it is, as vectors of channels, and padding
// from nowhere. A row's columns make one tile of six, of which the first skips a tap.
// CHECK-LABEL: func.func @maximum
// CHECK-NOT:     tensor.pad
// CHECK-NOT:     linalg.pack
// CHECK:         "flow.dispatch"{{.*}} : (tensor<1x11x12x4xf32>) -> tensor<1x6x6x4xf32>
// CHECK:       func.func @kernel
// CHECK:         %[[LOWEST:.*]] = arith.constant dense<0xFF800000> : vector<4xf32>
// CHECK:         arith.maxsi
// CHECK:         arith.minsi
// CHECK:         scf.for {{.*}} iter_args({{.*}} = %[[LOWEST]]
// CHECK:           %[[TAP:.*]] = vector.load {{.*}} : memref<1x11x12x4xf32{{.*}}>, vector<4xf32>
// CHECK:           %[[LARGER:.*]] = arith.cmpf ogt, %[[TAP]], %[[SO_FAR:.*]] :
// CHECK:           %[[MAX:.*]] = arith.select %[[LARGER]], %[[TAP]], %[[SO_FAR]]
// CHECK:           %[[NONE:.*]] = arith.cmpf uno, %[[TAP]], %[[TAP]]
// CHECK:           arith.select %[[NONE]], %[[TAP]], %[[MAX]]
func.func @maximum(%x: tensor<1x11x12x4xf32>) -> tensor<1x6x6x4xf32> {
  %lowest = arith.constant 0xFF800000 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 0, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %lowest : f32
  } : tensor<1x11x12x4xf32> to tensor<1x13x13x4xf32>
  %w = tensor.empty() : tensor<3x3xf32>
  %e = tensor.empty() : tensor<1x6x6x4xf32>
  %f = linalg.fill ins(%lowest : f32) outs(%e : tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  %r = linalg.pooling_nhwc_max {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
    ins(%p, %w : tensor<1x13x13x4xf32>, tensor<3x3xf32>) outs(%f : tensor<1x6x6x4xf32>) -> tensor<1x6x6x4xf32>
  return %r : tensor<1x6x6x4xf32>
}

// -----

// Bytes summed in 32 bits, and what is done to the sums, with channels that don't fill a vector; sizes aren't known.
// CHECK-LABEL: func.func @average
// CHECK-NOT:     linalg.generic
// CHECK:         "flow.dispatch"
// CHECK:       func.func @kernel
// CHECK:         arith.extsi {{.*}} : vector<4xi8> to vector<4xi32>
// CHECK:         arith.addi {{.*}} : vector<4xi32>
// CHECK:         arith.sitofp {{.*}} : vector<4xi32> to vector<4xf32>
// CHECK:         vector.maskedstore
func.func @average(%x: tensor<?x?x?x7xi8>, %n: index, %h: index, %w: index) -> tensor<?x?x?x7xf32> {
  %zero = arith.constant 0 : i32
  %k = tensor.empty() : tensor<2x2xi32>
  %e = tensor.empty(%n, %h, %w) : tensor<?x?x?x7xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<?x?x?x7xi32>) -> tensor<?x?x?x7xi32>
  %s = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%x, %k : tensor<?x?x?x7xi8>, tensor<2x2xi32>) outs(%f : tensor<?x?x?x7xi32>) {
  ^bb0(%in: i8, %window: i32, %o: i32):
    %wide = arith.extsi %in : i8 to i32
    %a = arith.addi %o, %wide : i32
    linalg.yield %a : i32
  } -> tensor<?x?x?x7xi32>
  %ef = tensor.empty(%n, %h, %w) : tensor<?x?x?x7xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%s : tensor<?x?x?x7xi32>) outs(%ef : tensor<?x?x?x7xf32>) {
  ^bb0(%in: i32, %o: f32):
    %quarter = arith.constant 0.25 : f32
    %real = arith.sitofp %in : i32 to f32
    %m = arith.mulf %real, %quarter : f32
    linalg.yield %m : f32
  } -> tensor<?x?x?x7xf32>
  return %r : tensor<?x?x?x7xf32>
}

// -----

// Padding that is larger than what the maximum starts with counts: the padded image is read.
// CHECK-LABEL: func.func @counts_padding
// CHECK:         %[[PADDED:.*]] = tensor.pad
// CHECK:         "flow.dispatch"(%[[PADDED]])
func.func @counts_padding(%x: tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x4x4x4xf32> to tensor<1x6x6x4xf32>
  %w = tensor.empty() : tensor<3x3xf32>
  %e = tensor.empty() : tensor<1x4x4x4xf32>
  %f = linalg.fill ins(%lowest : f32) outs(%e : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %r = linalg.pooling_nhwc_max {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
    ins(%p, %w : tensor<1x6x6x4xf32>, tensor<3x3xf32>) outs(%f : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return %r : tensor<1x4x4x4xf32>
}
