"""Operators on CPUs without instructions that round: IREE has functions for some roundings only.

Compared with ONNX Runtime, exactly, but for powers: 4 units of the last place.
"""

from __future__ import annotations

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from import_support import run_in_onnxruntime
from models.joined import Together
from onnx import ModelProto, parser

_ELEMENTS = {"float": np.float32, "double": np.float64}
_OPERATORS = ("Ceil", "Floor", "Round", "Pow", "Range")


def _model(op: str, element: str) -> ModelProto:
    inputs = {
        "Pow": f"{element}[n] a, {element}[n] b",
        "Range": f"{element} a, {element} b, {element} c",
    }.get(op, f"{element}[n] a")
    names = ", ".join(name for name in "abc" if f" {name}" in inputs)
    text = f'<ir_version: 10, opset_import: ["": 21]> g ({inputs}) => ({element}[m] y) '
    return parser.parse_model(text + f"{{ y = {op}({names}) }}")


def _feeds(op: str, dtype: type) -> dict[str, np.ndarray]:
    if op == "Range":
        return {n: np.array(v, dtype) for n, v in (("a", -1.5), ("b", 7.25), ("c", 0.75))}
    special = [0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, 1e10, -1e10, np.inf, -np.inf, np.nan]
    a = np.concatenate([np.random.default_rng(0).uniform(-9, 9, 99), special]).astype(dtype)
    if op != "Pow":
        return {"a": a}
    exponents = [-3, -2, -0.5, 0, 0.5, 1, 2, 3, 7, np.inf, -np.inf, np.nan]
    grid = np.meshgrid(a, np.array(exponents, dtype))
    return {"a": grid[0].reshape(-1), "b": grid[1].reshape(-1)}


@pytest.mark.parametrize("element", _ELEMENTS)
def test_roundings(element: str) -> None:
    models = [_model(op, element) for op in _OPERATORS]
    feeds = [_feeds(op, _ELEMENTS[element]) for op in _OPERATORS]
    found = Together(models, cpu="generic").run(feeds)
    for op, model, inputs, (ours,) in zip(_OPERATORS, models, feeds, found, strict=True):
        (theirs,) = run_in_onnxruntime(model, inputs)
        places = 4 if op == "Pow" else 0
        rtol = places * np.finfo(theirs.dtype).eps
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0, err_msg=op)
        known = ~np.isnan(theirs)  # NaN's sign is nobody's
        signs = (np.signbit(each[known]) for each in (ours, theirs))
        np.testing.assert_array_equal(*signs, err_msg=op)


def test_reflections() -> None:
    """GridSample counts how often it reflects, and whether that is even."""
    text = "(float[n,c,h,w] x, float[n,p,q,2] grid) => (float[n,c,p,q] y)"
    graph = f'g {text} {{ y = GridSample<padding_mode="reflection">(x, grid) }}'
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {graph}')
    random = np.random.default_rng(0)
    inputs = {
        "x": random.standard_normal((2, 3, 4, 5)).astype(np.float32),
        "grid": random.uniform(-6, 6, (2, 7, 3, 2)).astype(np.float32),
    }
    (ours,) = omb.InferenceSession(model, cpu="generic").run(None, inputs)
    (theirs,) = run_in_onnxruntime(model, inputs)
    # Positions beyond the image are differences of numbers up to 30.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
