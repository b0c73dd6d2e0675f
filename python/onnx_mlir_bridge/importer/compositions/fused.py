"""What ONNX Runtime's optimizer makes of an operator and the activation behind it.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes

# Activation -> its attributes, in the order of the parameters.
_ACTIVATIONS = {
    "": (),
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "LeakyRelu": ("alpha",),
    "Elu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Clip": ("min", "max"),
    "ScaledTanh": ("alpha", "beta"),
    "ParametricSoftplus": ("alpha", "beta"),
}


def _activated(call: Call, x: Value, name: str, parameters: Sequence[float | None]) -> Value:
    """An activation of a result; absent parameters have the operator's defaults."""
    formals = _ACTIVATIONS.get(name)
    if formals is None:
        raise call.fail(
            f"has the activation '{name}'; there are {', '.join(filter(None, _ACTIVATIONS))}"
        )
    if len(parameters) > len(formals) and any(p is not None for p in parameters[len(formals) :]):
        raise call.fail(f"has too many parameters for {name or 'no activation'}")
    given = dict(zip(formals, parameters, strict=False))
    if not name:
        return x
    if name == "Clip":
        if len(parameters) != 2:
            raise call.fail("has a Clip without its two bounds")
        return x.op("Clip", *(call.scalar(p, x) for p in parameters))
    if name in ("ScaledTanh", "ParametricSoftplus"):
        if None in (given.get("alpha"), given.get("beta")):
            raise call.fail(f"has a {name} without its two parameters")
        return (x * given["beta"]).op(name.removeprefix("Scaled").removeprefix("Parametric")) * (
            given["alpha"]
        )
    return x.op(name, **given)


@composes("com.microsoft", "FusedGemm")
def fused_gemm(call: Call) -> Value:
    """Gemm and an activation."""
    a, b, c = call.operands("A B C?")
    product = a.op(
        "Gemm",
        b,
        c,
        alpha=call.attribute("alpha", 1.0),
        beta=call.attribute("beta", 1.0),
        transA=call.attribute("transA", 0),
        transB=call.attribute("transB", 0),
    )
    parameters = [call.attribute(f"activation_{name}") for name in ("alpha", "beta", "gamma")]
    return _activated(call, product, call.attribute("activation", ""), parameters)


@composes("com.microsoft", "FusedConv")
def fused_conv(call: Call) -> Value:
    """Conv, the sum with Z, and an activation."""
    x, w, b, z = call.operands("X W B? Z?")
    result = x.op(
        "Conv",
        w,
        b,
        auto_pad=call.attribute("auto_pad"),
        dilations=call.attribute("dilations"),
        group=call.attribute("group"),
        kernel_shape=call.attribute("kernel_shape"),
        pads=call.attribute("pads"),
        strides=call.attribute("strides"),
    )
    result.element = x.element
    if z is not None:
        result = result + z
    parameters = call.attribute("activation_params") or []
    return _activated(call, result, call.attribute("activation", ""), parameters)
