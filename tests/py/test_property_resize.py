"""Resize to sizes takes the nearest element exactly, also where two are equally near.

The coordinates are fractions of sizes, here as in the operator's definition. The reference rounds
them to float64, so that it also misses some of the ties; it is what the ratio-keeping
policies are compared with, at sizes where it doesn't.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from test_property_tensors import BUDGET, Case, Cases

COORDINATES = (
    "asymmetric",
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
HALF = Fraction(1, 2)


def nearest(coordinates: str, rounding: str, size: int, new_size: int, at: int) -> int:
    """The element that element `at` of the resized axis is."""
    if coordinates == "align_corners":
        x = Fraction(at * (size - 1), max(new_size - 1, 1))
    elif coordinates == "asymmetric":
        x = Fraction(at * size, new_size)
    elif coordinates == "pytorch_half_pixel" and new_size == 1:
        x = -HALF
    else:
        x = (at + HALF) * size / new_size - HALF
    rounded = {
        "round_prefer_floor": math.ceil(x - HALF),
        "round_prefer_ceil": math.floor(x + HALF),
        "floor": math.floor(x),
        "ceil": math.ceil(x),
    }[rounding]
    return min(max(rounded, 0), size - 1)


def resize(coordinates: str, rounding: str, policy: str = "stretch") -> list:
    return [
        helper.make_node(
            "Resize",
            ["x", "", "", "sizes"],
            ["y"],
            mode="nearest",
            coordinate_transformation_mode=coordinates,
            nearest_mode=rounding,
            keep_aspect_ratio_policy=policy,
        )
    ]


def to_sizes(coordinates: str, rounding: str) -> Case:
    return Case(
        resize(coordinates, rounding),
        {"x": (TensorProto.INT32, 1), "sizes": (TensorProto.INT64, [1])},
        {"y": (TensorProto.INT32, 1)},
    )


@cache
def every_rounding(coordinates: str) -> Cases:
    return Cases({rounding: to_sizes(coordinates, rounding) for rounding in ROUNDINGS})


lengths = st.one_of(st.integers(1, 12), st.sampled_from([25, 49, 98, 100, 147, 1023, 3840]))


@pytest.mark.parametrize("coordinates", COORDINATES)
@BUDGET
@given(size=lengths, new_size=lengths)
def test_nearest(coordinates: str, size: int, new_size: int) -> None:
    feeds = {"x": np.arange(size, dtype=np.int32), "sizes": np.array([new_size])}
    for rounding, found in every_rounding(coordinates).run_all(feeds).items():
        assert found["y"].tolist() == [
            nearest(coordinates, rounding, size, new_size, at) for at in range(new_size)
        ], rounding


def kept_ratio(coordinates: str, policy: str) -> Case:
    return Case(
        resize(coordinates, "round_prefer_ceil", policy),
        {"x": (TensorProto.INT32, 2), "sizes": (TensorProto.INT64, [2])},
        {"y": (TensorProto.INT32, 2)},
    )


@cache
def kept_ratios(coordinates: str) -> Cases:
    return Cases(
        {policy: kept_ratio(coordinates, policy) for policy in ("not_larger", "not_smaller")}
    )


@pytest.mark.parametrize("coordinates", COORDINATES)
@BUDGET
@given(
    size=st.tuples(*[st.sampled_from([1, 2, 4, 8])] * 2),
    wanted=st.tuples(*[st.sampled_from([1, 2, 4, 8, 16])] * 2),
)
def test_kept_ratio(coordinates: str, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    x = np.arange(math.prod(size), dtype=np.int32).reshape(size)
    kept_ratios(coordinates).check_all({"x": x, "sizes": np.array(wanted)})


def test_nothing_to_sample() -> None:
    feeds = {"x": np.zeros(0, np.int32), "sizes": np.array([3])}
    with pytest.raises(omb.OmbError, match="nothing to sample"):
        to_sizes("asymmetric", "floor").run(feeds)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_padded_windows_of_unknown_sizes(mode):
    """The sizes are computed from the scales, and padded where what is resized is stored."""
    scales = np.array([1, 1, 2, 1.5], np.float32)
    weights = np.random.default_rng(0).standard_normal((5, 4, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["larger"], mode=mode),
        helper.make_node("Conv", ["larger", "w"], ["y"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["larger"], ["z"], kernel_shape=[3, 2], pads=[1, 1, 1, 0]),
    ]
    constants = [
        numpy_helper.from_array(value, name) for value, name in ((scales, "scales"), (weights, "w"))
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, "h", "w"])
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * 4) for n in "yz"]
    graph = helper.make_graph(nodes, "g", [x], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = omb.InferenceSession(model)
    for shape in ((1, 4, 5, 8), (2, 4, 6, 2)):
        inputs = {"x": np.random.default_rng(1).standard_normal(shape).astype(np.float32)}
        expected = ReferenceEvaluator(model).run(None, inputs)
        for ours, theirs in zip(session.run(None, inputs), expected, strict=True):
            # Sums of up to 36 products of f32, of what 16 elements weigh.
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
