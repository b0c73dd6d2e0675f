// RUN: omb-opt %s --split-input-file --omb-to-vector="vector-bytes=16 vector-registers=16" | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-to-vector="vector-bytes=16 vector-registers=16 threads=2" | FileCheck %s --check-prefix=TWO
// RUN: omb-opt %s --split-input-file --omb-to-vector="vector-bytes=16 vector-registers=16 threads=8" | FileCheck %s --check-prefix=EIGHT

// An inverted residual. A kernel makes rows of what the depthwise convolution reads when they are needed: three are kept.
// With two threads, it takes the last convolution, too, for which a row of all channels is kept. Of eight threads, some
// would have no rows.
// CHECK-LABEL: func.func @residual
// CHECK-COUNT-2: "flow.dispatch"
// CHECK-NOT:     "flow.dispatch"
// CHECK:       func.func @kernel
// CHECK:         %[[RING:.*]] = memref.alloca() {alignment = 64 : i64} : memref<3x6x8xf32>
// CHECK-NOT:     memref.alloca
// CHECK:         scf.for %[[ROW:.*]] =
// CHECK:           arith.cmpi eq, %[[ROW]]
// CHECK:           scf.for
// CHECK:             vector.fma
// CHECK:             %[[SLOT:.*]] = arith.remui
// CHECK:             vector.store %{{.*}}, %[[RING]][%[[SLOT]],
// CHECK:           arith.remui
// CHECK:           vector.load %[[RING]][
// CHECK:           vector.fma
// TWO-LABEL:   func.func @residual
// TWO-COUNT-1:   "flow.dispatch"
// TWO-NOT:       "flow.dispatch"
// TWO:         func.func @kernel
// TWO:           %[[RING:.*]] = memref.alloca() {alignment = 64 : i64} : memref<3x6x16xf32>
// TWO:           %[[LINE:.*]] = memref.alloca() {alignment = 64 : i64} : memref<1x6x16xf32>
// TWO:           vector.store %{{.*}}, %[[RING]]
// TWO:           vector.store %{{.*}}, %[[LINE]]
// TWO:           memref.load %[[LINE]]
// EIGHT-LABEL: func.func @residual
// EIGHT-COUNT-2: "flow.dispatch"
// EIGHT-NOT:     "flow.dispatch"
// EIGHT:       func.func @kernel
func.func @residual(%x: tensor<1x8x6x8xf32>) -> tensor<1x8x6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %w0 = arith.constant dense<1.0> : tensor<16x8xf32>
  %e0 = tensor.empty() : tensor<1x8x6x16xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w0 : tensor<1x8x6x8xf32>, tensor<16x8xf32>) outs(%f0 : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %p = tensor.pad %r0 low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x8x6x16xf32> to tensor<1x10x8x16xf32>
  %w1 = arith.constant dense<2.0> : tensor<16x3x3xf32>
  %e1 = tensor.empty() : tensor<1x8x6x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32>
  %r1 = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w1 : tensor<1x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f1 : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %w2 = arith.constant dense<1.0> : tensor<8x16xf32>
  %e2 = tensor.empty() : tensor<1x8x6x8xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x8x6x8xf32>) -> tensor<1x8x6x8xf32>
  %r2 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%r1, %w2 : tensor<1x8x6x16xf32>, tensor<8x16xf32>) outs(%f2 : tensor<1x8x6x8xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x8xf32>
  return %r2 : tensor<1x8x6x8xf32>
}

// -----

// Any number of images.
// CHECK-LABEL: func.func @images
// CHECK-COUNT-2: "flow.dispatch"
// CHECK-NOT:     "flow.dispatch"
// CHECK:       func.func @kernel
// TWO-LABEL:   func.func @images
// TWO-COUNT-2:   "flow.dispatch"
// TWO-NOT:       "flow.dispatch"
// TWO:         func.func @kernel
func.func @images(%x: tensor<?x8x6x8xf32>) -> tensor<?x8x6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8x6x8xf32>
  %w0 = arith.constant dense<1.0> : tensor<16x8xf32>
  %e0 = tensor.empty(%n) : tensor<?x8x6x16xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x8x6x16xf32>) -> tensor<?x8x6x16xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w0 : tensor<?x8x6x8xf32>, tensor<16x8xf32>) outs(%f0 : tensor<?x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x8x6x16xf32>
  %p = tensor.pad %r0 low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<?x8x6x16xf32> to tensor<?x10x8x16xf32>
  %w1 = arith.constant dense<2.0> : tensor<16x3x3xf32>
  %e1 = tensor.empty(%n) : tensor<?x8x6x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x8x6x16xf32>) -> tensor<?x8x6x16xf32>
  %r1 = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w1 : tensor<?x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f1 : tensor<?x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x8x6x16xf32>
  %w2 = arith.constant dense<1.0> : tensor<8x16xf32>
  %e2 = tensor.empty(%n) : tensor<?x8x6x8xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x8x6x8xf32>) -> tensor<?x8x6x8xf32>
  %r2 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%r1, %w2 : tensor<?x8x6x16xf32>, tensor<8x16xf32>) outs(%f2 : tensor<?x8x6x8xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<?x8x6x8xf32>
  return %r2 : tensor<?x8x6x8xf32>
}

