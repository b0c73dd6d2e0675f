"""The kernels of rows (softmax, normalization) against numpy in float64.

Values around 1: the result of a row of up to a thousand of them in f32 is within 1e-5 of the
largest, some ten roundings more than the sums, of which each lane of a vector has its own, need.
In f64, 1e-13. In f16, which is computed in f32, one rounding of the result is 2^-11.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from models.targets import needs_kernels
from onnx import TensorProto, helper

FLOAT, DOUBLE, HALF = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
TOLERANCES = {np.float32: 1e-5, np.float64: 1e-13, np.float16: 2**-11}
CPUS = ("host", "x86-64-v3")
SIZES = (1, 2, 7, 15, 16, 17, 31, 64, 100, 197, 1000)
EPSILON = float(np.float32(1e-5))  # as attributes have it

pytestmark = needs_kernels


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf))
    return e / e.sum(-1, keepdims=True)


def _log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(-1, keepdims=True, initial=-np.inf)
    with np.errstate(divide="ignore"):  # rows of no elements
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _layer_norm(x: np.ndarray, scale: np.ndarray, bias: np.ndarray | float = 0) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + EPSILON) * scale + bias


def _rms_norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * scale


def _random(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(dtype)


def _compile(
    model: onnx.ModelProto, kernels: int, is_alone: bool = True, cpu: str = "host"
) -> omb.InferenceSession:
    """Compiled; there are so many kernels, and, if they are alone, no loops for IREE."""
    compiled = omb.compile(model, fallback="error", cpu=cpu)
    text = compiled.emit("vector")
    assert text.count('"flow.dispatch"') == kernels
    assert not is_alone or "linalg.generic" not in text
    return omb.InferenceSession(compiled)


def _check(
    session: omb.InferenceSession, feed: dict[str, np.ndarray], expected: list[np.ndarray]
) -> None:
    for got, right in zip(session.run(None, feed), expected, strict=True):
        assert got.shape == right.shape
        tolerance = TOLERANCES[got.dtype.type]
        finite = np.abs(right[np.isfinite(right)])
        scale = max(1.0, float(finite.max(initial=0)))
        np.testing.assert_allclose(got, right, rtol=0, atol=tolerance * scale)


def _unary(operator: str, element: int, opset: int = 23) -> onnx.ModelProto:
    """Of each size, three by two rows."""
    return small_models.model(
        [helper.make_node(operator, [f"x{n}"], [f"y{n}"], f"of_{n}") for n in SIZES],
        [small_models.tensor(f"x{n}", element, [3, 2, n]) for n in SIZES],
        [small_models.tensor(f"y{n}", element, [3, 2, n]) for n in SIZES],
        opset=opset,
    )


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("element", [FLOAT, DOUBLE, HALF])
def test_softmax_of_any_length(element: int, cpu: str) -> None:
    session = _compile(_unary("Softmax", element), len(SIZES), cpu=cpu)
    dtype = helper.tensor_dtype_to_np_dtype(element)
    feed = {f"x{n}": _random(3, 2, n, dtype=dtype) * dtype.type(4) for n in SIZES}
    _check(session, feed, [_softmax(x.astype(np.float64)) for x in feed.values()])


def _normalizations(element: int, dims: list[int | str]) -> onnx.ModelProto:
    """Three, each of its own x: those of one would share its moments."""
    tensors = {name: dims for name in ("x0", "x1", "x2")}
    tensors |= {name: dims[-1:] for name in ("scale", "bias")}
    return small_models.model(
        [
            helper.make_node("LayerNormalization", ["x0", "scale", "bias"], ["both"], "both"),
            helper.make_node("LayerNormalization", ["x1", "scale"], ["scaled"], "scaled"),
            helper.make_node("RMSNormalization", ["x2", "scale"], ["rms"], "rms"),
        ],
        [small_models.tensor(name, element, shape) for name, shape in tensors.items()],
        [small_models.tensor(name, element, dims) for name in ("both", "scaled", "rms")],
        opset=23,
    )


def _normalized(feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    x0, x1, x2, scale, bias = (array.astype(np.float64) for array in feed.values())
    return [_layer_norm(x0, scale, bias), _layer_norm(x1, scale), _rms_norm(x2, scale)]


def _feed(*shape: int, dtype: type = np.float32) -> dict[str, np.ndarray]:
    x = _random(3, *shape, dtype=dtype)
    scale, bias = _random(2, shape[-1], dtype=dtype)
    return {"x0": x[0], "x1": x[1], "x2": x[2], "scale": scale, "bias": bias}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(("element", "size"), [(FLOAT, 768), (FLOAT, 100), (FLOAT, 1), (DOUBLE, 9)])
def test_normalization(element: int, size: int, cpu: str) -> None:
    session = _compile(_normalizations(element, [2, 5, size]), 3, cpu=cpu)
    feed = _feed(2, 5, size, dtype=helper.tensor_dtype_to_np_dtype(element))
    _check(session, feed, _normalized(feed))


@pytest.mark.parametrize("cpu", CPUS)
def test_normalization_of_unknown_sizes(cpu: str) -> None:
    session = _compile(_normalizations(FLOAT, ["b", "m", "n"]), 3, cpu=cpu)
    for shape in [(1, 1, 1), (2, 3, 7), (1, 50, 64), (3, 1, 197), (1, 2, 1000), (0, 3, 5)]:
        feed = _feed(*shape)
        _check(session, feed, _normalized(feed))


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    ("operator", "compute"), [("Softmax", _softmax), ("LogSoftmax", _log_softmax)]
)
def test_softmax_of_unknown_sizes(
    operator: str, compute: Callable[[np.ndarray], np.ndarray], cpu: str
) -> None:
    dims = ["b", "m", "n"]
    model = small_models.model(
        [helper.make_node(operator, ["x"], ["y"], "softmax")],
        [small_models.tensor("x", FLOAT, dims)],
        [small_models.tensor("y", FLOAT, dims)],
    )
    session = _compile(model, 1, cpu=cpu)
    shapes = [(2, 3, n) for n in SIZES] + [(400, 30, 5), (0, 3, 5), (2, 0, 5), (2, 3, 0)]
    for shape in shapes:
        x = _random(*shape) * 4
        _check(session, {"x": x}, [compute(x.astype(np.float64))])


def test_one_row() -> None:
    model = small_models.model(
        [helper.make_node("Softmax", [name], [name + "s"], name) for name in "xy"],
        [small_models.tensor("x", FLOAT, [197]), small_models.tensor("y", FLOAT, ["n"])],
        [small_models.tensor("xs", FLOAT, [197]), small_models.tensor("ys", FLOAT, ["n"])],
    )
    session = _compile(model, 2)
    for size in (1, 16, 33):
        feed = {"x": _random(197), "y": _random(size)}
        _check(session, feed, [_softmax(x.astype(np.float64)) for x in feed.values()])


def test_masks_and_scales_before_softmax_and_a_residual_after() -> None:
    dims = ["b", 3, "m", "n"]
    model = small_models.model(
        [
            helper.make_node("Mul", ["x", "scale"], ["scaled"], "multiply"),
            helper.make_node("Add", ["scaled", "mask"], ["masked"], "add_mask"),
            helper.make_node("Gelu", ["masked"], ["activated"], "activate"),
            helper.make_node("Softmax", ["activated"], ["p"], "softmax"),
            helper.make_node("Add", ["p", "x"], ["y"], "residual"),
        ],
        [
            small_models.tensor("x", FLOAT, dims),
            small_models.tensor("mask", FLOAT, ["b", 1, 1, "n"]),
        ],
        [small_models.tensor("y", FLOAT, dims)],
        {"scale": np.float32(0.125)},
    )
    session = _compile(model, 1)
    for b, m, n in [(1, 4, 4), (2, 5, 37), (3, 1, 130)]:
        x, mask = _random(b, 3, m, n), _random(b, 1, 1, n)
        z = x.astype(np.float64) / 8 + mask
        erf = np.vectorize(math.erf)
        _check(session, {"x": x, "mask": mask}, [_softmax(z * (1 + erf(z / 2**0.5)) / 2) + x])


def test_few_long_rows() -> None:
    """In parts, where the length has divisors for that; one has none but 2 and 10007."""
    for length in (20000, 20014, 50257):
        model = small_models.model(
            [
                helper.make_node("Softmax", ["x"], ["p"], "softmax"),
                helper.make_node("ReduceMax", ["x"], ["m"], "largest", keepdims=0),
                helper.make_node("ReduceMean", ["x"], ["a"], "average", keepdims=0),
            ],
            [small_models.tensor("x", FLOAT, [2, length])],
            [
                small_models.tensor("p", FLOAT, [2, length]),
                small_models.tensor("m", FLOAT, []),
                small_models.tensor("a", FLOAT, []),
            ],
        )
        x = _random(2, length) * 4
        wide = x.astype(np.float64)
        session = omb.InferenceSession(model, fallback="error")
        _check(session, {"x": x}, [_softmax(wide), wide.max(), wide.mean()])
        x[1, -1] = np.nan
        p, m, _ = session.run(None, {"x": x})
        assert np.isnan(p[1]).all() and np.isnan(m)
        assert np.isfinite(p[0]).all()


def test_a_division_before_softmax_is_none_by_its_reciprocal() -> None:
    """One divided by 3e38 is no normal number."""
    model = small_models.model(
        [
            helper.make_node("Div", ["x", "c"], ["scaled"], "divide"),
            helper.make_node("Softmax", ["scaled"], ["y"], "softmax"),
        ],
        [small_models.tensor("x", FLOAT, [5, 37])],
        [small_models.tensor("y", FLOAT, [5, 37])],
        {"c": np.float32(3e38)},
    )
    x = np.clip(_random(5, 37), -1, 1) * np.float32(3e38)
    session = _compile(model, 1)
    _check(session, {"x": x}, [_softmax(x.astype(np.float64) / np.float64(np.float32(3e38)))])


def _written_out(dims: list[int | str], size: int) -> onnx.ModelProto:
    """A layer normalization as exporters of opset 13 write it."""
    return small_models.model(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], "mean", axes=[-1]),
            helper.make_node("Sub", ["x", "mean"], ["centred"], "centre"),
            helper.make_node("Pow", ["centred", "two"], ["square"], "square"),
            helper.make_node("ReduceMean", ["square"], ["variance"], "variance", axes=[-1]),
            helper.make_node("Add", ["variance", "epsilon"], ["positive"], "add_epsilon"),
            helper.make_node("Sqrt", ["positive"], ["deviation"], "root"),
            helper.make_node("Div", ["centred", "deviation"], ["normal"], "divide"),
            helper.make_node("Mul", ["normal", "scale"], ["scaled"], "scale"),
            helper.make_node("Add", ["scaled", "bias"], ["y"], "add_bias"),
        ],
        [small_models.tensor("x", FLOAT, [*dims, size])],
        [small_models.tensor("y", FLOAT, [*dims, size])],
        {
            "two": np.float32(2),
            "epsilon": np.float32(EPSILON),
            "scale": _random(size),
            "bias": _random(size, 1)[:, 0],
        },
        opset=13,
    )


def test_a_normalization_that_is_written_out() -> None:
    session = _compile(_written_out(["b", "m"], 72), 1)
    x = _random(2, 9, 72)
    right = _layer_norm(x.astype(np.float64), _random(72), _random(72, 1)[:, 0])
    _check(session, {"x": x}, [right])


def test_a_sequence_of_normalizations() -> None:
    """Each is a kernel of its own; those that are alike share one."""
    count = 4
    model = small_models.model(
        [
            helper.make_node("LayerNormalization", [f"x{n}", "scale"], [f"x{n + 1}"], f"norm{n}")
            for n in range(count)
        ],
        [small_models.tensor("x0", FLOAT, [5, 40])],
        [small_models.tensor(f"x{count}", FLOAT, [5, 40])],
        {"scale": _random(40)},
    )
    session = _compile(model, count)
    x = _random(5, 40)
    right = x.astype(np.float64)
    for _ in range(count):
        right = _layer_norm(right, _random(40))
    _check(session, {"x0": x}, [right])


def test_results_that_others_read() -> None:
    """The mean and its sum stay outside of the kernel, which reads them."""
    model = small_models.model(
        [
            helper.make_node("ReduceMax", ["x", "axes"], ["max"], "max"),
            helper.make_node("Sub", ["x", "max"], ["d"], "subtract"),
            helper.make_node("Exp", ["d"], ["e"], "exp"),
            helper.make_node("ReduceSum", ["e", "axes"], ["sum"], "sum"),
            helper.make_node("Div", ["e", "sum"], ["y"], "divide"),
        ],
        [small_models.tensor("x", FLOAT, [3, 50])],
        [small_models.tensor("y", FLOAT, [3, 50]), small_models.tensor("max", FLOAT, [3, 1])],
        {"axes": np.array([-1])},
    )
    session = _compile(model, 1, is_alone=False)
    x = _random(3, 50)
    _check(session, {"x": x}, [_softmax(x.astype(np.float64)), x.max(-1, keepdims=True)])


def test_numbers_that_are_none() -> None:
    """As without kernels: what isn't a number makes its row such, and no other."""
    x = _random(6, 21)
    x[1, 3], x[2, 20], x[3], x[4, 5] = np.nan, np.inf, -np.inf, -np.inf
    model = small_models.model(
        [
            helper.make_node("Softmax", ["x"], ["p"], "softmax"),
            helper.make_node("LayerNormalization", ["x", "scale"], ["y"], "norm"),
        ],
        [small_models.tensor("x", FLOAT, [6, 21])],
        [small_models.tensor(name, FLOAT, [6, 21]) for name in "py"],
        {"scale": np.ones(21, np.float32)},
    )
    p, y = _compile(model, 2).run(None, {"x": x})
    others = omb.InferenceSession(model, opt_level=0).run(None, {"x": x})
    for got, right in zip((p, y), others, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-5, atol=1e-6)
    assert np.isnan(p[1:4]).all()
    assert np.isfinite(p[[0, 4, 5]]).all() and p[4, 5] == 0
    assert np.isnan(y[1:5]).all() and np.isfinite(y[[0, 5]]).all()
