// RUN: omb-opt %s -split-input-file | omb-opt -split-input-file | FileCheck %s

// Per tensor, per axis and in blocks; of all widths, signed and unsigned.

// CHECK-LABEL: func.func @types
// CHECK: onnx.StorageCast %{{.*}} : tensor<4x8xi4> to tensor<4x8x!quant.uniform<i4:f32, 5.000000e-01>>
// CHECK: onnx.StorageCast %{{.*}} : tensor<4x8xui4> to tensor<4x8x!quant.uniform<u4:f32, 5.000000e-01:8>>
// CHECK: onnx.DequantizeCast %{{.*}} : tensor<4x8x!quant.uniform<u4:f32, 5.000000e-01:8>> to tensor<4x8xf32>
// CHECK: onnx.QuantizeCast %{{.*}} : tensor<4x8xf32> to tensor<4x8x!quant.uniform<u16:f32, 5.000000e-01:32768>>
// CHECK: onnx.QuantizeCast %{{.*}} : tensor<4x8xf32> to tensor<4x8x!quant.uniform<i8:f32:0, {5.000000e-01,2.500000e-01:3,1.250000e-01,1.000000e+00}>>
// CHECK: onnx.QuantizeCast %{{.*}} : tensor<4x8xf32> to tensor<4x8x!quant.uniform<i8:f32:{0:1, 1:4}
func.func @types(%a: tensor<4x8xi4>, %b: tensor<4x8xui4>) -> tensor<4x8x!quant.uniform<i4:f32, 0.5>> {
  %0 = onnx.StorageCast %a : tensor<4x8xi4> to tensor<4x8x!quant.uniform<i4:f32, 0.5>>
  %1 = onnx.StorageCast %b : tensor<4x8xui4> to tensor<4x8x!quant.uniform<u4:f32, 0.5:8>>
  %2 = onnx.DequantizeCast %1 : tensor<4x8x!quant.uniform<u4:f32, 0.5:8>> to tensor<4x8xf32>
  %3 = onnx.QuantizeCast %2 : tensor<4x8xf32> to tensor<4x8x!quant.uniform<u16:f32, 0.5:32768>>
  %4 = onnx.QuantizeCast %2 : tensor<4x8xf32> to tensor<4x8x!quant.uniform<i8:f32:0, {0.5, 0.25:3, 0.125, 1.0}>>
  %5 = onnx.QuantizeCast %2 : tensor<4x8xf32> to tensor<4x8x!quant.uniform<i8:f32:{0:1, 1:4}, {{0.5, 0.25}, {0.5, 0.25}, {0.5, 0.25}, {0.5, 0.25}}>>
  return %0 : tensor<4x8x!quant.uniform<i4:f32, 0.5>>
}

// -----

// Ops take quantized tensors where they take what these express.

// CHECK-LABEL: func.func @ops
// CHECK: onnx.Conv({{.*}}) -> tensor<1x2x4x4x!quant.uniform<u8:f32, 2.500000e-01:10>>
// CHECK: onnx.Add({{.*}}) -> tensor<1x2x4x4xf32>
func.func @ops(%x: tensor<1x3x4x4x!quant.uniform<u8:f32, 0.5:128>>, %w: tensor<2x3x1x1x!quant.uniform<i8:f32:0, {0.5, 0.25}>>, %f: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %0 = onnx.Conv(%x, %w) : (tensor<1x3x4x4x!quant.uniform<u8:f32, 0.5:128>>, tensor<2x3x1x1x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<1x2x4x4x!quant.uniform<u8:f32, 0.25:10>>
  %1 = onnx.Add(%0, %f) : (tensor<1x2x4x4x!quant.uniform<u8:f32, 0.25:10>>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  return %1 : tensor<1x2x4x4xf32>
}
