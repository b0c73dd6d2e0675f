"""The kernels that interleave groups of channels, exactly, and what is left to IREE beside them."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models.joined import Together, joined
from models.targets import needs_kernels
from onnx import TensorProto, helper

pytestmark = needs_kernels

# positions, groups, channels of each
CASES = [(3, 2, 16), (7, 2, 58), (1, 3, 28), (9, 3, 17), (5, 4, 34), (2, 5, 16), (4, 8, 31)]
OTHERS = [(3, 2, 15), (3, 9, 16), (3, 1, 16)]


def _model(groups: int, channels: int) -> onnx.ModelProto:
    """What is computed on both sides are kernels, too."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"]),
        helper.make_node("Reshape", ["p", "split"], ["s"]),
        helper.make_node("Transpose", ["s"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["t", "joined"], ["y"]),
    ]
    dims = ["n", groups * channels]
    graph = helper.make_graph(
        nodes,
        "shuffle",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [
            helper.make_tensor_value_info("p", TensorProto.FLOAT, dims),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, dims),
        ],
        [
            helper.make_tensor("split", TensorProto.INT64, [3], [-1, groups, channels]),
            helper.make_tensor("joined", TensorProto.INT64, [2], [-1, groups * channels]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3"])
def test_shuffles(cpu: str) -> None:
    cases = [*CASES, *OTHERS]
    models = [_model(groups, channels) for _, groups, channels in cases]
    rng = np.random.default_rng(3)
    compiled = omb.compile(joined(models), target="cpu", cpu=cpu)
    text = compiled.emit("vector")
    assert text.count("linalg.transpose") == len(OTHERS)
    feeds = [{"x": rng.standard_normal((n, g * c)).astype(np.float32)} for n, g, c in cases]
    results = Together(models, compiled, providers=["cpu"]).run(feeds)
    for (n, groups, channels), (p, y) in zip(cases, results, strict=True):
        expected = p.reshape(n, groups, channels).transpose(0, 2, 1).reshape(n, -1)
        np.testing.assert_array_equal(y, expected)
