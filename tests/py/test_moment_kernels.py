"""Normalizations over several dimensions, and averages of images, against ONNX Runtime.

Values around 1: a normalized value of up to ten thousand of them in f32 is within 1e-5 of the
largest, some ten roundings more than the sums, of which each lane has its own, need.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models import reference
from models.graph import FLOAT, Graph
from models.joined import Together, joined
from models.targets import needs_kernels

CPUS = ("host", "x86-64-v3")
TOLERANCE = 1e-5

pytestmark = needs_kernels

# operator, channels, height, width, attributes
NORMALIZATIONS: list[tuple[str, int, int, int, dict[str, int]]] = [
    ("InstanceNormalization", 24, 9, 11, {}),
    ("InstanceNormalization", 64, 64, 32, {}),
    ("GroupNormalization", 12, 7, 5, {"num_groups": 3}),
    ("GroupNormalization", 80, 64, 64, {"num_groups": 8}),
    ("GlobalAveragePool", 37, 7, 7, {}),
    ("GlobalAveragePool", 16, 112, 112, {}),
    ("GlobalMaxPool", 33, 5, 9, {}),
    ("GlobalLpPool", 33, 5, 9, {"p": 2}),
]


def _model(number: int, between: bool, dynamic: bool) -> onnx.ModelProto:
    """between: after a convolution, so that the channels are last, and before a Relu."""
    operator, channels, height, width, attributes = NORMALIZATIONS[number]
    graph = Graph("moments", opset=21)
    sizes = ["n", "h", "w"] if dynamic else [2, height, width]
    x = graph.input("x", FLOAT, [sizes[0], channels, *sizes[1:]])
    value = graph.op("Conv", x, graph.weight(channels, channels, 1, 1)) if between else x
    parameters = [graph.scale(channels), graph.bias(channels)] if "Norm" in operator else []
    y = graph.op(operator, value, *parameters, **attributes)
    if between:
        y = graph.op("Relu", y)
    graph.output(y, "y", FLOAT, ["m", "c", "p", "q"])
    return graph.model()


def _check(models: list[onnx.ModelProto], compiled: omb.CompiledModel | None = None) -> None:
    random = np.random.default_rng(11)
    feeds = [
        {"x": random.standard_normal((2, channels, height, width), np.float32) + np.float32(0.5)}
        for _, channels, height, width, _ in NORMALIZATIONS
    ]
    actual = Together(models, compiled).run(feeds)
    for model, feed, (got,) in zip(models, feeds, actual, strict=True):
        (right,) = reference.onnxruntime_outputs(model, feed)
        assert got.shape == right.shape
        np.testing.assert_allclose(got, right, rtol=0, atol=TOLERANCE * np.abs(right).max())


@pytest.mark.parametrize("between", [False, True], ids=["channels second", "channels last"])
@pytest.mark.parametrize("cpu", CPUS)
def test_known_sizes(cpu: str, between: bool) -> None:
    models = [_model(number, between, dynamic=False) for number in range(len(NORMALIZATIONS))]
    _check(models, omb.compile(joined(models), fallback="error", cpu=cpu))


def test_unknown_sizes() -> None:
    _check([_model(number, True, dynamic=True) for number in range(len(NORMALIZATIONS))])


def test_channels_that_only_the_scales_say() -> None:
    graph = Graph("moments", opset=21)
    x = graph.input("x", FLOAT, [2, "c", 5, 5])
    y = graph.op("GroupNormalization", x, graph.scale(16), graph.bias(16), num_groups=4)
    graph.output(y, "y", FLOAT, [2, "c", 5, 5])
    model = graph.model()
    feed = {"x": np.random.default_rng(5).standard_normal((2, 16, 5, 5), np.float32)}
    (got,) = omb.InferenceSession(model, providers=["cpu"], fallback="error").run(None, feed)
    (right,) = reference.onnxruntime_outputs(model, feed)
    np.testing.assert_allclose(got, right, rtol=0, atol=TOLERANCE * np.abs(right).max())


def test_channels_last_are_kernels() -> None:
    text = omb.compile(_model(1, between=True, dynamic=False)).emit("vector")
    assert "reduction" not in text  # in iterator types


def test_channels_second_is_one_kernel() -> None:
    text = omb.compile(_model(1, between=False, dynamic=False)).emit("vector")
    assert text.count('"flow.dispatch"') == 1
    assert "linalg.generic" not in text
