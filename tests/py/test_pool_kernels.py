"""The kernels of pools against ONNX Runtime, in one module of all.

A maximum is exact. A sum of up to a hundred values around 1 in f32 is within 1e-5 of the largest.
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
from onnx import TensorProto, helper

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
UINT8, INT8 = TensorProto.UINT8, TensorProto.INT8
CPUS = ("host", "x86-64-v3")

pytestmark = needs_kernels

# operator, the image's shape, type, attributes
CASES: dict[str, tuple[str, tuple[int, ...], int, dict[str, Any]]] = {
    "maximum": ("MaxPool", (1, 64, 15, 17), FLOAT, {"kernel_shape": [3, 3], "strides": [2, 2]}),
    "padded": ("MaxPool", (2, 16, 9, 30), FLOAT, {"kernel_shape": [3, 3], "pads": [1] * 4}),
    "odd channels": ("MaxPool", (1, 37, 8, 8), FLOAT, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "few channels": ("MaxPool", (1, 9, 8, 21), FLOAT, {"kernel_shape": [3, 2]}),
    "asymmetric": (
        "MaxPool",
        (1, 24, 11, 13),
        FLOAT,
        {"kernel_shape": [4, 3], "strides": [1, 2], "pads": [0, 1, 3, 2]},
    ),
    "dilated": (
        "MaxPool",
        (1, 20, 14, 14),
        FLOAT,
        {"kernel_shape": [3, 3], "dilations": [2, 3], "pads": [2, 2, 2, 2]},
    ),
    "rounded up": (
        "MaxPool",
        (1, 32, 10, 10),
        FLOAT,
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    ),
    "large": ("MaxPool", (1, 16, 20, 20), FLOAT, {"kernel_shape": [13, 13], "pads": [6] * 4}),
    "signal": ("MaxPool", (2, 40, 33), FLOAT, {"kernel_shape": [3], "pads": [1, 1]}),
    "volume": ("MaxPool", (1, 18, 5, 6, 7), FLOAT, {"kernel_shape": [2, 3, 2], "pads": [1] * 6}),
    "double": ("MaxPool", (1, 11, 6, 7), DOUBLE, {"kernel_shape": [3, 3], "pads": [1] * 4}),
    "unsigned bytes": ("MaxPool", (1, 70, 9, 9), UINT8, {"kernel_shape": [3, 3], "pads": [1] * 4}),
    "bytes": ("MaxPool", (1, 130, 9, 9), INT8, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average": ("AveragePool", (1, 48, 12, 12), FLOAT, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average inside": (
        "AveragePool",
        (2, 33, 9, 11),
        FLOAT,
        {"kernel_shape": [3, 3], "pads": [1] * 4},
    ),
    "average with padding": (
        "AveragePool",
        (1, 17, 9, 11),
        FLOAT,
        {"kernel_shape": [3, 3], "pads": [1, 0, 2, 1], "count_include_pad": 1},
    ),
    "average rounded up": (
        "AveragePool",
        (1, 16, 10, 10),
        FLOAT,
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1},
    ),
    "average dilated": (
        "AveragePool",
        (1, 16, 10, 10),
        FLOAT,
        {"kernel_shape": [2, 3], "dilations": [3, 2], "pads": [1, 2, 1, 2]},
    ),
    "average of a volume": (
        "AveragePool",
        (1, 16, 4, 5, 6),
        FLOAT,
        {"kernel_shape": [2, 2, 2], "pads": [0, 0, 1, 1, 1, 0]},
    ),
    "norm": ("LpPool", (1, 21, 9, 9), FLOAT, {"kernel_shape": [3, 3], "pads": [1] * 4, "p": 2}),
    "other norm": ("LpPool", (1, 16, 9, 9), FLOAT, {"kernel_shape": [2, 2], "p": 3}),
}


def _model(case: str, dynamic: str = "") -> onnx.ModelProto:
    """dynamic: b (batch), c (channels) and p (positions) that aren't known."""
    operator, shape, element, attributes = CASES[case]
    kinds = "bc" + "p" * (len(shape) - 2)
    dims = [
        f"d{n}" if kind in dynamic else size
        for n, (kind, size) in enumerate(zip(kinds, shape, strict=True))
    ]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)],
        "pool",
        [helper.make_tensor_value_info("x", element, dims)],
        [helper.make_tensor_value_info("y", element, [f"y{n}" for n in range(len(shape))])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def _feed(case: str, number: int = 0) -> dict[str, np.ndarray]:
    _, shape, element, _ = CASES[case]
    dtype = helper.tensor_dtype_to_np_dtype(element)
    random = np.random.default_rng([number, *shape])
    if element in (UINT8, INT8):
        limits = np.iinfo(dtype)
        return {"x": random.integers(limits.min, limits.max + 1, shape, dtype)}
    return {"x": random.standard_normal(shape).astype(dtype)}


def _check(
    models: list[onnx.ModelProto], feeds: list[dict[str, np.ndarray]], **options: Any
) -> None:
    actual = Together(models, **options).run(feeds)
    for model, feed, (got,) in zip(models, feeds, actual, strict=True):
        (right,) = reference.onnxruntime_outputs(model, feed)
        operator = model.graph.node[0].op_type
        tolerance = 0 if operator == "MaxPool" else 1e-5
        assert got.shape == right.shape
        np.testing.assert_allclose(got, right, rtol=0, atol=tolerance * np.abs(right).max())


@pytest.mark.parametrize("cpu", CPUS)
def test_known_sizes(cpu: str) -> None:
    models = [_model(case) for case in CASES]
    compiled = omb.compile(joined(models), fallback="error", cpu=cpu)
    text = compiled.emit("vector")
    assert text.count('"flow.dispatch"') == len(CASES)
    assert "reduction" not in text
    _check(models, [_feed(case) for case in CASES], compiled=compiled)


@pytest.mark.parametrize("dynamic", ["p", "bcp"])
def test_unknown_sizes(dynamic: str) -> None:
    cases = ("asymmetric", "odd channels", "unsigned bytes", "average inside", "norm")
    _check([_model(case, dynamic) for case in cases], [_feed(case, 1) for case in cases])


def test_numbers_that_are_none() -> None:
    """A maximum of what has a NaN, or all of it -inf, is that."""
    model = _model("padded")
    x = _feed("padded")["x"]
    x[0, 3, 4, 5] = x[1, 15, 0, 0] = np.nan
    x[0, 5] = -np.inf
    (got,) = omb.InferenceSession(model, fallback="error").run(None, {"x": x})
    outer = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(outer, (3, 3), (2, 3))
    np.testing.assert_array_equal(got, windows.max((-2, -1)))
