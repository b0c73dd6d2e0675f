// RUN: omb-opt %s --split-input-file --omb-fuse-elementwise | FileCheck %s

// What is done to a reshaped product moves before the reshape; bias, product and activation are one op.
// CHECK-LABEL: func.func @epilogue
// CHECK:         %[[U:.*]] = linalg.unpack
// CHECK:         %[[E:.*]] = linalg.generic {{.*}} ins(%[[U]], %{{.*}} : tensor<?x8xf32>, tensor<8xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.addf
// CHECK-NEXT:      arith.maximumf
// CHECK:         tensor.expand_shape %[[E]]
// CHECK-NOT:     linalg.generic
func.func @epilogue(%p: tensor<?x2x4xf32>, %bias: tensor<8xf32>, %mn: index, %m: index, %n: index) -> tensor<?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%mn) : tensor<?x8xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<?x2x4xf32> -> tensor<?x8xf32>
  %x = tensor.expand_shape %u [[0, 1], [2]] output_shape [%m, %n, 8] : tensor<?x8xf32> into tensor<?x?x8xf32>
  %f = tensor.empty(%m, %n) : tensor<?x?x8xf32>
  %b = linalg.broadcast ins(%bias : tensor<8xf32>) outs(%f : tensor<?x?x8xf32>) dimensions = [0, 1]
  %s = linalg.add ins(%x, %b : tensor<?x?x8xf32>, tensor<?x?x8xf32>) outs(%f : tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
    iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<?x?x8xf32>) outs(%f : tensor<?x?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.maximumf %in, %zero : f32
    linalg.yield %v : f32
  } -> tensor<?x?x8xf32>
  return %r : tensor<?x?x8xf32>
}

// -----

// What follows a sum's correction behind a reshape is one op with it: what a quantized product's zero
// points add is computed in the product's shape.
// CHECK-LABEL: func.func @corrected
// CHECK:         %[[U:.*]] = linalg.unpack
// CHECK:         %[[E:.*]] = linalg.generic {{.*}} ins(%[[U]], %{{.*}} : tensor<6x8xi32>, tensor<8xi32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.addi
// CHECK-NEXT:      arith.sitofp
// CHECK:         tensor.expand_shape %[[E]]
// CHECK-NOT:     linalg.generic
func.func @corrected(%p: tensor<6x2x4xi32>, %zeros: tensor<8xi32>) -> tensor<2x3x8xf32> {
  %e = tensor.empty() : tensor<6x8xi32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<6x2x4xi32> -> tensor<6x8xi32>
  %c = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>, affine_map<(a, b) -> (a, b)>],
    iterator_types = ["parallel", "parallel"]} ins(%u, %zeros : tensor<6x8xi32>, tensor<8xi32>) outs(%e : tensor<6x8xi32>) {
  ^bb0(%in: i32, %zero: i32, %out: i32):
    %v = arith.addi %in, %zero : i32
    linalg.yield %v : i32
  } -> tensor<6x8xi32>
  %x = tensor.expand_shape %c [[0, 1], [2]] output_shape [2, 3, 8] : tensor<6x8xi32> into tensor<2x3x8xi32>
  %f = tensor.empty() : tensor<2x3x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
    iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x3x8xi32>) outs(%f : tensor<2x3x8xf32>) {
  ^bb0(%in: i32, %out: f32):
    %v = arith.sitofp %in : i32 to f32
    linalg.yield %v : f32
  } -> tensor<2x3x8xf32>
  return %r : tensor<2x3x8xf32>
}

// -----

