"""Activations of com.microsoft.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


@composes("com.microsoft", "Gelu")
def gelu(call: Call) -> Value:
    """x * Phi(x), exactly."""
    (x,) = call.operands("X")
    return x.op("Gelu")


@composes("com.microsoft", "BiasGelu")
def bias_gelu(call: Call) -> Value:
    """Gelu of a sum."""
    a, b = call.operands("A B")
    return (a + b).op("Gelu")


@composes("com.microsoft", "FastGelu")
def fast_gelu(call: Call) -> Value:
    """Gelu with tanh, of a sum if there is a bias."""
    x, bias = call.operands("X bias?")
    return (x if bias is None else x + bias).op("Gelu", approximate="tanh")


@composes("com.microsoft", "QuickGelu")
def quick_gelu(call: Call) -> Value:
    """x * Sigmoid(alpha * x)."""
    (x,) = call.operands("X")
    return x * (x * call.attribute("alpha", 1.702)).op("Sigmoid")
