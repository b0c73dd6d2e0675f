"""ai.onnx.preview: what the standard itself defines by functions."""

from __future__ import annotations

from onnx import FunctionProto, TypeProto

from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.compositions.body import Call
from onnx_mlir_bridge.importer.compositions.registry import composes
from onnx_mlir_bridge.importer.functions import standard_function


@composes("ai.onnx.preview", "FlexAttention")
def flex_attention(call: Call) -> FunctionProto:
    """The standard's body, which has the graphs that modify scores and probabilities in it."""
    for index in range(3):
        call.rank(index)
    types = [call.type(i) or TypeProto() for i in range(len(call.node.input))]
    function = standard_function(call.node, types, call.scope.version)
    if function is None:
        raise call.fail("has no body in the standard for operands of these types")
    # What the graphs use of the scopes around them keeps its name in the body.
    for name in sorted(graphs.captured_values(call.node)):
        call.capture(name)
        function.input.append(name)
    return function