// Left alone: what doesn't follow a product.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: linalg.generic
func.func @others(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %y = linalg.exp ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %n = linalg.negf ins(%y : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %n : tensor<4x4xf32>
}

// -----

// Not into a sum, which would compute it once for each of its steps; nor what has two uses.
// CHECK-LABEL: func.func @alone
// CHECK:         %[[EXP:.*]] = linalg.generic
// CHECK:           math.exp
// CHECK:         linalg.matmul ins(%[[EXP]]
// CHECK:         linalg.generic {{.*}} ins(%[[EXP]]
func.func @alone(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<4x4xf32>
  %y = linalg.exp ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = linalg.matmul ins(%y, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %n = linalg.negf ins(%y : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %r, %n : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// What is done to a product in fewer dimensions moves before the reshape, too; a value read twice is one operand.
// CHECK-LABEL: func.func @groups
// CHECK:         %[[U:.*]] = linalg.unpack
// CHECK:         %[[E:.*]] = linalg.generic {{.*}} ins(%[[U]] : tensor<?x3x8xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.mulf
// CHECK:         tensor.collapse_shape %[[E]]
// CHECK-NOT:     linalg.generic
func.func @groups(%p: tensor<?x3x2x4xf32>, %n: index) -> tensor<?x24xf32> {
  %e = tensor.empty(%n) : tensor<?x3x8xf32>
  %u = linalg.unpack %p inner_dims_pos = [2] inner_tiles = [4] into %e : tensor<?x3x2x4xf32> -> tensor<?x3x8xf32>
  %x = tensor.collapse_shape %u [[0], [1, 2]] : tensor<?x3x8xf32> into tensor<?x24xf32>
  %f = tensor.empty(%n) : tensor<?x24xf32>
  %s = linalg.mul ins(%x, %x : tensor<?x24xf32>, tensor<?x24xf32>) outs(%f : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %s : tensor<?x24xf32>
}

// -----

// A product that reads one in fewer dimensions keeps its own.
// CHECK-LABEL: func.func @product_of_product
// CHECK:         %[[X:.*]] = tensor.collapse_shape
// CHECK:         linalg.matmul ins(%[[X]]
func.func @product_of_product(%p: tensor<1x3x2x4xf32>, %w: tensor<8x5xf32>, %out: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %e = tensor.empty() : tensor<1x3x8xf32>
  %u = linalg.unpack %p inner_dims_pos = [2] inner_tiles = [4] into %e : tensor<1x3x2x4xf32> -> tensor<1x3x8xf32>
  %x = tensor.collapse_shape %u [[0, 1], [2]] : tensor<1x3x8xf32> into tensor<3x8xf32>
  %r = linalg.matmul ins(%x, %w : tensor<3x8xf32>, tensor<8x5xf32>) outs(%out : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %r : tensor<3x5xf32>
}

// -----

// Two quantized products are joined. What is done to the first stays its own,
// and is stored as bytes; their conversion is part of the second's.
// CHECK-LABEL: func.func @join
// CHECK:         %[[A:.*]] = linalg.unpack
// CHECK:         %[[F:.*]] = linalg.generic {{.*}} ins(%[[A]] : tensor<3x8xi32>) outs(%{{.*}} : tensor<3x8xi8>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.trunci
// CHECK:         %[[B:.*]] = linalg.unpack
// CHECK:         %[[R:.*]] = linalg.generic {{.*}} ins(%[[F]], %[[B]] : tensor<3x8xi8>, tensor<3x8xi32>) outs(%{{.*}} : tensor<3x8xf32>)
// CHECK-DAG:       arith.sitofp %{{.*}} : i8 to f32
// CHECK-DAG:       arith.sitofp %{{.*}} : i32 to f32
// CHECK:           arith.addf
// CHECK-NOT:     linalg.generic
// CHECK:         return %[[R]]

#id = affine_map<(a, b) -> (a, b)>
func.func @join(%p: tensor<3x2x4xi32>, %q: tensor<3x2x4xi32>) -> tensor<3x8xf32> {
  %e = tensor.empty() : tensor<3x8xi32>
  %a = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<3x2x4xi32> -> tensor<3x8xi32>
  %bytes = tensor.empty() : tensor<3x8xi8>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<3x8xi32>) outs(%bytes : tensor<3x8xi8>) {
  ^bb0(%in: i32, %out: i8):
    %v = arith.trunci %in : i32 to i8
    linalg.yield %v : i8
  } -> tensor<3x8xi8>
  %floats = tensor.empty() : tensor<3x8xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%n : tensor<3x8xi8>) outs(%floats : tensor<3x8xf32>) {
  ^bb0(%in: i8, %out: f32):
    %v = arith.sitofp %in : i8 to f32
    linalg.yield %v : f32
  } -> tensor<3x8xf32>
  %b = linalg.unpack %q inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<3x2x4xi32> -> tensor<3x8xi32>
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<3x8xi32>) outs(%floats : tensor<3x8xf32>) {
  ^bb0(%in: i32, %out: f32):
    %v = arith.sitofp %in : i32 to f32
    linalg.yield %v : f32
  } -> tensor<3x8xf32>
  %r = linalg.add ins(%w, %c : tensor<3x8xf32>, tensor<3x8xf32>) outs(%floats : tensor<3x8xf32>) -> tensor<3x8xf32>
  return %r : tensor<3x8xf32>
}

// -----

// What is rounded for another product (not by the model) is read rounded by the sum, too: one tensor is stored.
// CHECK-LABEL: func.func @residual
// CHECK:         %[[A:.*]] = linalg.unpack
// CHECK:         %[[N:.*]] = linalg.generic {{.*}} ins(%[[A]] : tensor<3x8xf32>) outs(%{{.*}} : tensor<3x8xbf16>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.mulf
// CHECK-NEXT:      arith.truncf
// CHECK:         %[[B:.*]] = linalg.unpack
// CHECK:         %[[R:.*]] = linalg.generic {{.*}} ins(%[[N]], %[[B]] : tensor<3x8xbf16>, tensor<3x8xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.extf
// CHECK-NEXT:      arith.addf
// CHECK:         return %[[N]], %[[R]]
#id = affine_map<(a, b) -> (a, b)>
func.func @residual(%p: tensor<3x2x4xf32>, %q: tensor<3x2x4xf32>) -> (tensor<3x8xbf16>, tensor<3x8xf32>) {
  %e = tensor.empty() : tensor<3x8xf32>
  %a = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<3x2x4xf32> -> tensor<3x8xf32>
  %s = linalg.mul ins(%a, %a : tensor<3x8xf32>, tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) -> tensor<3x8xf32>
  %narrow = tensor.empty() : tensor<3x8xbf16>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<3x8xf32>) outs(%narrow : tensor<3x8xbf16>) attrs = {omb.narrowing} {
  ^bb0(%in: f32, %out: bf16):
    %v = arith.truncf %in : f32 to bf16
    linalg.yield %v : bf16
  } -> tensor<3x8xbf16>
  %b = linalg.unpack %q inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<3x2x4xf32> -> tensor<3x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%s, %b : tensor<3x8xf32>, tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%in: f32, %in2: f32, %out: f32):
    %v = arith.addf %in, %in2 : f32
    linalg.yield %v : f32
  } -> tensor<3x8xf32>
  return %n, %r : tensor<3x8xbf16>, tensor<3x8xf32>
}

