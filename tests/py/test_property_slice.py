"""Slice, with each of start, end and step known before the run or not.

Expected is what the operator's definition says, which differs from Python where a negative step
starts in front of the first element: the start is clamped to that element.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from onnx import TensorProto, helper

BOUNDS = ("start", "end", "step")


@cache
def session(known: tuple[tuple[str, int], ...], size: int | None) -> omb.InferenceSession:
    constants = {name: np.array([value]) for name, value in known}
    model = small_models.model(
        [helper.make_node("Slice", ["x", "start", "end", "axes", "step"], ["y"])],
        [small_models.tensor("x", TensorProto.INT32, [size])]
        + [
            small_models.tensor(name, TensorProto.INT64, [1])
            for name in BOUNDS
            if name not in constants
        ],
        [small_models.tensor("y", TensorProto.INT32, [None])],
        {**constants, "axes": np.array([0])},
        opset=22,
    )
    return omb.InferenceSession(model, ["cpu"], threads=1)


def expected(x: np.ndarray, start: int, end: int, step: int) -> np.ndarray:
    size = len(x)
    low, high = (0, size) if step > 0 else (-1, size - 1)
    start = min(max(start + size * (start < 0), 0), high)
    end = min(max(end + size * (end < 0), low), high)
    return x[np.arange(start, end, step)] if size else x


def check(size: int, known: tuple[str, ...], is_static: bool, bounds: dict[str, int]) -> None:
    x = np.arange(size, dtype=np.int32)
    constants = tuple((name, bounds[name]) for name in known)
    feeds = {name: np.array([bounds[name]]) for name in BOUNDS if name not in known}
    found = session(constants, size if is_static else None).run(None, {"x": x, **feeds})[0]
    np.testing.assert_array_equal(found, expected(x, **bounds))


positions = st.one_of(st.integers(-8, 8), st.sampled_from([-(2**31), 2**31 - 1, 2**63 - 1]))
steps = st.sampled_from([1, 1, 2, 3, -1, -2, -7])


@pytest.mark.parametrize("known", [(), ("step",)], ids="-".join)
@examples(30, HealthCheck.too_slow)
@given(size=st.sampled_from([0, 1, 2, 5]), start=positions, end=positions, step=steps)
def test_computed(known: tuple[str, ...], size: int, start: int, end: int, step: int) -> None:
    check(size, known, False, {"start": start, "end": end, "step": step})


@pytest.mark.parametrize("is_static", [True, False])
@pytest.mark.parametrize(
    "known", [("start", "step"), ("start", "end"), ("end", "step"), ("start",)]
)
@pytest.mark.parametrize(
    "bounds",
    [(7, 9, 1), (5, 9, 1), (9, -20, -1), (4, 100, 3), (7, -1, -2), (-9, 3, 2), (5, -9, -3)],
)
def test_constant(known: tuple[str, ...], is_static: bool, bounds: tuple[int, int, int]) -> None:
    check(5, known, is_static, dict(zip(BOUNDS, bounds, strict=True)))
