"""Slice, with each of start, end and step known before the run or not.

Expected is what the operator's definition says, which differs from Python where a negative step
starts in front of the first element: the start is clamped to that element.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models.joined import Together
from onnx import TensorProto, helper

BOUNDS = ("start", "end", "step")


def sliced(constants: dict[str, np.ndarray], size: int | None) -> onnx.ModelProto:
    return small_models.model(
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


def expected(x: np.ndarray, start: int, end: int, step: int) -> np.ndarray:
    size = len(x)
    low, high = (0, size) if step > 0 else (-1, size - 1)
    start = min(max(start + size * (start < 0), 0), high)
    end = min(max(end + size * (end < 0), low), high)
    return x[np.arange(start, end, step)] if size else x


def feeds(known: tuple[str, ...], x: np.ndarray, bounds: dict[str, int]) -> dict[str, np.ndarray]:
    return {"x": x, **{name: np.array([bounds[name]]) for name in BOUNDS if name not in known}}


positions = st.one_of(st.integers(-8, 8), st.sampled_from([-(2**31), 2**31 - 1, 2**63 - 1]))
steps = st.sampled_from([1, 1, 2, 3, -1, -2, -7])


@cache
def computed(step: int | None) -> omb.InferenceSession:
    constants = {} if step is None else {"step": np.array([step])}
    return omb.InferenceSession(sliced(constants, None), ["cpu"], threads=1)


@pytest.mark.parametrize("known", [(), ("step",)], ids="-".join)
@examples(30)
@given(size=st.sampled_from([0, 1, 2, 5]), start=positions, end=positions, step=steps)
def test_computed(known: tuple[str, ...], size: int, start: int, end: int, step: int) -> None:
    x = np.arange(size, dtype=np.int32)
    bounds = {"start": start, "end": end, "step": step}
    (found,) = computed(step if known else None).run(None, feeds(known, x, bounds))
    np.testing.assert_array_equal(found, expected(x, **bounds))


@pytest.mark.parametrize("known", [(), ("step",)], ids="-".join)
def test_the_lowest_and_highest_numbers(known: tuple[str, ...]) -> None:
    low, high = -(2**63), 2**63 - 1
    x = np.arange(5, dtype=np.int32)
    for start, end, step in [(low, high, high), (high, low, low), (high, low, -high)]:
        bounds = {"start": start, "end": end, "step": step}
        session = computed(step if known else None)
        (found,) = session.run(None, feeds(known, x, bounds))
        np.testing.assert_array_equal(found, expected(x, **bounds))


CONSTANT = list(
    product(
        [("start", "step"), ("start", "end"), ("end", "step"), ("start",)],
        [(7, 9, 1), (5, 9, 1), (9, -20, -1), (4, 100, 3), (7, -1, -2), (-9, 3, 2), (5, -9, -3)],
    )
)


@pytest.mark.parametrize("is_static", [True, False])
def test_constant(is_static: bool) -> None:
    """All of them, compiled as one."""
    x = np.arange(5, dtype=np.int32)
    models, inputs = [], []
    for known, values in CONSTANT:
        bounds = dict(zip(BOUNDS, values, strict=True))
        constants = {name: np.array([bounds[name]]) for name in known}
        models.append(sliced(constants, len(x) if is_static else None))
        inputs.append(feeds(known, x, bounds))
    results = Together(models, providers=["cpu"], threads=1).run(inputs)
    for (known, values), (found,) in zip(CONSTANT, results, strict=True):
        np.testing.assert_array_equal(found, expected(x, *values), err_msg=f"{known} of {values}")
