#ifndef OMB_DIALECT_IR_QUANTCASTS_TD
#define OMB_DIALECT_IR_QUANTCASTS_TD

include "dialect/ir/Onnx.td"

// Not quant.qcast and quant.dcast: those leave the rounding open, and fold a
// value that is quantized and dequantized to the value, which ONNX doesn't; and
// quant.scast has no unsigned storage.

class Onnx_QuantCast<string mnemonic>
    : Op<Onnx_Dialect, mnemonic, [Pure, SameOperandsAndResultShape]> {
  let arguments = (ins AnyTensor:$input);
  let results = (outs AnyTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

def Onnx_QuantizeCastOp : Onnx_QuantCast<"QuantizeCast"> {
  let summary = "numbers as the nearest ones of a quantized type";
  let description = [{
    What QuantizeLinear does, with the parameters in the result's type: the
    quotient of the number and the scale, rounded to even, plus the zero point,
    saturated.
  }];
  let hasFolder = 1;
}

def Onnx_DequantizeCastOp : Onnx_QuantCast<"DequantizeCast"> {
  let summary = "the numbers that quantized ones stand for";
  let description = [{
    What DequantizeLinear does, with the parameters in the operand's type: the
    stored integer less the zero point, times the scale.
  }];
}

def Onnx_StorageCastOp : Onnx_QuantCast<"StorageCast"> {
  let summary = "quantized numbers as the integers that are stored, or back";
  let hasFolder = 1;
}

#endif // OMB_DIALECT_IR_QUANTCASTS_TD
