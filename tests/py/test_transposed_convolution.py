"""ConvTranspose against ONNX Runtime: strides, dilations, groups, pads and sizes of results.

Tolerance: sums of at most 200 products of float32, in another order: 1e-5 of the largest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import onnxruntime
import pytest
from models.targets import needs_vulkan
from onnx import TensorProto, helper

F32 = TensorProto.FLOAT


@dataclass(frozen=True)
class Node:
    """`image`: channels and spatial dimensions; `weights`: features of a group and kernel."""

    image: tuple[int, ...]
    weights: tuple[int, ...]
    attributes: dict = field(default_factory=dict)
    bias: bool = False


NODES = {
    "stride_1": Node((3, 6), (2, 3), {"pads": [1, 0]}),
    "dilated": Node((2, 5, 4), (3, 3, 2), {"dilations": [2, 3]}),
    "block": Node((4, 5, 6), (3, 2, 2), {"strides": [2, 2]}, bias=True),
    "cropped": Node((3, 5, 4), (5, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}, bias=True),
    "output_padding": Node(
        (3, 4, 5),
        (2, 3, 3),
        {"strides": [2, 3], "pads": [1, 0, 1, 2], "output_padding": [1, 2]},
        bias=True,
    ),
    "gaps": Node((2, 4, 3), (3, 2, 1), {"strides": [3, 2]}, bias=True),
    "one_stride": Node((2, 4, 3), (3, 3, 3), {"strides": [2, 1], "dilations": [1, 2]}),
    "stride_and_dilation": Node(
        (2, 4, 3), (3, 3, 2), {"strides": [2, 3], "dilations": [3, 2], "pads": [2, 1, 0, 3]}
    ),
    "grouped": Node(
        (6, 4, 3), (2, 3, 2), {"strides": [2, 2], "group": 3, "pads": [1, 0, 0, 1]}, bias=True
    ),
    "depthwise": Node((4, 4, 3), (1, 3, 3), {"strides": [1, 2], "group": 4}),
    "same_upper": Node((2, 4, 5), (3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "same_lower": Node((2, 4, 5), (3, 4, 3), {"strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    "output_shape": Node(
        (2, 4, 5), (3, 3, 3), {"strides": [2, 2], "output_shape": [8, 9]}, bias=True
    ),
    "smaller_than_the_input": Node((1, 11, 13), (2, 1, 1), {"output_shape": [9, 13]}),
    "smaller_groups": Node(
        (4, 9, 6), (3, 3, 2), {"strides": [1, 2], "output_shape": [7, 11], "group": 2}, bias=True
    ),
    "volume": Node(
        (2, 3, 2, 3), (3, 2, 3, 2), {"strides": [2, 1, 3], "pads": [1, 0, 0, 0, 1, 1]}, bias=True
    ),
}


def _model(names: list[str], dynamic: bool) -> tuple[bytes, dict[str, np.ndarray]]:
    """All nodes in one model; `dynamic`: weights are inputs, and no size is known."""
    random = np.random.default_rng(5)
    nodes, inputs, constants, outputs, feeds = [], [], [], [], {}
    for name in names:
        node = NODES[name]
        arrays = {
            "x": random.standard_normal((2, *node.image), np.float32),
            "w": random.standard_normal((node.image[0], *node.weights), np.float32),
        }
        features = node.weights[0] * node.attributes.get("group", 1)
        if node.bias:
            arrays["b"] = random.standard_normal(features, np.float32)
        for role, array in arrays.items():
            value = f"{name}.{role}"
            if role != "x" and not dynamic:
                constants.append(onnx.numpy_helper.from_array(array, value))
                continue
            shape = [f"{value}{i}" for i in range(array.ndim)] if dynamic else array.shape
            inputs.append(helper.make_tensor_value_info(value, F32, shape))
            feeds[value] = array
        names_of_inputs = [f"{name}.{role}" for role in arrays]
        nodes.append(
            helper.make_node("ConvTranspose", names_of_inputs, [name], name=name, **node.attributes)
        )
        outputs.append(helper.make_tensor_value_info(name, F32, [None] * (1 + len(node.image))))
    graph = helper.make_graph(nodes, "transposed", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return model.SerializeToString(), feeds


def _assert_agrees(session: omb.InferenceSession, model: bytes, feeds: dict) -> None:
    expected = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in expected.get_outputs()]
    wanted = expected.run(None, feeds)
    for name, ours, theirs in zip(names, session.run(None, feeds), wanted, strict=True):
        assert ours.shape == theirs.shape, name
        np.testing.assert_allclose(
            ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max(), err_msg=name
        )


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_agrees(dynamic: bool) -> None:
    model, feeds = _model(list(NODES), dynamic)
    _assert_agrees(omb.InferenceSession(model, providers=["cpu"], fallback="error"), model, feeds)


@needs_vulkan
def test_agrees_on_vulkan() -> None:
    model, feeds = _model(["block", "output_padding", "grouped"], dynamic=False)
    session = omb.InferenceSession(model, providers=["vulkan"], fallback="error")
    _assert_agrees(session, model, feeds)


def test_twice_the_size_compiles_for_cuda() -> None:
    """Of unknown height and width, with a bias: what segmentation models end in."""
    x = helper.make_tensor_value_info("x", F32, [1, 4, "height", "width"])
    y = helper.make_tensor_value_info("y", F32, [1, 3, "twice", "twice_width"])
    weights = np.ones((4, 3, 2, 2), np.float32)
    constants = [
        onnx.numpy_helper.from_array(weights, "w"),
        onnx.numpy_helper.from_array(np.ones(3, np.float32), "b"),
    ]
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 2])
    graph = helper.make_graph([node], "twice", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    assert omb.compile(model, target="cuda", fallback="error").emit("onnx")