// -----

// What is between the two is read by others, and by the depthwise convolution where it is. That and the last one aren't
// a depthwise convolution and what it reads.
// CHECK-LABEL: func.func @read_twice
// CHECK-COUNT-3: "flow.dispatch"
// CHECK-NOT:     memref.alloca
// TWO-LABEL:   func.func @read_twice
// TWO-COUNT-3:   "flow.dispatch"
// TWO-NOT:       memref.alloca
func.func @read_twice(%x: tensor<1x8x6x8xf32>) -> (tensor<1x8x6x8xf32>, tensor<1x8x6x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %w0 = arith.constant dense<1.0> : tensor<16x8xf32>
  %e0 = tensor.empty() : tensor<1x8x6x16xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w0 : tensor<1x8x6x8xf32>, tensor<16x8xf32>) outs(%f0 : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %p = tensor.pad %r0 low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x8x6x16xf32> to tensor<1x10x8x16xf32>
  %w1 = arith.constant dense<2.0> : tensor<16x3x3xf32>
  %e1 = tensor.empty() : tensor<1x8x6x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32>
  %r1 = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w1 : tensor<1x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f1 : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %w2 = arith.constant dense<1.0> : tensor<8x16xf32>
  %e2 = tensor.empty() : tensor<1x8x6x8xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x8x6x8xf32>) -> tensor<1x8x6x8xf32>
  %r2 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%r1, %w2 : tensor<1x8x6x16xf32>, tensor<8x16xf32>) outs(%f2 : tensor<1x8x6x8xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x8xf32>
  return %r2, %r0 : tensor<1x8x6x8xf32>, tensor<1x8x6x16xf32>
}

// -----

// Rows that the stack has no place for.
// TWO-LABEL:   func.func @wide
// CHECK-LABEL: func.func @wide
// CHECK-COUNT-3: "flow.dispatch"
// CHECK-NOT:     memref.alloca
func.func @wide(%x: tensor<1x8x2400x8xf32>) -> tensor<1x8x2400x8xf32> {
  %zero = arith.constant 0.0 : f32
  %w0 = arith.constant dense<1.0> : tensor<16x8xf32>
  %e0 = tensor.empty() : tensor<1x8x2400x16xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x8x2400x16xf32>) -> tensor<1x8x2400x16xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w0 : tensor<1x8x2400x8xf32>, tensor<16x8xf32>) outs(%f0 : tensor<1x8x2400x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x2400x16xf32>
  %p = tensor.pad %r0 low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x8x2400x16xf32> to tensor<1x10x2402x16xf32>
  %w1 = arith.constant dense<2.0> : tensor<16x3x3xf32>
  %e1 = tensor.empty() : tensor<1x8x2400x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x8x2400x16xf32>) -> tensor<1x8x2400x16xf32>
  %r1 = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w1 : tensor<1x10x2402x16xf32>, tensor<16x3x3xf32>) outs(%f1 : tensor<1x8x2400x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x2400x16xf32>
  %w2 = arith.constant dense<1.0> : tensor<8x16xf32>
  %e2 = tensor.empty() : tensor<1x8x2400x8xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x8x2400x8xf32>) -> tensor<1x8x2400x8xf32>
  %r2 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%r1, %w2 : tensor<1x8x2400x16xf32>, tensor<8x16xf32>) outs(%f2 : tensor<1x8x2400x8xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x2400x8xf32>
  return %r2 : tensor<1x8x2400x8xf32>
}

// -----

