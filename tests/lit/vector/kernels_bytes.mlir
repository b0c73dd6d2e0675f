// RUN: omb-opt %s --omb-pack-contractions | FileCheck %s --check-prefix=PACK
// RUN: omb-opt %s --omb-to-vector | FileCheck %s --check-prefix=VNNI
// RUN: omb-opt %s --omb-to-vector="vector-bytes=32 vector-registers=16 vector-dot-bytes=4" | FileCheck %s --check-prefix=AVXVNNI
// RUN: omb-opt %s --omb-to-vector="vector-bytes=32 vector-registers=16 vector-dot-bytes=2" | FileCheck %s --check-prefix=AVX2
// RUN: omb-opt %s --omb-to-vector="vector-dot-bytes=2" | FileCheck %s --check-prefix=AVX512
// RUN: omb-opt %s --omb-to-vector="vector-dot-bytes=0" | FileCheck %s --check-prefix=NONE

// The input is unsigned, and filled up to groups; so are the weights, with
// zeros. 128 times the weights' sums are subtracted: -128 * (6 * 3).

// PACK: #[[IN:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2 * 4 + d4)>
// PACK: #[[OF:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d4)>
// PACK-LABEL: func.func @matmul
// PACK: %[[W:.*]] = arith.constant dense_resource<weights.packed> : tensor<1x2x32x4xi8>
// PACK: %[[X:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<7x6xi8>)
// PACK: arith.addi %{{.*}}, %c-128_i8
// PACK: %[[P:.*]] = tensor.pad %[[X]] low[0, 0] high[0, 2]
// PACK: linalg.generic {indexing_maps = [#[[IN]], #[[OF]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction", "parallel", "reduction"]} ins(%[[P]], %[[W]] :
// PACK-DAG: arith.extui
// PACK-DAG: arith.extsi
// PACK: %[[U:.*]] = linalg.unpack
// PACK: %[[O:.*]] = arith.constant dense<-2304> : tensor<20xi32>
// PACK: linalg.generic {{.*}} ins(%[[U]], %[[O]] : tensor<7x20xi32>, tensor<20xi32>)

// VNNI-LABEL: func.func @matmul
// VNNI: "flow.dispatch"
// VNNI: stream.binding.subspan{{.*}} -> memref<1x2x128xi8>
// VNNI: %[[W:.*]] = vector.load %{{.*}} : memref<1x2x128xi8>, vector<64xi8>
// VNNI: %[[L:.*]] = vector.load %{{.*}} : memref<7x8xi8>, vector<4xi8>
// VNNI: %[[B:.*]] = vector.bitcast %[[L]] : vector<4xi8> to vector<1xi32>
// VNNI: %[[E:.*]] = vector.extract %[[B]][0]
// VNNI: %[[V:.*]] = vector.broadcast %[[E]] : i32 to vector<16xi32>
// VNNI: %[[X:.*]] = vector.bitcast %[[V]] : vector<16xi32> to vector<64xi8>
// VNNI: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%{{.*}}, %[[X]], %[[W]])

// AVXVNNI: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"({{.*}} : (vector<8xi32>, vector<32xi8>, vector<32xi8>) -> vector<8xi32>

// AVX2: %[[L:.*]] = vector.load %{{.*}} : memref<7x6xi8>, vector<2xi8>
// AVX2: arith.extui %[[L]] : vector<2xi8> to vector<2xi16>
// AVX2: arith.extsi %{{.*}} : vector<16xi8> to vector<16xi16>
// AVX2: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"({{.*}} : (vector<16xi16>, vector<16xi16>) -> vector<8xi32>

// AVX512: llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"

