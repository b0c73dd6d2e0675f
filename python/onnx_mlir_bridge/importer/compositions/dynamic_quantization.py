"""DynamicQuantizeLinear: https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html (11)."""

from __future__ import annotations

from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


@composes("", "DynamicQuantizeLinear")
def dynamic_quantize_linear(call: Call) -> list[Value]:
    """The standard's function, but for zeros alone: it divides them by their range.

    As in ONNX Runtime, their scale is 1, and they are 0.
    """
    (x,) = call.operands("x")
    zero, top = call.scalar(0, x), call.scalar(255, x)
    low = x.op("ReduceMin", keepdims=0).op("Min", zero)
    high = x.op("ReduceMax", keepdims=0).op("Max", zero)
    extent = high - low
    scale = (extent / top).where(~extent.equal(zero), 1.0)
    place = (zero - low / scale).op("Clip", zero, top).op("Round").cast(TensorProto.UINT8)
    return [x.op("QuantizeLinear", scale, place), scale, place]
