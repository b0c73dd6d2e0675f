"""How far functions of f32 are off, in units of the last place, alone and after a product.

The bound is 4 of them for each function, of what float64 gives. Half a unit is the least there can
be: a result is rounded. Of Gelu, where x is negative, 1 + erf(x / sqrt 2) is a small difference of
large numbers in ONNX's own definition: its unit is that of x / 2, by which the sum is multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from models.targets import needs_kernels
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT
BOUND = 4.0
ROWS, COLUMNS = 200, 1000
SMALLEST = np.finfo(np.float32).tiny

Function = Callable[[np.ndarray], np.ndarray]
_erf = np.vectorize(math.erf)


@dataclass(frozen=True)
class Case:
    low: float
    high: float
    expected: Function
    scale: Function = np.zeros_like
    """Numbers whose last place counts where it is larger than that of the result."""


CASES = {
    "Exp": Case(-87, 88.7, np.exp),
    "Tanh": Case(-10, 10, np.tanh),
    "Sigmoid": Case(-87, 30, lambda x: 1 / (1 + np.exp(-x))),
    "Erf": Case(-5, 5, _erf),
    "Gelu": Case(-6, 6, lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2, lambda x: x / 2),
    "Log": Case(1e-37, 1e30, np.log),
    "Sin": Case(-30, 30, np.sin),
    "Cos": Case(-30, 30, np.cos),
    "Softplus": Case(-80, 80, lambda x: np.logaddexp(0, x)),
}


def _points(case: Case) -> np.ndarray:
    """Evenly spaced ones, and ones of all magnitudes."""
    largest = max(abs(case.low), abs(case.high))
    tiny = np.geomspace(1e-37, largest, ROWS * COLUMNS // 4)
    even = np.linspace(case.low, case.high, ROWS * COLUMNS - 2 * tiny.size)
    points = np.concatenate([even, tiny, -tiny])
    return np.clip(points, case.low, case.high).astype(np.float32).reshape(ROWS, COLUMNS)


def _units(found: np.ndarray, case: Case, x: np.ndarray) -> float:
    exact = x.astype(np.float64)
    expected = case.expected(exact)
    magnitude = np.maximum(np.abs(expected), np.abs(case.scale(exact)))
    unit = np.spacing(np.maximum(magnitude, SMALLEST).astype(np.float32)).astype(np.float64)
    return float(np.max(np.abs(found - expected) / unit))


@needs_kernels
@pytest.mark.parametrize("cpu", ["host", "x86-64-v3"])
@pytest.mark.parametrize("operator", CASES)
def test_units_of_the_last_place(operator: str, cpu: str) -> None:
    case = CASES[operator]
    model = small_models.model(
        [
            helper.make_node("MatMul", ["zero", "w"], ["product"]),
            helper.make_node("Add", ["product", "x"], ["sum"]),
            helper.make_node(operator, ["sum"], ["fused"]),
            helper.make_node(operator, ["x"], ["alone"]),
        ],
        [
            small_models.tensor("x", FLOAT, [ROWS, COLUMNS]),
            small_models.tensor("zero", FLOAT, [ROWS, 5]),
        ],
        [small_models.tensor(name, FLOAT, [ROWS, COLUMNS]) for name in ("fused", "alone")],
        {"w": np.ones((5, COLUMNS), np.float32)},
    )
    x = _points(case)
    session = omb.InferenceSession(omb.compile(model, fallback="error", cpu=cpu))
    for found in session.run(None, {"x": x, "zero": np.zeros((ROWS, 5), np.float32)}):
        assert _units(found, case, x) <= BOUND


@needs_kernels
@pytest.mark.parametrize(("operator", "limits"), [("Erf", (-1, 1)), ("Tanh", (-1, 1))])
def test_limits(operator: str, limits: tuple[float, float]) -> None:
    """Infinities give the limits, NaN stays what it is, and so does the sign of 0."""
    x = np.array([-np.inf, np.inf, -4e30, 4e30, np.nan, 0.0, -0.0, 1e-40], np.float32)
    model = small_models.model(
        [
            helper.make_node("MatMul", ["zero", "w"], ["product"]),
            helper.make_node("Mul", ["product", "x"], ["scaled"]),
            helper.make_node(operator, ["scaled"], ["fused"]),
            helper.make_node(operator, ["x"], ["alone"]),
        ],
        [small_models.tensor("x", FLOAT, [3, 8]), small_models.tensor("zero", FLOAT, [3, 5])],
        [small_models.tensor(name, FLOAT, [3, 8]) for name in ("fused", "alone")],
        {"w": np.ones((5, 8), np.float32)},
    )
    session = omb.InferenceSession(omb.compile(model, fallback="error"))
    feeds = {"x": np.tile(x, (3, 1)), "zero": np.full((3, 5), 0.2, np.float32)}
    for found in session.run(None, feeds):
        least, most = limits
        np.testing.assert_array_equal(found[0, :5], [least, most, least, most, np.nan])
        assert (found[0, 5:7] == 0).all()
        assert list(np.signbit(found[0, 5:7])) == [False, True]
