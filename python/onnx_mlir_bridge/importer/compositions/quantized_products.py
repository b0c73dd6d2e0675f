"""Quantized matrix products of com.microsoft: integers are multiplied, their sums scaled.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. A scale or
zero point is one number, or one for every column of the right-hand side.
"""

from __future__ import annotations

from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


@composes("com.microsoft", "MatMulIntegerToFloat")
def matmul_integer_to_float(call: Call) -> Value:
    """(a - a_zero) @ (b - b_zero) * a_scale * b_scale + bias."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = call.operands(
        "A B a_scale b_scale a_zero_point? b_zero_point? bias?"
    )
    product = a.op("MatMulInteger", b, a_zero, b_zero).cast_like(a_scale)
    result = product * (a_scale * b_scale)
    return result if bias is None else result + bias


@composes("com.microsoft", "DynamicQuantizeMatMul")
def dynamic_quantize_matmul(call: Call) -> Value:
    """The left-hand side is quantized to uint8 over its own range."""
    a, b, b_scale, b_zero, bias = call.operands("A B b_scale b_zero_point? bias?")
    quantized, scale, zero = call.emit_many("DynamicQuantizeLinear", a, count=3)
    scale.element = a.element
    product = quantized.op("MatMulInteger", b, zero, b_zero).cast_like(b_scale)
    result = product * (scale * b_scale)
    return result if bias is None else result + bias


@composes("com.microsoft", "QGemm")
def qgemm(call: Call) -> Value:
    """alpha * (A' - a_zero) @ (B' - b_zero) + C, as float or quantized."""
    a, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero = call.operands(
        "A a_scale a_zero_point B b_scale b_zero_point C? y_scale? y_zero_point?"
    )
    alpha = call.attribute("alpha", 1.0)
    left = a.transpose(1, 0) if call.attribute("transA", 0) else a
    right = b.transpose(1, 0) if call.attribute("transB", 0) else b
    product = left.op("MatMulInteger", right, a_zero, b_zero)
    product.element = TensorProto.INT32
    if c is not None:
        product = product + c
    result = product.cast_like(a_scale) * (a_scale * b_scale * alpha)
    if y_scale is None:
        return result
    if y_zero is None:
        raise call.fail("has a y_scale, but no y_zero_point")
    return result.op("QuantizeLinear", y_scale.as_scalar(), y_zero.as_scalar())
