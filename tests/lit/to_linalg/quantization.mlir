// RUN: omb-opt %s --omb-to-linalg | FileCheck %s

// CHECK: #[[AXIS:.*]] = affine_map<(d0, d1) -> (d1)>

// Rounded to even, shifted, saturated.

// CHECK-LABEL: func.func @quantize
// CHECK: linalg.generic {{.*}}#[[AXIS]], #[[AXIS]]
// CHECK: %[[Q:.*]] = arith.divf
// CHECK: math.roundeven %[[Q]]
// CHECK: arith.addf
// CHECK: linalg.yield %{{.*}} : i8
func.func @quantize(%x: tensor<?x3xf32>, %s: tensor<3xf32>, %z: tensor<3xui8>) -> tensor<?x3xui8> {
  %y = onnx.QuantizeLinear(%x, %s, %z) : (tensor<?x3xf32>, tensor<3xf32>, tensor<3xui8>) -> tensor<?x3xui8>
  return %y : tensor<?x3xui8>
}

// The quotient has the precision of the scale; f8 isn't rounded to an integer.

// CHECK-LABEL: func.func @to_f8
// CHECK: arith.divf
// CHECK: arith.truncf %{{.*}} : f32 to f16
// CHECK-NOT: math.roundeven
// CHECK: return
func.func @to_f8(%x: tensor<4xf32>, %s: tensor<f16>) -> tensor<4xf8E4M3FN> {
  %y = onnx.QuantizeLinear(%x, %s) {output_dtype = 17 : i64} : (tensor<4xf32>, tensor<f16>) -> tensor<4xf8E4M3FN>
  return %y : tensor<4xf8E4M3FN>
}

// CHECK-LABEL: func.func @blocks
// CHECK-SAME: %{{.*}}: tensor<2x5xi8>, %[[S:.*]]: tensor<2x3xf32>
// CHECK: %[[I:.*]] = linalg.index 1
// CHECK: %[[B:.*]] = arith.divsi %[[I]], %c2
// CHECK: tensor.extract %[[S]]
func.func @blocks(%x: tensor<2x5xi4>, %s: tensor<2x3xf32>) -> tensor<2x5xf32> {
  %y = onnx.DequantizeLinear(%x, %s) {block_size = 2 : i64} : (tensor<2x5xi4>, tensor<2x3xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}
