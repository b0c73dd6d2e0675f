// RUN: omb-opt %s --split-input-file --omb-pack-contractions=narrow=bf16 | FileCheck %s --check-prefix=PACK
// RUN: omb-opt %s --split-input-file --omb-to-vector=narrow=bf16 | FileCheck %s --check-prefix=DOT
// RUN: omb-opt %s --split-input-file --omb-to-vector="narrow=bf16 vector-dot-bfloats=false" | FileCheck %s --check-prefix=STORED
// RUN: omb-opt %s --split-input-file --omb-to-vector=narrow=f16 | FileCheck %s --check-prefix=HALF
// RUN: not omb-opt %s --split-input-file --omb-pack-contractions=narrow=f8 2>&1 | FileCheck %s --check-prefix=ERROR

// ERROR: error: narrow is bf16, f16 or empty, not f8

// Both factors become bf16, and pairs of what is summed lie next to each other.

// PACK: #[[IN:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2 * 2 + d4)>
// PACK: #[[OF:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d4)>
// PACK-LABEL: func.func @matmul
// PACK: %[[W:.*]] = arith.constant dense_resource<weights.packed> : tensor<1x3x32x2xbf16>
// PACK: %[[X:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<7x5xf32>) outs(%{{.*}} : tensor<7x5xbf16>)
// PACK: arith.truncf
// PACK: %[[P:.*]] = tensor.pad %[[X]] low[0, 0] high[0, 1]
// PACK: linalg.generic {indexing_maps = [#[[IN]], #[[OF]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction", "parallel", "reduction"]} ins(%[[P]], %[[W]] : {{.*}}) outs(%{{.*}} : tensor<7x1x32xf32>)
// PACK-COUNT-2: arith.extf %{{.*}} : bf16 to f32

// In memory they are integers.

// DOT-LABEL: func.func @matmul
// DOT: "flow.dispatch"
// DOT: stream.binding.subspan{{.*}} -> memref<7x6xi16>
// DOT: stream.binding.subspan{{.*}} -> memref<1x3x64xi16>
// DOT: %[[W:.*]] = vector.load %{{.*}} : memref<1x3x64xi16>, vector<32xi16>
// DOT: %[[L:.*]] = vector.load %{{.*}} : memref<7x6xi16>, vector<2xi16>
// DOT: %[[B:.*]] = vector.bitcast %[[L]] : vector<2xi16> to vector<1xi32>
// DOT: %[[E:.*]] = vector.extract %[[B]][0]
// DOT: %[[V:.*]] = vector.broadcast %[[E]] : i32 to vector<16xi32>
// DOT: %[[I:.*]] = vector.bitcast %[[V]] : vector<16xi32> to vector<32xi16>
// DOT: %[[X:.*]] = arith.bitcast %[[I]] : vector<32xi16> to vector<32xbf16>
// DOT: %[[Y:.*]] = arith.bitcast %[[W]] : vector<32xi16> to vector<32xbf16>
// DOT: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"(%{{.*}}, %[[X]], %[[Y]])

// Where no instruction multiplies bf16, the weights are stored as such.

// STORED-LABEL: func.func @matmul
// STORED: "flow.dispatch"(%arg0,
// STORED: stream.binding.subspan{{.*}} -> memref<7x5xf32>
// STORED: stream.binding.subspan{{.*}} -> memref<1x5x32xi16>
// STORED: %[[W:.*]] = vector.load %{{.*}} : memref<1x5x32xi16>, vector<16xi16>
// STORED: %[[E:.*]] = arith.extui %[[W]] : vector<16xi16> to vector<16xi32>
// STORED: %[[S:.*]] = arith.shli %[[E]], %{{.*}}
// STORED: %[[F:.*]] = arith.bitcast %[[S]] : vector<16xi32> to vector<16xf32>
// STORED: vector.fma %{{.*}}, %[[F]], %{{.*}} : vector<16xf32>
// STORED-NOT: call_intrinsic

// HALF-LABEL: func.func @matmul
// HALF: %[[W:.*]] = vector.load %{{.*}} : memref<1x5x32xf16>, vector<16xf16>
// HALF: %[[F:.*]] = arith.extf %[[W]] : vector<16xf16> to vector<16xf32>
// HALF: vector.fma %{{.*}}, %[[F]], %{{.*}} : vector<16xf32>
func.func @matmul(%x: tensor<7x5xf32>) -> tensor<7x20xf32> {
  %w = arith.constant dense_resource<weights> : tensor<5x20xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<7x20xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<7x20xf32>) -> tensor<7x20xf32>
  %y = linalg.matmul ins(%x, %w : tensor<7x5xf32>, tensor<5x20xf32>) outs(%i : tensor<7x20xf32>) -> tensor<7x20xf32>
  return %y : tensor<7x20xf32>
}

{-#
  dialect_resources: {
    builtin: {
      weights: "0x040000000000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F"
    }
  }
#-}

// -----

// The first product rounds what the second reads; a padding stays the kernel's.

// DOT-LABEL: func.func @chain
// DOT: %[[A:.*]] = "flow.dispatch"({{.*}} -> tensor<1x6x6x32xbf16>
// DOT-NOT: linalg.generic
// DOT: "flow.dispatch"(%[[A]], {{.*}} -> tensor<1x6x6x32xf32>
// DOT: llvm.call_intrinsic "llvm.x86.avx512bf16.cvtneps2bf16.512"
// DOT: vector.store %{{.*}} : memref<1x6x6x32xi16>, vector<16xi16>
func.func @chain(%x: tensor<1x6x6x32xf32>) -> tensor<1x6x6x32xf32> {
  %v = arith.constant dense<0.5> : tensor<1x1x32x32xf32>
  %w = arith.constant dense<0.25> : tensor<3x3x32x32xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x6x6x32xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x6x6x32xf32>) -> tensor<1x6x6x32xf32>
  %a = linalg.conv_2d_nhwc_hwcf ins(%x, %v : tensor<1x6x6x32xf32>, tensor<1x1x32x32xf32>) outs(%i : tensor<1x6x6x32xf32>) -> tensor<1x6x6x32xf32>
  %p = tensor.pad %a low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%b: index, %h: index, %l: index, %c: index):
    tensor.yield %c0 : f32
  } : tensor<1x6x6x32xf32> to tensor<1x8x8x32xf32>
  %y = linalg.conv_2d_nhwc_hwcf ins(%p, %w : tensor<1x8x8x32xf32>, tensor<3x3x32x32xf32>) outs(%i : tensor<1x6x6x32xf32>) -> tensor<1x6x6x32xf32>
  return %y : tensor<1x6x6x32xf32>
}

// -----

// Depthwise convolutions sum up nothing that lies next to each other: they stay
// in f32.

// PACK-LABEL: func.func @depthwise
// PACK-NOT: bf16
func.func @depthwise(%x: tensor<1x8x8x32xf32>) -> tensor<1x6x6x32xf32> {
  %w = arith.constant dense<0.5> : tensor<3x3x32xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x6x6x32xf32>
  %i = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x6x6x32xf32>) -> tensor<1x6x6x32xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc ins(%x, %w : tensor<1x8x8x32xf32>, tensor<3x3x32xf32>) outs(%i : tensor<1x6x6x32xf32>) -> tensor<1x6x6x32xf32>
  return %y : tensor<1x6x6x32xf32>
}
