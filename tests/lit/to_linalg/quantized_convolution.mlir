// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK-SAME: %[[X:.*]]: tensor<1x3x5x5xi8>, %[[W:.*]]: tensor<2x3x3x3xi8>
// CHECK: %[[Y:.*]] = linalg.conv_2d_nchw_fchw {{.*}} ins(%[[X]], %[[W]] : {{.*}}) outs(%{{.*}} : tensor<1x2x3x3xi32>)
// CHECK-NEXT: return %[[Y]]
func.func @plain(%x: tensor<1x3x5x5xi8>, %w: tensor<2x3x3x3xi8>) -> tensor<*xi32> {
  %y = onnx.ConvInteger(%x, %w) : (tensor<1x3x5x5xi8>, tensor<2x3x3x3xi8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// The padding is the zero point, which stands for 0; less 128, as the bytes are.

// CHECK-LABEL: func.func @known_padding
// CHECK-DAG: %[[Z:.*]] = arith.constant -121 : i8
// CHECK: tensor.pad
// CHECK: tensor.yield %[[Z]]
// CHECK: linalg.conv_2d_nchw_fchw
func.func @known_padding(%x: tensor<1x3x5x5xui8>, %w: tensor<2x3x3x3xi8>) -> tensor<*xi32> {
  %z = onnx.Constant() {value = dense<7> : tensor<ui8>} : () -> tensor<ui8>
  %y = onnx.ConvInteger(%x, %w, %z) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x5x5xui8>, tensor<2x3x3x3xi8>, tensor<ui8>) -> tensor<*xi32>
  return %y : tensor<*xi32>
}

// Where it isn't known, no element is read on the host.

// CHECK-LABEL: func.func @computed_padding
// CHECK: tensor.pad
// CHECK: linalg.generic
// CHECK: linalg.index
// CHECK: arith.select
// CHECK-NOT: tensor.extract
// CHECK: return
func.func @computed_padding(%x: tensor<1x3x?x?xui8>, %w: tensor<2x3x3x3xi8>, %z: tensor<ui8>) -> tensor<1x2x?x?xi32> {
  %y = onnx.ConvInteger(%x, %w, %z) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x?x?xui8>, tensor<2x3x3x3xi8>, tensor<ui8>) -> tensor<1x2x?x?xi32>
  return %y : tensor<1x2x?x?xi32>
}

// A zero point of the weights takes sums over the windows of each group.

// CHECK-LABEL: func.func @groups
// CHECK: linalg.conv_2d_ngchw_gfchw {{.*}} outs(%{{.*}} : tensor<1x2x3x3x3xi32>)
// CHECK: linalg.conv_2d_ngchw_gfchw {{.*}} outs(%{{.*}} : tensor<1x2x1x3x3xi32>)
// CHECK: arith.muli
// CHECK: arith.subi
// CHECK: return %{{.*}} : tensor<1x6x3x3xi32>
func.func @groups(%x: tensor<1x4x5x5xi8>, %w: tensor<6x2x3x3xi8>, %z: tensor<6xi8>) -> tensor<1x6x3x3xi32> {
  %y = onnx.ConvInteger(%x, %w, none, %z) {group = 2 : i64} : (tensor<1x4x5x5xi8>, tensor<6x2x3x3xi8>, tensor<6xi8>) -> tensor<1x6x3x3xi32>
  return %y : tensor<1x6x3x3xi32>
}

// The bias is what the sums start with.

// CHECK-LABEL: func.func @bias
// CHECK-SAME: %[[B:[^:]*]]: tensor<2xi32>)
// CHECK: %[[I:.*]] = linalg.broadcast ins(%[[B]] :
// CHECK: linalg.conv_2d_nchw_fchw {{.*}} outs(%[[I]] :
// CHECK: arith.sitofp %{{.*}} : i32 to f64
// CHECK: math.roundeven
// CHECK: return %{{.*}} : tensor<1x2x3x3xi8>
func.func @bias(%x: tensor<1x3x5x5xi8>, %s: tensor<f32>, %w: tensor<2x3x3x3xi8>, %ws: tensor<2xf32>, %b: tensor<2xi32>) -> tensor<1x2x3x3xi8> {
  %z = onnx.Constant() {value = dense<0> : tensor<i8>} : () -> tensor<i8>
  %y = onnx.QLinearConv(%x, %s, %z, %w, %ws, %z, %s, %z, %b) : (tensor<1x3x5x5xi8>, tensor<f32>, tensor<i8>, tensor<2x3x3x3xi8>, tensor<2xf32>, tensor<i8>, tensor<f32>, tensor<i8>, tensor<2xi32>) -> tensor<1x2x3x3xi8>
  return %y : tensor<1x2x3x3xi8>
}
