"""Outputs that no node computes: inputs and initializers of the model, values of outer graphs."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

OPSET = [helper.make_opsetid("", 20)]


def _value(name: str, element: int = TensorProto.FLOAT, dims: tuple = ("n", 3)) -> object:
    return helper.make_tensor_value_info(name, element, dims)


def test_model_outputs() -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    graph = helper.make_graph(
        [],
        "nothing",
        [_value("x")],
        [_value("x"), _value("w", dims=(2, 3))],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=10)
    x = np.ones((4, 3), np.float32)
    session = omb.InferenceSession(model, providers=["cpu"])
    for actual, expected in zip(session.run(None, {"x": x}), (x, weight), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    ("inputs", "nodes", "outputs"),
    [
        ("float[n] x", "y = Neg(x)", ["y", "x", "y", "x"]),
        ("float[n] x", "", ["x", "x"]),
        ("float[n] x", "w = Constant<value_floats = [1.0, 2.0]>()", ["w", "x", "w"]),
        ("seq(float[n]) x", "y = Identity(x)", ["y", "y", "x"]),
        ("seq(float[n]) x", "", ["x", "x"]),
        ("optional(float[n]) x", "y = Identity(x)", ["y", "x", "y"]),
    ],
)
def test_a_value_that_is_several_outputs(inputs: str, nodes: str, outputs: list[str]) -> None:
    kind = inputs.split()[0].replace("[n]", "[m]")
    listed = ", ".join(f"{'float[m]' if name == 'w' else kind} {name}" for name in outputs)
    text = f'<ir_version: 10, opset_import: ["" : 21]>\ng ({inputs}) => ({listed}) {{ {nodes} }}'
    session = omb.InferenceSession(parser.parse_model(text), providers=["cpu"])
    assert [info.name for info in session.get_outputs()] == outputs
    x = np.array([3, -4], np.float32)
    value = [x, x + 1] if "seq" in inputs else x
    expected = {"x": value, "y": -x if "Neg" in nodes else value, "w": np.array([1, 2], np.float32)}
    found = session.run(None, {"x": value})
    for name, actual in zip(outputs, found, strict=True):
        np.testing.assert_array_equal(actual, expected[name])
    # Outputs own their memory.
    assert len({id(actual) for actual in found}) == len(found)
    (one,) = session.run([outputs[-1]], {"x": value})
    np.testing.assert_array_equal(one, expected[outputs[-1]])


def test_loop_that_swaps() -> None:
    """The body yields its inputs, in the other order."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["again"])],
        "swap",
        [
            _value("i", TensorProto.INT64, ()),
            _value("c", TensorProto.BOOL, ()),
            _value("u", dims=(2, 3)),
            _value("v", dims=(2, 3)),
        ],
        [_value("again", TensorProto.BOOL, ()), _value("v", dims=(2, 3)), _value("u", dims=(2, 3))],
    )
    nodes = [helper.make_node("Loop", ["count", "", "a", "b"], ["p", "q"], body=body)]
    inputs = [_value("count", TensorProto.INT64, ())]
    inputs += [_value("a", dims=(2, 3)), _value("b", dims=(2, 3))]
    outputs = [_value("p", dims=(2, 3)), _value("q", dims=(2, 3))]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=10)
    onnx.checker.check_model(model)
    session = omb.InferenceSession(model, providers=["cpu"])
    a, b = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    for count, expected in ((3, (b, a)), (4, (a, b)), (0, (a, b))):
        feeds = {"count": np.array(count, np.int64), "a": a, "b": b}
        for actual, value in zip(session.run(None, feeds), expected, strict=True):
            np.testing.assert_array_equal(actual, value)
