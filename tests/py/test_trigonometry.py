"""Circular functions of angles that the same kernel computes, as rotary embeddings do."""

from __future__ import annotations

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from onnx import helper
from small_models import model, tensor


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_of_products_of_positions_and_rates(dtype: type) -> None:
    """The product is of several dimensions, and so are the vectors that its kernel computes."""
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    functions = {"Cos": np.cos, "Sin": np.sin, "Tan": np.tan}
    made = model(
        [
            helper.make_node("Mul", ["positions", "rates"], ["angles"]),
            *(helper.make_node(name, ["angles"], [name]) for name in functions),
        ],
        [tensor("positions", element, [1, "sequence", 1])],
        [tensor(name, element, [1, "sequence", 4]) for name in functions],
        {"rates": np.array([1, 0.5, 1e-3, -1e6], dtype)},
    )
    session = omb.InferenceSession(made, providers=["cpu"], fallback="error")
    for length in (1, 9):
        positions = np.arange(length, dtype=dtype).reshape(1, -1, 1) * dtype(1.25)
        results = session.run(None, {"positions": positions})
        angles = positions * np.array([1, 0.5, 1e-3, -1e6], dtype)
        for result, function in zip(results, functions.values(), strict=True):
            expected = function(angles.astype(np.longdouble)).astype(dtype)
            np.testing.assert_allclose(result, expected, rtol=8 * np.finfo(dtype).eps, atol=1e-7)