// NONE-NOT: stream.executable
// NONE-NOT: call_intrinsic
func.func @matmul(%x: tensor<7x6xi8>) -> tensor<7x20xi32> {
  %w = arith.constant dense<3> : tensor<6x20xi8>
  %c0 = arith.constant 0 : i32
  %e = tensor.empty() : tensor<7x20xi32>
  %i = linalg.fill ins(%c0 : i32) outs(%e : tensor<7x20xi32>) -> tensor<7x20xi32>
  %y = linalg.matmul ins(%x, %w : tensor<7x6xi8>, tensor<6x20xi8>) outs(%i : tensor<7x20xi32>) -> tensor<7x20xi32>
  return %y : tensor<7x20xi32>
}

// What 128 was subtracted from is read as it was, before the padding.

// PACK-LABEL: func.func @unsigned
// PACK: %[[Z:.*]] = arith.constant 5 : i8
// PACK: tensor.pad %arg0 low[1, 0] high[0, 0]
// PACK: tensor.yield %[[Z]]
func.func @unsigned(%x: tensor<7x8xi8>) -> tensor<8x20xi32> {
  %w = arith.constant dense<3> : tensor<8x20xi8>
  %c0 = arith.constant 0 : i32
  %c128 = arith.constant -128 : i8
  %z = arith.constant -123 : i8
  %o = tensor.empty() : tensor<7x8xi8>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<7x8xi8>) outs(%o : tensor<7x8xi8>) {
  ^bb0(%in: i8, %out: i8):
    %a = arith.addi %in, %c128 : i8
    linalg.yield %a : i8
  } -> tensor<7x8xi8>
  %p = tensor.pad %s low[1, 0] high[0, 0] {
  ^bb0(%i0: index, %i1: index):
    tensor.yield %z : i8
  } : tensor<7x8xi8> to tensor<8x8xi8>
  %e = tensor.empty() : tensor<8x20xi32>
  %i = linalg.fill ins(%c0 : i32) outs(%e : tensor<8x20xi32>) -> tensor<8x20xi32>
  %y = linalg.matmul ins(%p, %w : tensor<8x8xi8>, tensor<8x20xi8>) outs(%i : tensor<8x20xi32>) -> tensor<8x20xi32>
  return %y : tensor<8x20xi32>
}

// Weights that aren't constant are packed, and summed, at run time.

// PACK-LABEL: func.func @computed
// PACK-DAG: linalg.pack %arg1 {{.*}}outer_dims_perm = [0, 2, 1] inner_dims_pos = [2, 1] inner_tiles = [32, 4] into %{{.*}} : tensor<2x6x20xi8> -> tensor<2x1x2x32x4xi8>
// PACK-DAG: linalg.generic {{.*}}iterator_types = ["parallel", "reduction", "parallel"]} ins(%arg1 : tensor<2x6x20xi8>) outs(%{{.*}} : tensor<2x20xi32>)
func.func @computed(%x: tensor<2x200x6xi8>, %w: tensor<2x6x20xi8>) -> tensor<2x200x20xi32> {
  %c0 = arith.constant 0 : i32
  %e = tensor.empty() : tensor<2x200x20xi32>
  %i = linalg.fill ins(%c0 : i32) outs(%e : tensor<2x200x20xi32>) -> tensor<2x200x20xi32>
  %y = linalg.batch_matmul ins(%x, %w : tensor<2x200x6xi8>, tensor<2x6x20xi8>) outs(%i : tensor<2x200x20xi32>) -> tensor<2x200x20xi32>
  return %y : tensor<2x200x20xi32>
}

// Sums of unknown length are left alone.

// PACK-LABEL: func.func @unknown
// PACK: linalg.matmul
func.func @unknown(%x: tensor<7x?xi8>, %w: tensor<?x20xi8>) -> tensor<7x20xi32> {
  %c0 = arith.constant 0 : i32
  %e = tensor.empty() : tensor<7x20xi32>
  %i = linalg.fill ins(%c0 : i32) outs(%e : tensor<7x20xi32>) -> tensor<7x20xi32>
  %y = linalg.matmul ins(%x, %w : tensor<7x?xi8>, tensor<?x20xi8>) outs(%i : tensor<7x20xi32>) -> tensor<7x20xi32>
  return %y : tensor<7x20xi32>
}
