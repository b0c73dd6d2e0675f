"""Products of quantized tensors on shapes and parameters that nobody thinks of.

The expected numbers are those of a model of the standard in int64 and float64, not of onnx's
reference evaluator, which doesn't subtract zero points for each row, takes float8 for integers, and
rounds after adding the zero point: the standard says before. Where the evaluator does what the
standard says, both are compared. Everything must agree bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import ml_dtypes
import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

BUDGET = examples(6, HealthCheck.too_slow, HealthCheck.filter_too_much)

INT8, UINT8, INT32 = TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32
DTYPES = {
    INT8: np.dtype(np.int8),
    UINT8: np.dtype(np.uint8),
    INT32: np.dtype(np.int32),
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.BFLOAT16: np.dtype(ml_dtypes.bfloat16),
    TensorProto.FLOAT8E4M3FN: np.dtype(ml_dtypes.float8_e4m3fn),
    TensorProto.FLOAT8E5M2: np.dtype(ml_dtypes.float8_e5m2),
}

Tensors = dict[str, np.ndarray]
sizes = st.sampled_from([0, 1, 1, 2, 3, 5, 17])
seeds = st.integers(0, 2**32 - 1)


# --- the standard -------------------------------------------------------------------------------


def _bytes(array: np.ndarray) -> np.ndarray:
    return array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)


def _column(parameter: np.ndarray, rank: int) -> np.ndarray:
    """A vector for each row of a matrix."""
    return parameter[:, None] if parameter.ndim == 1 and rank > 1 else parameter


def _wrap(array: np.ndarray) -> np.ndarray:
    return array.astype(np.int64).astype(np.int32)


def _requantize(total: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        scaled = total.astype(np.float64) * scale.astype(np.float64)
        if zero.dtype.kind not in "iu":
            largest = float(ml_dtypes.finfo(zero.dtype).max)
            shifted = scaled + zero.astype(np.float64)
            return np.clip(shifted, -largest, largest).astype(zero.dtype)
        limits = np.iinfo(zero.dtype)
        return np.clip(np.rint(scaled) + zero, limits.min, limits.max).astype(zero.dtype)


def matmul_integer(a: np.ndarray, b: np.ndarray, za: np.ndarray, zb: np.ndarray) -> np.ndarray:
    return _wrap((_bytes(a) - _bytes(_column(za, a.ndim))) @ (_bytes(b) - _bytes(zb)))


def qlinear_matmul(t: Tensors) -> np.ndarray:
    rank = t["a"].ndim
    lhs = _bytes(t["a"]) - _bytes(_column(t["za"], rank))
    rhs = _bytes(t["b"]) - _bytes(t["zb"])
    scale = _column(t["sa"], rank) * t["sb"] / t["sy"]
    return _requantize(lhs @ rhs, scale, t["zy"])


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    pads: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    group: int,
) -> np.ndarray:
    """A convolution of int64 by its definition."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *[(pads[i], pads[rank + i]) for i in range(rank)]])
    counts = [
        (x.shape[2 + i] - (w.shape[2 + i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i in range(rank)
    ]
    y = np.zeros((x.shape[0], w.shape[0], *counts), np.int64)
    width = w.shape[0] // group
    for at in product(*map(range, w.shape[2:])):
        starts = [at[i] * dilations[i] for i in range(rank)]
        spans = [
            slice(start, start + count * stride, stride)
            for start, count, stride in zip(starts, counts, strides, strict=True)
        ]
        window = x[(slice(None), slice(None), *spans)]
        for part in range(group):
            features = slice(part * width, (part + 1) * width)
            channels = slice(part * w.shape[1], (part + 1) * w.shape[1])
            weights = w[(features, slice(None), *at)]
            y[:, features] += np.einsum("fc,nc...->nf...", weights, window[:, channels])
    return y


# --- running -------------------------------------------------------------------------------------


class Case:
    """An op compiled with all dimensions open, or with the shapes that it gets."""

    def __init__(
        self,
        op: str,
        inputs: Sequence[tuple[str, int, Sequence[int | None]]],
        output: int,
        rank: int,
        **attributes: object,
    ) -> None:
        node = helper.make_node(op, [name for name, *_ in inputs], ["y"], **attributes)
        self.model = small_models.model(
            [node],
            [small_models.tensor(*entry) for entry in inputs if entry[0]],
            [small_models.tensor("y", output, [None] * rank)],
            opset=21,
        )
        self.session = omb.InferenceSession(self.model, ["cpu"], threads=1)

    def run(self, feeds: Tensors) -> np.ndarray:
        return self.session.run(None, feeds)[0]

    def reference(self, feeds: Tensors) -> np.ndarray:
        return ReferenceEvaluator(self.model).run(None, feeds)[0]


def numbers(element: int, shape: Sequence[int], seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    dtype = DTYPES[element]
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    # Small integers: sums of them are exact in any order.
    return generator.integers(-4, 4, shape, endpoint=True).astype(np.float32).astype(dtype)


def scales(element: int, shape: Sequence[int], seed: int, spread: float = 0.1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    exact = generator.choice(np.float32([0.5, 0.25, 1]), shape)
    drawn = generator.uniform(spread / 10, spread, shape).astype(np.float32)
    return np.where(generator.random(shape) < 0.5, exact, drawn).astype(DTYPES[element])


def check(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(ours.astype(np.float64), theirs.astype(np.float64))


# --- matrices ------------------------------------------------------------------------------------

RANKS = [(2, 2), (1, 2), (2, 1), (1, 1), (3, 2), (3, 4)]


@cache
def _matmul_integer(ranks: tuple[int, int], a: int, b: int, per_row: bool) -> Case:
    vector = [None] if per_row else []
    row = vector if ranks[0] == 2 else []
    column = vector if ranks[1] >= 2 else []
    inputs = [
        ("a", a, [None] * ranks[0]),
        ("b", b, [None] * ranks[1]),
        ("za", a, row),
        ("zb", b, column),
    ]
    rank = max(*ranks, 2) - ranks.count(1)
    return Case("MatMulInteger", inputs, INT32, rank)


@pytest.mark.parametrize("ranks", RANKS, ids=str)
@pytest.mark.parametrize("elements", [(INT8, INT8), (UINT8, INT8), (UINT8, UINT8)], ids=str)
@BUDGET
@given(st.lists(sizes, min_size=5, max_size=5), st.booleans(), st.booleans(), seeds)
def test_matmul_integer(
    ranks: tuple[int, int],
    elements: tuple[int, int],
    drawn: list[int],
    per_row: bool,
    unit: bool,
    seed: int,
) -> None:
    case = _matmul_integer(ranks, *elements, per_row)
    m, n, k, outer, inner = drawn
    a_shape = (inner, m, k)[-ranks[0] :]
    b_shape = (outer, 1 if unit else inner, k, n)[-ranks[1] :] if ranks[1] > 1 else (k,)
    feeds = {"a": numbers(elements[0], a_shape, seed), "b": numbers(elements[1], b_shape, seed + 1)}
    feeds["za"] = numbers(elements[0], (m,) if per_row and ranks[0] == 2 else (), seed + 2)
    feeds["zb"] = numbers(elements[1], (n,) if per_row and ranks[1] >= 2 else (), seed + 3)
    check(case.run(feeds), matmul_integer(feeds["a"], feeds["b"], feeds["za"], feeds["zb"]))
    if not per_row:
        check(case.run(feeds), case.reference(feeds))


@pytest.mark.parametrize("is_open", [False, True])
def test_matmul_integer_zero_points_of_batches(is_open: bool) -> None:
    shapes = {"a": (2, 1, 3, 5), "b": (4, 5, 2), "za": (2, 1, 3, 1), "zb": (4, 1, 2)}
    inputs = [
        (name, UINT8, [None] * len(shape) if is_open else shape) for name, shape in shapes.items()
    ]
    feeds = {name: numbers(UINT8, shape, 7) for name, shape in shapes.items()}
    case = Case("MatMulInteger", inputs, INT32, 4)
    expected = _wrap(
        (_bytes(feeds["a"]) - _bytes(feeds["za"])) @ (_bytes(feeds["b"]) - _bytes(feeds["zb"]))
    )
    check(case.run(feeds), expected)


def test_zero_point_of_another_size_is_refused() -> None:
    inputs = [("a", INT8, [None, None]), ("b", INT8, [None, None]), ("za", INT8, [None])]
    case = Case("MatMulInteger", inputs, INT32, 2)
    feeds = {"a": np.ones((3, 4), np.int8), "b": np.ones((4, 2), np.int8)}
    with pytest.raises(omb.OmbError, match="the size of its tensor"):
        case.run({**feeds, "za": np.ones(2, np.int8)})
    # One element is for all rows.
    check(case.run({**feeds, "za": np.ones(1, np.int8)}), np.zeros((3, 2), np.int32))


QLINEAR = [
    (TensorProto.FLOAT, UINT8, INT8, UINT8),
    (TensorProto.FLOAT, INT8, INT8, INT8),
    (TensorProto.FLOAT16, UINT8, UINT8, INT8),
    (TensorProto.BFLOAT16, INT8, UINT8, UINT8),
    (TensorProto.FLOAT, TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2),
    (TensorProto.FLOAT, TensorProto.FLOAT8E5M2, INT8, INT8),
    (TensorProto.FLOAT, UINT8, INT8, TensorProto.FLOAT8E4M3FN),
]


@cache
def _qlinear_matmul(elements: tuple[int, ...], per_row: bool) -> Case:
    scale, a, b, y = elements
    own = [None] if per_row else []
    inputs = [
        ("a", a, [None, None]), ("sa", scale, own), ("za", a, own),
        ("b", b, [None, None]), ("sb", scale, own), ("zb", b, own),
        ("sy", scale, []), ("zy", y, []),
    ]  # fmt: skip
    return Case("QLinearMatMul", inputs, y, 2)


@pytest.mark.parametrize("elements", QLINEAR, ids=str)
@BUDGET
@given(st.tuples(sizes, sizes, sizes), st.booleans(), seeds)
def test_qlinear_matmul(
    elements: tuple[int, ...], drawn: tuple[int, int, int], per_row: bool, seed: int
) -> None:
    scale, a, b, y = elements
    m, n, k = drawn
    rows, columns = ((m,), (n,)) if per_row else ((), ())
    feeds = {
        "a": numbers(a, (m, k), seed), "sa": scales(scale, rows, seed + 1),
        "za": numbers(a, rows, seed + 2), "b": numbers(b, (k, n), seed + 3),
        "sb": scales(scale, columns, seed + 4), "zb": numbers(b, columns, seed + 5),
        "sy": scales(scale, (), seed + 6, 10), "zy": numbers(y, (), seed + 7),
    }  # fmt: skip
    case = _qlinear_matmul(elements, per_row)
    ours = case.run(feeds)
    check(ours, qlinear_matmul(feeds))
    is_even = y in (INT8, UINT8) and feeds["zy"] % 2 == 0
    if not per_row and is_even and {a, b} <= {INT8, UINT8} and scale == TensorProto.FLOAT:
        check(ours, case.reference(feeds))


def test_ties_are_rounded_before_the_zero_point_is_added() -> None:
    case = _qlinear_matmul(QLINEAR[0], False)
    one = np.float32(1)
    feeds = {
        "a": np.arange(6, dtype=np.uint8)[:, None], "sa": one, "za": np.uint8(0),
        "b": np.ones((1, 1), np.int8), "sb": one, "zb": np.int8(0),
        "sy": np.float32(2), "zy": np.uint8(7),
    }  # fmt: skip
    expected = np.uint8([[7], [7], [8], [9], [9], [9]])
    check(case.run({k: np.asarray(v) for k, v in feeds.items()}), expected)


# --- convolutions --------------------------------------------------------------------------------


class Geometry:
    """A convolution with other attributes for each rank."""

    def __init__(self, rank: int, group: int, channels: int, features: int) -> None:
        self.rank, self.group = rank, group
        self.channels, self.features = channels, features
        self.kernel = (3, 2, 1)[:rank]
        self.strides = [2, 1, 1][:rank]
        self.dilations = [1, 2, 1][:rank]
        self.pads = [1, 0, 2][:rank] + [0, 2, 1][:rank]

    @property
    def attributes(self) -> dict[str, object]:
        return {
            "group": self.group, "strides": self.strides, "dilations": self.dilations,
            "pads": self.pads,
        }  # fmt: skip

    @property
    def weights(self) -> tuple[int, ...]:
        return (self.features, self.channels // self.group, *self.kernel)

    def model(self, x: np.ndarray, w: np.ndarray, zx: np.ndarray, zw: np.ndarray) -> np.ndarray:
        """The sums in int64, by the standard."""
        own = zw.reshape(-1, *[1] * (w.ndim - 1)) if zw.ndim else zw
        x, w = _bytes(x) - _bytes(zx), _bytes(w) - _bytes(own)
        return convolve(x, w, self.pads, self.strides, self.dilations, self.group)


GEOMETRIES = [
    Geometry(1, 1, 3, 2), Geometry(2, 1, 2, 5), Geometry(3, 1, 2, 3), Geometry(2, 2, 4, 6),
    Geometry(2, 4, 4, 4), Geometry(1, 3, 3, 3), Geometry(3, 2, 2, 4),
]  # fmt: skip
extents = st.sampled_from([3, 4, 7, 12])


def _name(geometry: Geometry) -> str:
    return f"{geometry.rank}d-{geometry.group}groups-{geometry.features}features"


@cache
def _conv_integer(geometry: Geometry, x: int, w: int, per_feature: bool, is_open: bool) -> Case:
    rank = geometry.rank + 2
    inputs = [
        ("x", x, [None] * rank if is_open else [None, geometry.channels, *[None] * geometry.rank]),
        ("w", w, [None] * rank if is_open else geometry.weights),
        ("zx", x, []),
        ("zw", w, [None] if per_feature else []),
    ]
    return Case("ConvInteger", inputs, INT32, rank, **geometry.attributes)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=_name)
@pytest.mark.parametrize("elements", [(UINT8, INT8), (INT8, UINT8)], ids=str)
@examples(6, HealthCheck.too_slow, HealthCheck.filter_too_much)
@given(st.booleans(), st.booleans(), st.tuples(extents, extents, extents), seeds)
def test_conv_integer(
    geometry: Geometry,
    elements: tuple[int, int],
    per_feature: bool,
    is_open: bool,
    drawn: tuple[int, int, int],
    seed: int,
) -> None:
    x, w = elements
    case = _conv_integer(geometry, x, w, per_feature, is_open)
    features = (geometry.features,) if per_feature else ()
    feeds = {
        "x": numbers(x, (1 + seed % 2, geometry.channels, *drawn[: geometry.rank]), seed),
        "w": numbers(w, geometry.weights, seed + 1),
        "zx": numbers(x, (), seed + 2),
        "zw": numbers(w, features, seed + 3),
    }
    check(case.run(feeds), _wrap(geometry.model(**feeds)))
    if not per_feature:
        check(case.run(feeds), case.reference(feeds))


@cache
def _qlinear_conv(geometry: Geometry, x: int, w: int, y: int, per_feature: bool) -> Case:
    own = [None] if per_feature else []
    scale = TensorProto.FLOAT
    inputs = [
        ("x", x, [None, geometry.channels, *[None] * geometry.rank]), ("sx", scale, []),
        ("zx", x, []), ("w", w, geometry.weights), ("sw", scale, own), ("zw", w, own),
        ("sy", scale, []), ("zy", y, []), ("bias", INT32, [geometry.features]),
    ]  # fmt: skip
    return Case("QLinearConv", inputs, y, geometry.rank + 2, **geometry.attributes)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=_name)
@pytest.mark.parametrize("elements", [(UINT8, INT8, UINT8), (INT8, INT8, INT8)], ids=str)
@examples(6, HealthCheck.too_slow, HealthCheck.filter_too_much)
@given(st.booleans(), st.tuples(extents, extents, extents), seeds)
def test_qlinear_conv(
    geometry: Geometry,
    elements: tuple[int, int, int],
    per_feature: bool,
    drawn: tuple[int, int, int],
    seed: int,
) -> None:
    x, w, y = elements
    case = _qlinear_conv(geometry, x, w, y, per_feature)
    own = (geometry.features,) if per_feature else ()
    feeds = {
        "x": numbers(x, (1 + seed % 2, geometry.channels, *drawn[: geometry.rank]), seed),
        "sx": scales(TensorProto.FLOAT, (), seed + 1), "zx": numbers(x, (), seed + 2),
        "w": numbers(w, geometry.weights, seed + 3),
        "sw": scales(TensorProto.FLOAT, own, seed + 4), "zw": numbers(w, own, seed + 5),
        "sy": scales(TensorProto.FLOAT, (), seed + 6, 30), "zy": numbers(y, (), seed + 7),
        "bias": np.random.default_rng(seed).integers(-9999, 9999, geometry.features, np.int32),
    }  # fmt: skip
    spread = (-1, *[1] * geometry.rank)
    total = geometry.model(feeds["x"], feeds["w"], feeds["zx"], feeds["zw"])
    total += feeds["bias"].reshape(spread)
    scale = feeds["sx"] * feeds["sw"] / feeds["sy"]
    scale = scale.reshape(spread) if per_feature else scale
    ours = case.run(feeds)
    check(ours, _requantize(total, scale, feeds["zy"]))
    if feeds["zy"] % 2 == 0 and (not per_feature or geometry.rank == 2):
        check(ours, case.reference(feeds))


@pytest.mark.parametrize("auto_pad", ["VALID", "SAME_UPPER", "SAME_LOWER"])
def test_conv_integer_pads_automatically(auto_pad: str) -> None:
    inputs = [("x", UINT8, [None] * 4), ("w", INT8, [3, 2, 2, 3]), ("zx", UINT8, [])]
    case = Case("ConvInteger", inputs, INT32, 4, auto_pad=auto_pad, strides=[2, 3])
    feeds = {
        "x": numbers(UINT8, (2, 2, 7, 8), 1), "w": numbers(INT8, (3, 2, 2, 3), 2),
        "zx": np.asarray(np.uint8(131)),
    }  # fmt: skip
    check(case.run(feeds), case.reference(feeds))