// -----

// A number for each channel, as normalizations of images have it, is read as a vector of them; what was
// made of one for that is it again.
// CHECK-LABEL: func.func @units
// CHECK-SAME:    %{{.*}}: tensor<1x3x5x2x4xf32>, %[[S:.*]]: tensor<8xf32>, %[[T:.*]]: tensor<1x?x1x1xf32>
// CHECK:         %[[C:.*]] = tensor.collapse_shape %[[T]] {{\[\[}}0, 1, 2, 3]] : tensor<1x?x1x1xf32> into tensor<?xf32>
// CHECK:         linalg.generic {indexing_maps = [#[[ALL:.*]], #[[LAST:.*]], #[[LAST]], #[[ALL]]]
// CHECK-SAME:      ins(%{{.*}}, %[[S]], %[[C]] : tensor<1x3x5x8xf32>, tensor<8xf32>, tensor<?xf32>)
// CHECK-NOT:     linalg.generic
#all = affine_map<(a, b, c, d) -> (a, b, c, d)>
func.func @units(%p: tensor<1x3x5x2x4xf32>, %scale: tensor<8xf32>, %shift: tensor<1x?x1x1xf32>) -> tensor<1x3x5x8xf32> {
  %e = tensor.empty() : tensor<1x3x5x8xf32>
  %u = linalg.unpack %p inner_dims_pos = [3] inner_tiles = [4] into %e : tensor<1x3x5x2x4xf32> -> tensor<1x3x5x8xf32>
  %s = tensor.expand_shape %scale [[0, 1, 2]] output_shape [8, 1, 1] : tensor<8xf32> into tensor<8x1x1xf32>
  %m = linalg.generic {indexing_maps = [#all, affine_map<(a, b, c, d) -> (d, 0, 0)>, #all],
    iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%u, %s : tensor<1x3x5x8xf32>, tensor<8x1x1xf32>) outs(%e : tensor<1x3x5x8xf32>) {
  ^bb0(%in: f32, %in2: f32, %out: f32):
    %v = arith.mulf %in, %in2 : f32
    linalg.yield %v : f32
  } -> tensor<1x3x5x8xf32>
  %r = linalg.generic {indexing_maps = [#all, affine_map<(a, b, c, d) -> (0, d, 0, 0)>, #all],
    iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%m, %shift : tensor<1x3x5x8xf32>, tensor<1x?x1x1xf32>) outs(%e : tensor<1x3x5x8xf32>) {
  ^bb0(%in: f32, %in2: f32, %out: f32):
    %v = arith.addf %in, %in2 : f32
    linalg.yield %v : f32
  } -> tensor<1x3x5x8xf32>
  return %r : tensor<1x3x5x8xf32>
}

// -----

// The first of several is read where it was.
// CHECK-LABEL: func.func @first
// CHECK-SAME:    %[[S:[a-z0-9]*]]: tensor<2x8xf32>
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[S]] : tensor<3x8xf32>, tensor<2x8xf32>)
func.func @first(%s: tensor<2x8xf32>, %x: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %e = tensor.empty() : tensor<3x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (0, b)>, affine_map<(a, b) -> (a, b)>],
    iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<3x8xf32>, tensor<2x8xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%in: f32, %in2: f32, %out: f32):
    %v = arith.addf %in, %in2 : f32
    linalg.yield %v : f32
  } -> tensor<3x8xf32>
  return %r : tensor<3x8xf32>
}

