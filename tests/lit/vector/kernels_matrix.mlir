// RUN: omb-opt %s --split-input-file --omb-to-vector="matrix-bytes=true" | FileCheck %s
// RUN: omb-opt %s --split-input-file --omb-to-vector="matrix-bfloats=true" | FileCheck %s --check-prefix=OTHER
// RUN: omb-opt %s --split-input-file --omb-to-vector="matrix-bytes=true vector-dot-bytes=2" | FileCheck %s --check-prefix=OTHER

// A unit for other factors, or one without groups of four bytes, isn't used.

// OTHER-NOT: llvm.x86.t

// 40 rows are two tiles of two registers, of 10 rows each; 96 bytes are two
// steps of 12 groups. What is done to the sums is done from memory.

// CHECK-LABEL: func.func @matmul
// CHECK: %[[SUMS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<20x32xi32>
// CHECK: %[[STEP:.*]] = arith.constant 20 : index
// CHECK: scf.for {{.*}} step %[[STEP]]
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilezero.internal"(%c10_i16{{[_0-9]*}}, %c64_i16{{[_0-9]*}})
// CHECK: scf.for {{.*}} step %c12 iter_args({{.*}}) -> (!llvm.x86_amx, !llvm.x86_amx, !llvm.x86_amx, !llvm.x86_amx)
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.tileloadd64.internal"(%c12_i16{{[_0-9]*}}, %c64_i16{{[_0-9]*}}, %{{.*}}, %c128_i64{{[_0-9]*}})
// CHECK: %[[X:.*]] = llvm.call_intrinsic "llvm.x86.tileloadd64.internal"(%c10_i16{{[_0-9]*}}, %c48_i16{{[_0-9]*}},
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.tdpbusd.internal"(%c10_i16{{[_0-9]*}}, %c64_i16{{[_0-9]*}}, %c48_i16{{[_0-9]*}}, %{{.*}}, %[[X]], %{{.*}})
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64.internal"
// CHECK: scf.for
// CHECK: vector.load %[[SUMS]]
// CHECK: vector.store
func.func @matmul(%x: tensor<40x96xi8>) -> tensor<40x32xi32> {
  %w = arith.constant dense<3> : tensor<96x32xi8>
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<40x32xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<40x32xi32>) -> tensor<40x32xi32>
  %r = linalg.matmul ins(%x, %w : tensor<40x96xi8>, tensor<96x32xi8>) outs(%f : tensor<40x32xi32>) -> tensor<40x32xi32>
  return %r : tensor<40x32xi32>
}

// -----

// Of rows that nobody knows the number of, the last tile has some: they are
// copied, and the others in the register are anything.

// CHECK-LABEL: func.func @dynamic
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<32x32xi32>
// CHECK: %[[COPY:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x16x64xi8>
// CHECK: scf.for
// CHECK-NOT: %[[COPY]]
// CHECK: scf.if
// CHECK: %[[LAST:.*]] = arith.minui
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[LAST]]
// CHECK: vector.store %{{.*}}, %[[COPY]]
func.func @dynamic(%x: tensor<?x64xi8>) -> tensor<?x32xi32> {
  %w = arith.constant dense<3> : tensor<64x32xi8>
  %zero = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x64xi8>
  %e = tensor.empty(%d) : tensor<?x32xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<?x32xi32>) -> tensor<?x32xi32>
  %r = linalg.matmul ins(%x, %w : tensor<?x64xi8>, tensor<64x32xi8>) outs(%f : tensor<?x32xi32>) -> tensor<?x32xi32>
  return %r : tensor<?x32xi32>
}

// -----

// 17 groups: a register would hold one of them.

// CHECK-LABEL: func.func @prime
// CHECK-NOT: llvm.x86.t
// CHECK: llvm.x86.avx512.vpdpbusd.512
func.func @prime(%x: tensor<40x68xi8>) -> tensor<40x32xi32> {
  %w = arith.constant dense<3> : tensor<68x32xi8>
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<40x32xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<40x32xi32>) -> tensor<40x32xi32>
  %r = linalg.matmul ins(%x, %w : tensor<40x68xi8>, tensor<68x32xi8>) outs(%f : tensor<40x32xi32>) -> tensor<40x32xi32>
  return %r : tensor<40x32xi32>
}

// -----

// A 3x3 convolution of a narrow image, which is padded in memory: its positions
// are counted through the rows of 9, of which 7 are in the result.

