"""Cast, where what a compiler may leave out decides the result: roundings between two casts."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx_mlir_bridge as omb
import pytest
from onnx import TensorProto, helper

FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)


@pytest.mark.parametrize("element", FLOATS, ids=TensorProto.DataType.Name)
def test_rounds_on_the_way(element: int) -> None:
    """What is cast to a narrower type and back is what the narrower type holds."""
    dtype = helper.tensor_dtype_to_np_dtype(element)
    through = [other for other in FLOATS if other != element]
    nodes = [
        node
        for other in through
        for node in (
            helper.make_node("Cast", ["x"], [f"narrow{other}"], to=other),
            helper.make_node("Cast", [f"narrow{other}"], [f"y{other}"], to=TensorProto.DOUBLE),
        )
    ]
    outputs = [
        helper.make_tensor_value_info(f"y{other}", TensorProto.DOUBLE, ["n"]) for other in through
    ]
    x = helper.make_tensor_value_info("x", element, ["n"])
    graph = helper.make_graph(nodes, "casts", [x], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

    values = np.random.default_rng(0).standard_normal(1000)
    # Ties of bf16, and what has no next number.
    ties = (np.arange(64) * 2 + 1) * 2.0**-9 + 1
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 65504.0, -65504.0])
    data = np.concatenate([values, ties, special]).astype(dtype)
    results = omb.InferenceSession(model).run(None, {"x": data})
    for other, found in zip(through, results, strict=True):
        with np.errstate(over="ignore"):
            rounded = data.astype(helper.tensor_dtype_to_np_dtype(other))
        if element == TensorProto.DOUBLE and other == TensorProto.BFLOAT16:
            rounded = _nearest_bfloat16(data)
        np.testing.assert_array_equal(found, rounded.astype(np.float64), str(other))


def _nearest_bfloat16(x: np.ndarray) -> np.ndarray:
    """Rounded once: ml_dtypes rounds an f64 to f32 on the way."""
    near = x.astype(ml_dtypes.bfloat16)
    bits = near.view(np.uint16)[:, None] + np.array([0, 1, -1]).astype(np.uint16)
    candidates = bits.view(ml_dtypes.bfloat16)
    with np.errstate(invalid="ignore"):
        distance = np.abs(candidates.astype(np.float64) - x[:, None])
    best = np.where(np.isfinite(distance), distance, np.inf).argmin(axis=1)
    return np.where(np.isfinite(x), candidates[np.arange(len(x)), best], near)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Pow"])
@pytest.mark.parametrize("cpu", ["host", "generic"])
def test_results_are_rounded_before_a_cast(op: str, cpu: str) -> None:
    """What a bf16 operator gives is a bf16, also where it is read as f32."""
    nodes = [helper.make_node(op, ["a", "b"], ["r"]), helper.make_node("Cast", ["r"], ["y"], to=1)]
    inputs = [helper.make_tensor_value_info(n, TensorProto.BFLOAT16, ["n"]) for n in "ab"]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(nodes, "g", inputs, [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    random = np.random.default_rng(2)
    feeds = {n: random.uniform(0.5, 3, 999).astype(ml_dtypes.bfloat16) for n in "ab"}
    (found,) = omb.InferenceSession(model, cpu=cpu).run(None, feeds)
    np.testing.assert_array_equal(found, found.astype(ml_dtypes.bfloat16).astype(np.float32))
    if op != "Pow":  # numpy's is of another last place
        a, b = (feeds[n].astype(np.float32) for n in "ab")
        exact = {"Add": a + b, "Sub": a - b, "Mul": a * b, "Div": a / b}[op]
        np.testing.assert_array_equal(found, exact.astype(ml_dtypes.bfloat16).astype(np.float32))