// -----

// What is made of a product is read twice, as the x of x * erf(x) is: one op with both readers.
// CHECK-LABEL: func.func @twice
// CHECK:         %[[U:.*]] = linalg.unpack
// CHECK:         %[[E:.*]] = linalg.generic {{.*}} ins(%[[U]] : tensor<3x8xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      math.roundeven
// CHECK-NEXT:      math.erf
// CHECK-NEXT:      arith.mulf
// CHECK-NOT:     linalg.generic
// CHECK:         return %[[E]]
func.func @twice(%p: tensor<3x2x4xf32>) -> tensor<3x8xf32> {
  %e = tensor.empty() : tensor<3x8xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<3x2x4xf32> -> tensor<3x8xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]} ins(%u : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.roundeven %in : f32
    linalg.yield %v : f32
  } -> tensor<3x8xf32>
  %t = linalg.erf ins(%x : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) -> tensor<3x8xf32>
  %r = linalg.mul ins(%x, %t : tensor<3x8xf32>, tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) -> tensor<3x8xf32>
  return %r : tensor<3x8xf32>
}

// -----

// What is returned, too, is computed once: the others stay apart from it, and are one op.
// CHECK-LABEL: func.func @returned
// CHECK:         %[[X:.*]] = linalg.generic
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      math.roundeven
// CHECK:         %[[R:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<3x8xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      math.erf
// CHECK-NEXT:      arith.mulf
// CHECK:         return %[[X]], %[[R]]
func.func @returned(%p: tensor<3x2x4xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>) {
  %e = tensor.empty() : tensor<3x8xf32>
  %u = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [4] into %e : tensor<3x2x4xf32> -> tensor<3x8xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]} ins(%u : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.roundeven %in : f32
    linalg.yield %v : f32
  } -> tensor<3x8xf32>
  %t = linalg.erf ins(%x : tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) -> tensor<3x8xf32>
  %r = linalg.mul ins(%x, %t : tensor<3x8xf32>, tensor<3x8xf32>) outs(%e : tensor<3x8xf32>) -> tensor<3x8xf32>
  return %x, %r : tensor<3x8xf32>, tensor<3x8xf32>
}
