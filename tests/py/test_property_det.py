"""Det of 16-bit floats: computed in float32, rounded once, whatever is known of the sizes."""

from __future__ import annotations

from functools import cache

import ml_dtypes
import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from test_property_tensors import BUDGET, seeds

HALVES = {TensorProto.FLOAT16: np.float16, TensorProto.BFLOAT16: ml_dtypes.bfloat16}


@cache
def session(element: int, rank: int) -> omb.InferenceSession:
    model = small_models.model(
        [helper.make_node("Det", ["x"], ["y"])],
        [small_models.tensor("x", element, [None] * rank)],
        [small_models.tensor("y", element, [None] * (rank - 2))],
        opset=22,
    )
    return omb.InferenceSession(model, ["cpu"], threads=1)


@pytest.mark.parametrize("element", HALVES, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("rank", [2, 3])
@BUDGET
@given(size=st.integers(1, 9), batch=st.integers(1, 3), seed=seeds)
def test_half(element: int, rank: int, size: int, batch: int, seed: int) -> None:
    shape = (batch,) * (rank - 2) + (size, size)
    x = np.random.default_rng(seed).standard_normal(shape).astype(HALVES[element])
    found = session(element, rank).run(None, {"x": x})[0].astype(np.float64)
    # An ulp of the element type, and float32's error of the elimination.
    ulp = float(ml_dtypes.finfo(HALVES[element]).eps)
    exact = np.linalg.det(x.astype(np.float64))
    np.testing.assert_allclose(found, exact, rtol=ulp, atol=1e-3)
