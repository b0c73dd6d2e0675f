// RUN: omb-opt %s -split-input-file -verify-diagnostics

func.func @axis(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{which has axis 2 for a tensor of rank 2}}
  %0 = onnx.QuantizeCast %x : tensor<2x3xf32> to tensor<2x3x!quant.uniform<i8:f32:2, {0.5, 0.25, 0.5}>>
  return
}

// -----

func.func @count(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{which has 2 scales along dimension 1 of size 3}}
  %0 = onnx.QuantizeCast %x : tensor<2x3xf32> to tensor<2x3x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  return
}

// -----

func.func @blocks(%x: tensor<2x6xf32>) {
  // expected-error @+1 {{which has 2 scales along dimension 1 of size 6}}
  %0 = onnx.QuantizeCast %x : tensor<2x6xf32> to tensor<2x6x!quant.uniform<i8:f32:{0:1, 1:4}, {{0.5, 0.25}, {0.5, 0.25}}>>
  return
}

// -----

func.func @width(%x: tensor<2xf32>) {
  // expected-error @+1 {{which stores integers of 7 bits, which no element type of ONNX has}}
  %0 = onnx.QuantizeCast %x : tensor<2xf32> to tensor<2x!quant.uniform<i7:f32, 0.5>>
  return
}

// -----

func.func @range(%x: tensor<2xf32>) {
  // expected-error @+1 {{which stores a part of its integers' range}}
  %0 = onnx.QuantizeCast %x : tensor<2xf32> to tensor<2x!quant.uniform<i8<-127:127>:f32, 0.5>>
  return
}

// -----

func.func @expressed(%x: tensor<2xf64>) {
  // expected-error @+1 {{which expresses numbers other than f32, f16 and bf16}}
  %0 = onnx.QuantizeCast %x : tensor<2xf64> to tensor<2x!quant.uniform<i8:f64, 0.5>>
  return
}

// -----

func.func @storage(%x: tensor<2xi8>) {
  // expected-error @+1 {{has elements of 'i8' where the quantized type has 'ui8'}}
  %0 = onnx.StorageCast %x : tensor<2xi8> to tensor<2x!quant.uniform<u8:f32, 0.5>>
  return
}

// -----

func.func @floats(%x: tensor<2xf16>) {
  // expected-error @+1 {{has elements of 'f16' where the quantized type has 'f32'}}
  %0 = onnx.QuantizeCast %x : tensor<2xf16> to tensor<2x!quant.uniform<u8:f32, 0.5>>
  return
}

// -----

func.func @unquantized(%x: tensor<2xf32>) {
  // expected-error @+1 {{has no quantized operand}}
  %0 = onnx.DequantizeCast %x : tensor<2xf32> to tensor<2xf32>
  return
}

// -----

// In ops of the standard, too.

func.func @op(%x: tensor<?x3x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  // expected-error @+1 {{which has 2 scales along dimension 1 of size 3}}
  %0 = onnx.Relu(%x) : (tensor<?x3x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<?x3xf32>
  return
}

// -----

// A product of integers isn't one of what they stand for.

func.func @integers(%x: tensor<2x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{operand #0 must be}}
  %0 = onnx.MatMulInteger(%x, %x) : (tensor<2x2x!quant.uniform<i8:f32, 0.5>>, tensor<2x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2xi32>
  return
}
