"""Depthwise convolutions on Vulkan, with channels that are no multiple of a subgroup.

IREE distributes them wrongly unless told otherwise (compiler/targets.py), and says nothing. The
tolerance is explained in test_models_built.py.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models import reference
from models.graph import FLOAT, Graph
from models.targets import GPU_TOLERANCE, needs_vulkan

# channels, kernel, stride, size
SHAPES = [(24, 3, 1, 28), (36, 3, 1, 8), (54, 3, 2, 28), (32, 3, 1, 28), (48, 5, 1, 14)]


def _depthwise(channels: int, kernel: int, stride: int, size: int) -> onnx.ModelProto:
    graph = Graph("depthwise")
    x = graph.input("x", FLOAT, [1, channels, size, size])
    y = graph.op(
        "Conv",
        x,
        graph.weight(channels, 1, kernel, kernel),
        graph.bias(channels),
        group=channels,
        strides=[stride, stride],
        pads=[kernel // 2] * 4,
    )
    smaller = (size - 1) // stride + 1
    graph.output(y, "y", FLOAT, [1, channels, smaller, smaller])
    return graph.model()


@needs_vulkan
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_vulkan_agrees(shape: tuple[int, int, int, int]) -> None:
    model = _depthwise(*shape)
    channels, _, _, size = shape
    random = np.random.default_rng(3)
    inputs = {"x": random.standard_normal((1, channels, size, size), np.float32)}
    expected = reference.onnxruntime_outputs(model, inputs)
    actual = omb.InferenceSession(model, providers=["vulkan"]).run(None, inputs)
    reference.assert_agree(["y"], actual, expected, GPU_TOLERANCE)


def test_named_vulkan_target_is_refused() -> None:
    with pytest.raises(omb.OmbError, match="depthwise"):
        omb.compile(_depthwise(*SHAPES[0]), target="vulkan", vulkan="rdna3")
