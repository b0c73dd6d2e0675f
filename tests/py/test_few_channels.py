"""Convolutions of images of few channels in bf16 and bytes, against ONNX Runtime, in one module.

Factors rounded to bf16 make sums differ by up to 1e-2 (relative, norm). Sums of bytes are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models import reference
from models.joined import Together, joined
from models.targets import needs_kernels
from onnx import TensorProto, helper, numpy_helper

pytestmark = needs_kernels

# the image's shape, filters, attributes
CASES: dict[str, tuple[tuple[Any, ...], tuple[int, ...], dict[str, Any]]] = {
    "stem": ((1, 3, 40, 44), (64, 3, 7, 7), {"strides": [2, 2], "pads": [3] * 4}),
    "small windows": ((2, 3, 9, 11), (16, 3, 3, 3), {"pads": [1] * 4}),
    "one channel": ((1, 1, 14, 14), (20, 1, 5, 5), {}),
    "two channels": ((1, 2, 12, 9), (33, 2, 4, 3), {"pads": [0, 1, 2, 0]}),
    "one row": ((1, 3, 6, 30), (8, 3, 1, 9), {"strides": [1, 3]}),
    "one column": ((1, 3, 20, 7), (8, 3, 5, 1), {}),
    "rows apart": ((1, 3, 16, 16), (24, 3, 3, 3), {"dilations": [2, 1]}),
    "columns apart": ((1, 3, 16, 16), (24, 3, 3, 3), {"dilations": [1, 2]}),
    "stride over the window": ((1, 3, 17, 17), (16, 3, 2, 2), {"strides": [3, 3]}),
    "signal": ((2, 1, 50), (12, 1, 8), {"strides": [4]}),
    "volume": ((1, 3, 5, 6, 7), (16, 3, 3, 3, 3), {"pads": [1] * 6}),
    "unknown images": (("n", 3, 10, 10), (16, 3, 3, 3), {"pads": [1] * 4}),
}


def _tensor(name: str, element: int, shape: tuple[Any, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def _image(shape: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(2 if size == "n" else size for size in shape)


def _floats(case: str) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    shape, filters, attributes = CASES[case]
    random = np.random.default_rng(len(case))
    weights = random.standard_normal(filters).astype(np.float32)
    bias = random.standard_normal(filters[0]).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)],
        "few",
        [_tensor("x", TensorProto.FLOAT, shape)],
        [_tensor("y", TensorProto.FLOAT, (None,) * len(shape))],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return model, {"x": random.standard_normal(_image(shape)).astype(np.float32)}


def _bytes(case: str) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    shape, filters, attributes = CASES[case]
    random = np.random.default_rng(len(case))
    weights = random.integers(-128, 128, filters, np.int8)
    graph = helper.make_graph(
        [helper.make_node("ConvInteger", ["x", "w", "zero"], ["y"], **attributes)],
        "few",
        [_tensor("x", TensorProto.UINT8, shape)],
        [_tensor("y", TensorProto.INT32, (None,) * len(shape))],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.uint8(121), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return model, {"x": random.integers(0, 256, _image(shape), np.uint8)}


@pytest.mark.parametrize("cpu", ["host", "x86-64-v4", "x86-64-v3"])
def test_floats(cpu: str) -> None:
    models, feeds = zip(*map(_floats, CASES), strict=True)
    compiled = omb.compile(joined(models), precision="bf16", cpu=cpu, fallback="error")
    actual = Together(models, compiled).run(feeds)
    for model, feed, got in zip(models, feeds, actual, strict=True):
        expected = reference.onnxruntime_outputs(model, feed)
        reference.assert_agree(["y"], got, expected, 1e-2)


@pytest.mark.parametrize("cpu", ["host", "x86-64-v4", "x86-64-v3"])
def test_bytes(cpu: str) -> None:
    # ONNX Runtime has no ConvInteger of three dimensions.
    cases = [case for case in CASES if case != "volume"]
    models, feeds = zip(*map(_bytes, cases), strict=True)
    compiled = omb.compile(joined(models), cpu=cpu, fallback="error")
    actual = Together(models, compiled).run(feeds)
    for model, feed, (got,) in zip(models, feeds, actual, strict=True):
        (expected,) = reference.onnxruntime_outputs(model, feed)
        np.testing.assert_array_equal(got, expected)


def test_infinite_neighbours() -> None:
    """What is beside a window isn't multiplied, not even by zero."""
    model, feed = _floats("small windows")
    feed["x"][0, 1, 4, 5] = np.inf
    session = omb.InferenceSession(model, precision="bf16")
    (actual,) = session.run(None, feed)
    (expected,) = reference.onnxruntime_outputs(model, feed)
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
