// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// The input's part of the gates is one product before the loop; the state's
// product adds to it.

// CHECK-LABEL: func.func @lstm
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<5x3x4xf32> into tensor<15x4xf32>
// CHECK: %[[PRODUCT:.*]] = linalg.matmul ins(%[[FLAT]], %{{.*}} : tensor<15x4xf32>, tensor<4x32xf32>)
// CHECK: %[[ALL:.*]] = tensor.expand_shape %[[PRODUCT]]
// CHECK: scf.for %[[T:[a-z0-9]+]] = {{.*}} -> (tensor<3x8xf32>, tensor<3x8xf32>, tensor<5x1x3x8xf32>)
// CHECK:   %[[STEP:.*]] = tensor.extract_slice %[[ALL]][%[[T]], 0, 0] [1, 3, 32] [1, 1, 1]
// CHECK:   linalg.matmul {{.*}} outs(%[[STEP]]
// CHECK:   linalg.generic
// CHECK:   tensor.insert_slice
// CHECK:   scf.yield
func.func @lstm(%x: tensor<5x3x4xf32>, %w: tensor<1x32x4xf32>, %r: tensor<1x32x8xf32>) -> tensor<*xf32> {
  %y = onnx.LSTM(%x, %w, %r) : (tensor<5x3x4xf32>, tensor<1x32x4xf32>, tensor<1x32x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// A single step of an absent state needs neither loop nor second product.

// CHECK-LABEL: func.func @one_step
// CHECK-NOT: scf.for
// CHECK-COUNT-1: linalg.matmul
// CHECK-NOT: linalg.matmul
// CHECK: return
func.func @one_step(%x: tensor<1x3x4xf32>, %w: tensor<1x8x4xf32>, %r: tensor<1x8x8xf32>) -> tensor<*xf32> {
  %y = onnx.RNN(%x, %w, %r) : (tensor<1x3x4xf32>, tensor<1x8x4xf32>, tensor<1x8x8xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// f16 is multiplied as it is, and accumulated in f32. Going backwards, batch
// entries join when their last element comes.

// CHECK-LABEL: func.func @half_backwards
// CHECK: scf.for %[[I:[a-z0-9]+]] =
// CHECK:   %[[T:.*]] = arith.subi %{{.*}}, %[[I]]
// CHECK:   tensor.extract_slice %{{.*}}[%[[T]], 0, 0]
// CHECK:   linalg.matmul ins(%{{.*}} : tensor<?x8xf16>, tensor<8x8xf16>) outs(%{{.*}} : tensor<?x8xf32>)
// CHECK:   arith.truncf
// CHECK:   arith.cmpi slt
func.func @half_backwards(%x: tensor<?x?x4xf16>, %w: tensor<1x8x4xf16>, %r: tensor<1x8x8xf16>, %l: tensor<?xi32>) -> tensor<*xf16> {
  %y = onnx.RNN(%x, %w, %r, none, %l) {direction = "reverse"} : (tensor<?x?x4xf16>, tensor<1x8x4xf16>, tensor<1x8x8xf16>, tensor<?xi32>) -> tensor<*xf16>
  return %y : tensor<*xf16>
}
