// RUN: omb-opt %s --omb-to-vector="vector-bytes=64 vector-registers=32" | FileCheck %s

#CHANNELS = #sparse_tensor.encoding<{ map = (k, n) -> (n : dense, k : compressed) }>

// Two rows: 16 values of a channel at a time, for which 16 elements of each row are gathered; what is left of a channel
// through a mask, so that no element is read where there is no value.
// CHECK-LABEL: func.func @few_rows
// CHECK-COUNT-1: flow.dispatch
// CHECK-NOT:   flow.dispatch
// CHECK:       func.func @kernel(
// CHECK:         %[[BASE:.*]] = memref.extract_aligned_pointer_as_index
// CHECK:         %[[ROW:.*]] = llvm.inttoptr
// CHECK:         arith.addi %[[BASE]], %c160
// CHECK:         %[[ROW2:.*]] = llvm.inttoptr
// CHECK:         scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}) -> (vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-2:   memref.prefetch
// CHECK:           %[[K8:.*]] = vector.maskedload %{{.*}} : memref<?xi8>
// CHECK:           %[[K:.*]] = arith.extui %[[K8]] : vector<16xi8> to vector<16xi32>
// CHECK:           %[[W:.*]] = vector.maskedload %{{.*}} : memref<?xf32>
// CHECK:           %[[X:.*]] = llvm.call_intrinsic "llvm.x86.avx512.mask.gather.dps.512"(%{{.*}}, %[[ROW]], %[[K]],
// CHECK:           vector.fma %[[W]], %[[X]]
// CHECK:           %[[X2:.*]] = llvm.call_intrinsic "llvm.x86.avx512.mask.gather.dps.512"(%{{.*}}, %[[ROW2]], %[[K]],
// CHECK:           vector.fma %[[W]], %[[X2]]
// CHECK:         %[[MASK:.*]] = vector.create_mask
// CHECK:         vector.maskedload %{{.*}}, %[[MASK]], {{.*}} : memref<?xi8>
// CHECK-COUNT-2: vector.reduction <add>, {{.*}} fastmath<reassoc> : vector<16xf32> into f32
func.func @few_rows(%x: tensor<2x40xf32>) -> tensor<2x8xf32> {
  %w = arith.constant sparse<[[0, 1], [2, 2], [39, 0]], [1.5, 3.0, 2.0]> : tensor<40x8xf32, #CHANNELS>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %r = linalg.matmul ins(%x, %w : tensor<2x40xf32>, tensor<40x8xf32, #CHANNELS>) outs(%f : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %r : tensor<2x8xf32>
}