// CHECK-LABEL: func.func @convolution
// CHECK: tensor.pad
// CHECK: stream.binding.subspan{{.*}} -> memref<1x9x9x64xi8>
// CHECK: affine.delinearize_index %{{.*}} into (9, 9)
// CHECK: llvm.call_intrinsic "llvm.x86.tdpbusd.internal"(%c16_i16
// CHECK: %[[AT:.*]]:3 = affine.delinearize_index %{{.*}} into (9, 9)
// CHECK: arith.cmpi ult, %[[AT]]#1, %c7
// CHECK: arith.cmpi ult, %[[AT]]#2, %c7
// CHECK: scf.if
// CHECK: vector.store {{.*}} : memref<1x7x7x32xi32>
#in = affine_map<(n, h, w, o, i, j, c) -> (n, h + i, w + j, c)>
#of = affine_map<(n, h, w, o, i, j, c) -> (o, i, j, c)>
#out = affine_map<(n, h, w, o, i, j, c) -> (n, h, w, o)>
func.func @convolution(%x: tensor<1x7x7x64xi8>) -> tensor<1x7x7x32xi32> {
  %w = arith.constant dense<3> : tensor<32x3x3x64xi8>
  %pad = arith.constant -128 : i8
  %zero = arith.constant 0 : i32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %pad : i8
  } : tensor<1x7x7x64xi8> to tensor<1x9x9x64xi8>
  %e = tensor.empty() : tensor<1x7x7x32xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<1x7x7x32xi32>) -> tensor<1x7x7x32xi32>
  %r = linalg.generic {indexing_maps = [#in, #of, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p, %w : tensor<1x9x9x64xi8>, tensor<32x3x3x64xi8>) outs(%f : tensor<1x7x7x32xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %1 = arith.extsi %a : i8 to i32
    %2 = arith.extsi %b : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %c, %3 : i32
    linalg.yield %4 : i32
  } -> tensor<1x7x7x32xi32>
  return %r : tensor<1x7x7x32xi32>
}

// -----

// 1x1 convolutions that share a kernel, with a number that differs: the
// positions are counted through all rows, for each of which it is the same.

// CHECK-LABEL: func.func @layers
// CHECK-COUNT-2: "flow.dispatch"
// CHECK: func.func @kernel
// CHECK: llvm.call_intrinsic "llvm.x86.tdpbusd.internal"(%c13_i16
// CHECK: memref.load %{{.*}}[%c0{{.*}}] : memref<2xf32>
#in = affine_map<(n, h, w, o, c) -> (n, h, w, c)>
#of = affine_map<(n, h, w, o, c) -> (o, c)>
#out = affine_map<(n, h, w, o, c) -> (n, h, w, o)>
#id = affine_map<(n, h, w, o) -> (n, h, w, o)>
func.func @layers(%x: tensor<1x7x7x64xi8>) -> (tensor<1x7x7x64xf32>, tensor<1x7x7x64xf32>) {
  %zero = arith.constant 0 : i32
  %two = arith.constant 2.0 : f32
  %three = arith.constant 3.0 : f32
  %e = tensor.empty() : tensor<1x7x7x64xi32>
  %g = tensor.empty() : tensor<1x7x7x64xf32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<1x7x7x64xi32>) -> tensor<1x7x7x64xi32>
  %w0 = arith.constant dense<3> : tensor<64x64xi8>
  %w1 = arith.constant dense<5> : tensor<64x64xi8>
  %p0 = linalg.generic {indexing_maps = [#in, #of, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %w0 : tensor<1x7x7x64xi8>, tensor<64x64xi8>) outs(%f : tensor<1x7x7x64xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %1 = arith.extsi %a : i8 to i32
    %2 = arith.extsi %b : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %c, %3 : i32
    linalg.yield %4 : i32
  } -> tensor<1x7x7x64xi32>
  %p1 = linalg.generic {indexing_maps = [#in, #of, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %w1 : tensor<1x7x7x64xi8>, tensor<64x64xi8>) outs(%f : tensor<1x7x7x64xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %1 = arith.extsi %a : i8 to i32
    %2 = arith.extsi %b : i8 to i32
    %3 = arith.muli %1, %2 : i32
    %4 = arith.addi %c, %3 : i32
    linalg.yield %4 : i32
  } -> tensor<1x7x7x64xi32>
  %r0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%p0 : tensor<1x7x7x64xi32>) outs(%g : tensor<1x7x7x64xf32>) {
  ^bb0(%a: i32, %b: f32):
    %1 = arith.sitofp %a : i32 to f32
    %2 = arith.mulf %1, %two : f32
    linalg.yield %2 : f32
  } -> tensor<1x7x7x64xf32>
  %r1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%p1 : tensor<1x7x7x64xi32>) outs(%g : tensor<1x7x7x64xf32>) {
  ^bb0(%a: i32, %b: f32):
    %1 = arith.sitofp %a : i32 to f32
    %2 = arith.mulf %1, %three : f32
    linalg.yield %2 : f32
  } -> tensor<1x7x7x64xf32>
  return %r0, %r1 : tensor<1x7x7x64xf32>, tensor<1x7x7x64xf32>
}
