"""TopK: elements are sorted in runs that are merged, or all at once where the size is not known.

The oracle is numpy.lexsort by number and place, with NaN above all numbers, as ONNX Runtime and the
standard's reference have it. Results are compared bit by bit.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models.joined import Together
from models.targets import on_gpus
from onnx import TensorProto, helper, numpy_helper


class Case(NamedTuple):
    shape: tuple[int, ...]
    axis: int
    k: int
    dtype: type = np.float32
    largest: bool = True
    dynamic: tuple[int, ...] = ()
    """Dimensions that have names instead of sizes."""
    is_k_given: bool = False
    """K is an input of the model."""


# A run has 32 elements. Pairs are merged: 3 runs leave one over, of 5 the last one twice.
_CASES = [
    Case((1,), 0, 1),
    Case((3, 31), 1, 5),
    Case((32, 2), 0, 32, largest=False),
    Case((2, 33), -1, 33),
    Case((2, 3, 65), 2, 7, largest=False),
    Case((2, 65, 3), 1, 65),
    Case((129, 2), 0, 129, np.int64, is_k_given=True),
    Case((129,), 0, 40, np.float64, largest=False),
    Case((2, 200), 1, 1, np.int32, largest=False),
    Case((3, 1000), 1, 10),
    Case((1000,), 0, 1000, np.uint8),
    Case((300, 2), 0, 100, np.float16, dynamic=(1,)),
    Case((70, 3), 0, 20, np.float32, dynamic=(0,)),
    Case((2, 45), 1, 45, np.float32, False, dynamic=(0, 1), is_k_given=True),
    Case((1, 1), 1, 1, np.int64, dynamic=(1,)),
]


def _model(case: Case) -> onnx.ModelProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(case.dtype))
    dims = [f"d{d}" if d in case.dynamic else size for d, size in enumerate(case.shape)]
    free = [None] * len(case.shape)
    inputs = [helper.make_tensor_value_info("x", element, dims)]
    constants = [numpy_helper.from_array(np.array([case.k]), "k")]
    if case.is_k_given:
        inputs.append(helper.make_tensor_value_info("k", TensorProto.INT64, [1]))
        constants = []
    node = helper.make_node(
        "TopK", ["x", "k"], ["values", "places"], axis=case.axis, largest=int(case.largest)
    )
    outputs = [
        helper.make_tensor_value_info("values", element, free),
        helper.make_tensor_value_info("places", TensorProto.INT64, free),
    ]
    graph = helper.make_graph([node], "g", inputs, outputs, constants)
    opset = helper.make_opsetid("", 24)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def _data(shape: tuple[int, ...], dtype: type, random: np.random.Generator) -> np.ndarray:
    """Few numbers, so that many are equal; a tenth are NaN, as many infinite."""
    x = random.integers(0, 100, shape)
    if not np.issubdtype(dtype, np.floating):
        return x.astype(dtype)
    special = random.choice([np.nan, np.inf, -np.inf, -0.0, 0.0], shape)
    return np.where(random.random(shape) < 0.5, special, x - 50).astype(dtype)


def _expected(x: np.ndarray, case: Case) -> tuple[np.ndarray, np.ndarray]:
    x, axis = np.moveaxis(x, case.axis, -1), case.axis
    is_nan = np.isnan(x)
    numbers = np.where(is_nan, 0, x).astype(np.float64)
    sign = -1 if case.largest else 1
    # lexsort is stable: equal ones stay in order.
    places = np.lexsort((sign * numbers, sign * is_nan.astype(int)), axis=-1)[..., : case.k]
    values = np.take_along_axis(x, places, -1)
    return np.moveaxis(values, -1, axis), np.moveaxis(places, -1, axis)


@cache
def _every_case(target: str) -> Together:
    return Together([_model(case) for case in _CASES], providers=[target])


def _check(target: str, cases: list[Case], random: np.random.Generator) -> None:
    data = [_data(case.shape, case.dtype, random) for case in cases]
    feeds = [
        {"x": x} | ({"k": np.array([case.k])} if case.is_k_given else {})
        for case, x in zip(cases, data, strict=True)
    ]
    found = _every_case(target).run(feeds)
    for case, x, (values, places) in zip(cases, data, found, strict=True):
        expected_values, expected_places = _expected(x, case)
        np.testing.assert_array_equal(places, expected_places, err_msg=str(case))
        np.testing.assert_array_equal(values, expected_values, err_msg=str(case))


@examples(15)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 300), share=st.integers(0, 100))
def test_the_first_places_are_found(seed, size, share):
    """size: of each dimension that has a name. share: of it, in percent, is a given K."""

    def resize(case: Case) -> Case:
        shape = tuple(size if d in case.dynamic else n for d, n in enumerate(case.shape))
        if not case.is_k_given:
            # What is smaller than a K that the model has is tested below.
            length = shape[case.axis]
            return case._replace(shape=shape if length >= case.k else case.shape)
        return case._replace(shape=shape, k=shape[case.axis] * share // 100)

    _check("cpu", [resize(case) for case in _CASES], np.random.default_rng(seed))


@on_gpus
def test_agrees_on_gpus(provider):
    _check(provider, _CASES, np.random.default_rng(0))


@pytest.mark.parametrize(("k", "message"), [(71, "larger than the dimension"), (-1, "negative")])
def test_a_k_that_does_not_fit_is_an_error(k, message):
    case = Case((70,), 0, 1, dynamic=(0,), is_k_given=True)
    session = omb.InferenceSession(_model(case))
    with pytest.raises(omb.OmbError, match=message):
        session.run(None, {"x": np.zeros(70, np.float32), "k": np.array([k])})