// Two depthwise convolutions read the same image, padded once: each is a kernel, and so is what makes it.
// CHECK-LABEL: func.func @two_readers
// CHECK-COUNT-3: "flow.dispatch"
// CHECK-NOT:     "flow.dispatch"
func.func @two_readers(%x: tensor<1x8x6x8xf32>) -> (tensor<1x8x6x16xf32>, tensor<1x8x6x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %w0 = arith.constant dense<1.0> : tensor<16x8xf32>
  %w1 = arith.constant dense<2.0> : tensor<16x3x3xf32>
  %w2 = arith.constant dense<3.0> : tensor<16x3x3xf32>
  %e = tensor.empty() : tensor<1x8x6x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w0 : tensor<1x8x6x8xf32>, tensor<16x8xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %p = tensor.pad %c low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x8x6x16xf32> to tensor<1x10x8x16xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w1 : tensor<1x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w2 : tensor<1x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  return %y, %z : tensor<1x8x6x16xf32>, tensor<1x8x6x16xf32>
}

// -----

// The sum of two depthwise convolutions is of one of the kernels only.
// CHECK-LABEL: func.func @shared_epilogue
// CHECK-COUNT-2: "flow.dispatch"
// CHECK-NOT:     "flow.dispatch"
func.func @shared_epilogue(%x: tensor<1x8x6x8xf32>, %x2: tensor<1x8x6x8xf32>) -> tensor<1x8x6x16xf32> {
  %zero = arith.constant 0.0 : f32
  %w0 = arith.constant dense<1.0> : tensor<16x8xf32>
  %w1 = arith.constant dense<2.0> : tensor<16x3x3xf32>
  %w2 = arith.constant dense<3.0> : tensor<16x3x3xf32>
  %e = tensor.empty() : tensor<1x8x6x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w0 : tensor<1x8x6x8xf32>, tensor<16x8xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %p = tensor.pad %c low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x8x6x16xf32> to tensor<1x10x8x16xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w1 : tensor<1x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %c2 = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x2, %w0 : tensor<1x8x6x8xf32>, tensor<16x8xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %p2 = tensor.pad %c2 low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x8x6x16xf32> to tensor<1x10x8x16xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p2, %w2 : tensor<1x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%y, %z : tensor<1x8x6x16xf32>, tensor<1x8x6x16xf32>) outs(%e : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %s = arith.addf %in, %k : f32
    linalg.yield %s : f32
  } -> tensor<1x8x6x16xf32>
  return %s : tensor<1x8x6x16xf32>
}

// -----

// What is computed once stays outside of the loop.
// CHECK-LABEL: func.func @loop
// CHECK:         "flow.dispatch"
// CHECK:         scf.for
// CHECK:           "flow.dispatch"
func.func @loop(%x: tensor<1x8x6x8xf32>, %n: index) -> tensor<1x8x6x16xf32> {
  %lo = arith.constant 0 : index
  %st = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %w0 = arith.constant dense<1.0> : tensor<16x8xf32>
  %w1 = arith.constant dense<2.0> : tensor<16x3x3xf32>
  %w2 = arith.constant dense<3.0> : tensor<16x3x3xf32>
  %e = tensor.empty() : tensor<1x8x6x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x6x16xf32>) -> tensor<1x8x6x16xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (n, h, w, c)>, affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    ins(%x, %w0 : tensor<1x8x6x8xf32>, tensor<16x8xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %res = scf.for %it = %lo to %n step %st iter_args(%acc = %f) -> (tensor<1x8x6x16xf32>) {
  %p = tensor.pad %c low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    tensor.yield %zero : f32
  } : tensor<1x8x6x16xf32> to tensor<1x10x8x16xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, c, i, j) -> (c, i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
    ins(%p, %w1 : tensor<1x10x8x16xf32>, tensor<16x3x3xf32>) outs(%f : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %m = arith.mulf %in, %k : f32
    %a = arith.addf %o, %m : f32
    linalg.yield %a : f32
  } -> tensor<1x8x6x16xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%y, %acc : tensor<1x8x6x16xf32>, tensor<1x8x6x16xf32>) outs(%e : tensor<1x8x6x16xf32>) {
  ^bb0(%in: f32, %k: f32, %o: f32):
    %s = arith.addf %in, %k : f32
    linalg.yield %s : f32
  } -> tensor<1x8x6x16xf32>
  scf.yield %s : tensor<1x8x6x16xf32>
  }
  return %res : tensor<1x8x6x16xf32>
}
