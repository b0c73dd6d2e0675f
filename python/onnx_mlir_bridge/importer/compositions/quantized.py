"""Quantized operators of com.microsoft that compute on what they dequantize.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. Scales and
zero points are one number a tensor, but for quantize and dequantize; an absent zero point is 0.
"""

from __future__ import annotations

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


def _dequantize(call: Call, x: Value, scale: Value, zero: Value | None) -> Value:
    """(x - zero) * scale."""
    offset = None if zero is None else zero.as_scalar()
    return x.op("DequantizeLinear", scale.as_scalar(), offset)


def _quantize(call: Call, y: Value, scale: Value, zero: Value | None, like: Value) -> Value:
    """y / scale + zero, rounded and saturated, in the element type of `like`."""
    offset = call.scalar(0, like) if zero is None else zero.as_scalar()
    return y.op("QuantizeLinear", scale.as_scalar(), offset)


@composes("com.microsoft", "QuantizeLinear DequantizeLinear")
def linear(call: Call) -> Value:
    """As the standard's, which have integers of 16 bits since opset 21 only."""
    x, scale, zero = call.operands("x scale zero_point?")
    return x.op(call.node.op_type, scale, zero, axis=call.attribute("axis", 1))


@composes("com.microsoft", "QLinearAdd QLinearMul")
def arithmetic(call: Call) -> Value:
    """A sum or product, with broadcasting."""
    a, a_scale, a_zero, b, b_scale, b_zero, c_scale, c_zero = call.operands(
        "A A_scale A_zero_point? B B_scale B_zero_point? C_scale C_zero_point?"
    )
    left = _dequantize(call, a, a_scale, a_zero)
    right = _dequantize(call, b, b_scale, b_zero)
    result = left + right if call.node.op_type == "QLinearAdd" else left * right
    return _quantize(call, result, c_scale, c_zero, a)


@composes("com.microsoft", "QLinearConcat")
def concat(call: Call) -> Value:
    """Tensors of different scales, one after the other; those of floats have none of their own."""
    y_scale, y_zero, *rest = call.operands("Y_scale Y_zero_point inputs*")
    if not rest or len(rest) % 3:
        raise call.fail(
            f"needs a scale and a zero point for every tensor; it has {len(rest)} inputs"
        )
    parts = []
    for x, scale, zero in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if x is None or scale is None:
            raise call.fail("needs a tensor and its scale in every group of three inputs")
        parts.append(_dequantize(call, x, scale, zero))
    joined = call.concat(call.required("axis"), *parts)
    return _quantize(call, joined, y_scale, y_zero, y_zero)


def _unary(call: Call, formals: str = "X X_scale X_zero_point? Y_scale Y_zero_point?") -> tuple:
    x, x_scale, x_zero, y_scale, y_zero = call.operands(formals)
    return (
        _dequantize(call, x, x_scale, x_zero),
        lambda y: _quantize(call, y, y_scale, y_zero, x),
    )


@composes("com.microsoft", "QLinearSigmoid")
def sigmoid(call: Call) -> Value:
    """Sigmoid."""
    x, quantized = _unary(call)
    return quantized(x.op("Sigmoid"))


@composes("com.microsoft", "QLinearLeakyRelu")
def leaky_relu(call: Call) -> Value:
    """LeakyRelu."""
    x, quantized = _unary(call)
    return quantized(x.op("LeakyRelu", alpha=call.attribute("alpha", 0.01)))


@composes("com.microsoft", "QLinearSoftmax")
def softmax(call: Call) -> Value:
    """Softmax as the opset in an attribute defines it: before 13, over all axes from one on."""
    x, quantized = _unary(call)
    axis = call.attribute("axis", -1)
    if call.required("opset") >= 13:
        return quantized(x.op("Softmax", axis=axis))
    flat = x.op("Flatten", axis=axis).op("Softmax", axis=-1)
    return quantized(flat.op("Reshape", x.shape(), allowzero=1))


def _channels(call: Call, rank: int) -> tuple[list[int], list[int]] | None:
    """The permutations to channels first and back, None where they are first."""
    if not call.attribute("channels_last", 0):
        return None
    return [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]


@composes("com.microsoft", "QLinearGlobalAveragePool")
def global_average_pool(call: Call) -> Value:
    """The mean of every channel."""
    x, quantized = _unary(call)
    rank = call.rank(0)
    last = call.attribute("channels_last", 0)
    axes = range(1, rank - 1) if last else range(2, rank)
    return quantized(x.mean(*axes))


@composes("com.microsoft", "QLinearAveragePool")
def average_pool(call: Call) -> Value:
    """AveragePool."""
    x, quantized = _unary(call)
    orders = _channels(call, call.rank(0))
    if orders is not None:
        x = x.transpose(*orders[0])
    pooled = x.op(
        "AveragePool",
        kernel_shape=call.required("kernel_shape"),
        strides=call.attribute("strides"),
        pads=call.attribute("pads"),
        auto_pad=call.attribute("auto_pad", "NOTSET"),
        ceil_mode=call.attribute("ceil_mode", 0),
        count_include_pad=call.attribute("count_include_pad", 0),
    )
    return quantized(pooled if orders is None else pooled.transpose(*orders[1]))
