"""Products of quantized tensors on shapes and parameters that nobody thinks of.

The expected numbers are those of a model of the standard in int64 and float64, not of onnx's
reference evaluator, which doesn't subtract zero points for each row, takes float8 for integers, and
rounds after adding the zero point: the standard says before. Where the evaluator does what the
standard says, both are compared. Everything must agree bit by bit.

The cases of a test are compiled as one model: see models/joined.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from itertools import product

import ml_dtypes
import numpy as np
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from models.joined import Together
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

BUDGET = examples(6, HealthCheck.filter_too_much)

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
    """An op with all dimensions open, or with the shapes that it gets."""

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

    @cached_property
    def session(self) -> omb.InferenceSession:
        return omb.InferenceSession(self.model, ["cpu"], threads=1)

    def run(self, feeds: Tensors) -> np.ndarray:
        return self.session.run(None, feeds)[0]

    def reference(self, feeds: Tensors) -> np.ndarray:
        return ReferenceEvaluator(self.model).run(None, feeds)[0]


def together(cases: Sequence[Case]) -> Together:
    return Together([case.model for case in cases], providers=["cpu"], threads=1)


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


def check(ours: np.ndarray, theirs: np.ndarray, message: str = "") -> None:
    assert ours.dtype == theirs.dtype, message
    assert ours.shape == theirs.shape, message
    wide = ours.astype(np.float64), theirs.astype(np.float64)
    np.testing.assert_array_equal(*wide, err_msg=message)


# --- matrices ------------------------------------------------------------------------------------

RANKS = [(2, 2), (1, 2), (2, 1), (1, 1), (3, 2), (3, 4)]


# What is subtracted for each row or column is widened alike for all types, so that these ranks are
# each with some of them.
PER_ROW = {
    (INT8, INT8): [(1, 2), (2, 1)],
    (UINT8, INT8): [(2, 2)],
    (UINT8, UINT8): [(3, 2), (3, 4)],
}


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


@cache
def _matmuls_integer(elements: tuple[int, int]) -> tuple[Together, list[Case]]:
    kinds = [*product(RANKS, [False]), *product(PER_ROW[elements], [True])]
    cases = [_matmul_integer(ranks, *elements, per_row) for ranks, per_row in kinds]
    return together(cases), cases


@pytest.mark.parametrize("elements", PER_ROW, ids=str)
@examples(12, HealthCheck.filter_too_much)
@given(st.lists(sizes, min_size=5, max_size=5), st.booleans(), seeds)
def test_matmul_integer(elements: tuple[int, int], drawn: list[int], unit: bool, seed: int) -> None:
    """Of all ranks, with zero points of all elements, and of each row and column."""
    m, n, k, outer, inner = drawn
    session, cases = _matmuls_integer(elements)
    every = []
    for case in cases:
        ranks = [len(value.type.tensor_type.shape.dim) for value in case.model.graph.input]
        a_shape = (inner, m, k)[-ranks[0] :]
        b_shape = (outer, 1 if unit else inner, k, n)[-ranks[1] :] if ranks[1] > 1 else (k,)
        feeds = {"a": numbers(elements[0], a_shape, seed)}
        feeds["b"] = numbers(elements[1], b_shape, seed + 1)
        feeds["za"] = numbers(elements[0], (m,)[: ranks[2]], seed + 2)
        feeds["zb"] = numbers(elements[1], (n,)[: ranks[3]], seed + 3)
        every.append(feeds)
    for case, feeds, (ours,) in zip(cases, every, session.run(every), strict=True):
        shapes = str({name: array.shape for name, array in feeds.items()})
        check(ours, matmul_integer(feeds["a"], feeds["b"], feeds["za"], feeds["zb"]), shapes)
        if feeds["za"].ndim == feeds["zb"].ndim == 0:
            check(ours, case.reference(feeds), shapes)


def test_matmul_integer_zero_points_of_batches() -> None:
    """With known shapes, and open ones but for the size of sums, which saves seconds."""
    shapes = {"a": (2, 1, 3, 5), "b": (4, 5, 2), "za": (2, 1, 3, 1), "zb": (4, 1, 2)}
    known = [(name, UINT8, shape) for name, shape in shapes.items()]
    opened = [(name, UINT8, [None] * len(shape)) for name, shape in shapes.items()]
    opened[:2] = [("a", UINT8, [None, None, None, 5]), ("b", UINT8, [None, 5, None])]
    cases = [Case("MatMulInteger", inputs, INT32, 4) for inputs in (known, opened)]
    feeds = {name: numbers(UINT8, shape, 7) for name, shape in shapes.items()}
    expected = _wrap(
        (_bytes(feeds["a"]) - _bytes(feeds["za"])) @ (_bytes(feeds["b"]) - _bytes(feeds["zb"]))
    )
    for (ours,) in together(cases).run([feeds, feeds]):
        check(ours, expected)


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


# A product of which all sizes are open, with parameters for each row, takes four times as long to
# compile as one whose columns are counted. Types that others stand for have that many columns.
COLUMNS = dict.fromkeys([QLINEAR[1], QLINEAR[2], QLINEAR[3], QLINEAR[6]], 3)


def _qlinear_matmul(elements: tuple[int, ...], per_row: bool) -> Case:
    scale, a, b, y = elements
    columns = COLUMNS.get(elements) if per_row else None
    rows, own = ([None], [columns]) if per_row else ([], [])
    inputs = [
        ("a", a, [None, None]), ("sa", scale, rows), ("za", a, rows),
        ("b", b, [None, columns]), ("sb", scale, own), ("zb", b, own),
        ("sy", scale, []), ("zy", y, []),
    ]  # fmt: skip
    return Case("QLinearMatMul", inputs, y, 2)


@cache
def _qlinear_matmuls(elements: tuple[int, ...]) -> tuple[Together, list[Case]]:
    cases = [_qlinear_matmul(elements, per_row) for per_row in (False, True)]
    return together(cases), cases


def _qlinear_feeds(
    elements: tuple[int, ...], m: int, n: int, k: int, per_row: bool, seed: int
) -> Tensors:
    scale, a, b, y = elements
    rows, columns = ((m,), (n,)) if per_row else ((), ())
    return {
        "a": numbers(a, (m, k), seed), "sa": scales(scale, rows, seed + 1),
        "za": numbers(a, rows, seed + 2), "b": numbers(b, (k, n), seed + 3),
        "sb": scales(scale, columns, seed + 4), "zb": numbers(b, columns, seed + 5),
        "sy": scales(scale, (), seed + 6, 10), "zy": numbers(y, (), seed + 7),
    }  # fmt: skip


@pytest.mark.parametrize("elements", QLINEAR, ids=str)
@BUDGET
@given(st.tuples(sizes, sizes, sizes), seeds)
def test_qlinear_matmul(elements: tuple[int, ...], drawn: tuple[int, int, int], seed: int) -> None:
    """With parameters of all elements, and of each row and column."""
    scale, a, b, y = elements
    m, n, k = drawn
    session, cases = _qlinear_matmuls(elements)
    every = [
        _qlinear_feeds(elements, m, n, k, False, seed),
        _qlinear_feeds(elements, m, COLUMNS.get(elements, n), k, True, seed),
    ]
    (ours,), (per_row,) = session.run(every)
    check(ours, qlinear_matmul(every[0]))
    check(per_row, qlinear_matmul(every[1]), "parameters for each row")
    is_even = y in (INT8, UINT8) and every[0]["zy"] % 2 == 0
    if is_even and {a, b} <= {INT8, UINT8} and scale == TensorProto.FLOAT:
        check(ours, cases[0].reference(every[0]))


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


def _conv_integer(geometry: Geometry, x: int, w: int, per_feature: bool, is_open: bool) -> Case:
    rank = geometry.rank + 2
    inputs = [
        ("x", x, [None] * rank if is_open else [None, geometry.channels, *[None] * geometry.rank]),
        ("w", w, [None] * rank if is_open else geometry.weights),
        ("zx", x, []),
        ("zw", w, [None] if per_feature else []),
    ]
    return Case("ConvInteger", inputs, INT32, rank, **geometry.attributes)


@cache
def _convs_integer(x: int, w: int, per_feature: bool, is_open: bool) -> tuple[Together, list[Case]]:
    cases = [_conv_integer(geometry, x, w, per_feature, is_open) for geometry in GEOMETRIES]
    return together(cases), cases


@pytest.mark.parametrize(
    ("elements", "per_feature", "is_open"),
    [
        *product([(UINT8, INT8)], [False, True], [False, True]),
        # Of another type, bytes are widened in another way, and all else is the same.
        ((INT8, UINT8), False, True),
        ((INT8, UINT8), True, False),
    ],
)
@BUDGET
@given(st.tuples(extents, extents, extents), seeds)
def test_conv_integer(
    elements: tuple[int, int],
    per_feature: bool,
    is_open: bool,
    drawn: tuple[int, int, int],
    seed: int,
) -> None:
    """All geometries."""
    x, w = elements
    session, cases = _convs_integer(x, w, per_feature, is_open)
    every = [
        {
            "x": numbers(x, (1 + seed % 2, geometry.channels, *drawn[: geometry.rank]), seed),
            "w": numbers(w, geometry.weights, seed + 1),
            "zx": numbers(x, (), seed + 2),
            "zw": numbers(w, (geometry.features,) if per_feature else (), seed + 3),
        }
        for geometry in GEOMETRIES
    ]
    results = zip(GEOMETRIES, cases, every, session.run(every), strict=True)
    for geometry, case, feeds, (ours,) in results:
        check(ours, _wrap(geometry.model(**feeds)), _name(geometry))
        if not per_feature:
            check(ours, case.reference(feeds), _name(geometry))


def _qlinear_conv(geometry: Geometry, x: int, w: int, y: int, per_feature: bool) -> Case:
    own = [None] if per_feature else []
    scale = TensorProto.FLOAT
    inputs = [
        ("x", x, [None, geometry.channels, *[None] * geometry.rank]), ("sx", scale, []),
        ("zx", x, []), ("w", w, geometry.weights), ("sw", scale, own), ("zw", w, own),
        ("sy", scale, []), ("zy", y, []), ("bias", INT32, [geometry.features]),
    ]  # fmt: skip
    return Case("QLinearConv", inputs, y, geometry.rank + 2, **geometry.attributes)


@cache
def _qlinear_convs(
    elements: tuple[int, int, int], per_feature: bool
) -> tuple[Together, list[Case]]:
    cases = [_qlinear_conv(geometry, *elements, per_feature) for geometry in GEOMETRIES]
    return together(cases), cases


@pytest.mark.parametrize("per_feature", [False, True])
@pytest.mark.parametrize("elements", [(UINT8, INT8, UINT8), (INT8, INT8, INT8)], ids=str)
@BUDGET
@given(st.tuples(extents, extents, extents), seeds)
def test_qlinear_conv(
    elements: tuple[int, int, int], per_feature: bool, drawn: tuple[int, int, int], seed: int
) -> None:
    """All geometries."""
    x, w, y = elements
    session, cases = _qlinear_convs(elements, per_feature)
    every = []
    for geometry in GEOMETRIES:
        own = (geometry.features,) if per_feature else ()
        feeds = {
            "x": numbers(x, (1 + seed % 2, geometry.channels, *drawn[: geometry.rank]), seed),
            "sx": scales(TensorProto.FLOAT, (), seed + 1), "zx": numbers(x, (), seed + 2),
            "w": numbers(w, geometry.weights, seed + 3),
            "sw": scales(TensorProto.FLOAT, own, seed + 4), "zw": numbers(w, own, seed + 5),
            "sy": scales(TensorProto.FLOAT, (), seed + 6, 30), "zy": numbers(y, (), seed + 7),
            "bias": np.random.default_rng(seed).integers(-9999, 9999, geometry.features, np.int32),
        }  # fmt: skip
        every.append(feeds)
    results = zip(GEOMETRIES, cases, every, session.run(every), strict=True)
    for geometry, case, feeds, (ours,) in results:
        spread = (-1, *[1] * geometry.rank)
        total = geometry.model(feeds["x"], feeds["w"], feeds["zx"], feeds["zw"])
        total += feeds["bias"].reshape(spread)
        scale = feeds["sx"] * feeds["sw"] / feeds["sy"]
        scale = scale.reshape(spread) if per_feature else scale
        check(ours, _requantize(total, scale, feeds["zy"]), _name(geometry))
        if feeds["zy"] % 2 == 0 and (not per_feature or geometry.rank == 2):
            check(ours, case.reference(feeds), _name(geometry))


def test_conv_integer_pads_automatically() -> None:
    pads = ["VALID", "SAME_UPPER", "SAME_LOWER"]
    inputs = [("x", UINT8, [None] * 4), ("w", INT8, [3, 2, 2, 3]), ("zx", UINT8, [])]
    cases = [
        Case("ConvInteger", inputs, INT32, 4, auto_pad=auto_pad, strides=[2, 3])
        for auto_pad in pads
    ]
    feeds = {
        "x": numbers(UINT8, (2, 2, 7, 8), 1), "w": numbers(INT8, (3, 2, 2, 3), 2),
        "zx": np.asarray(np.uint8(131)),
    }  # fmt: skip
    results = together(cases).run([feeds] * len(cases))
    for auto_pad, case, (ours,) in zip(pads, cases, results, strict=True):
        check(ours, case.reference(feeds), auto_pad)


@pytest.mark.parametrize("shape", [(3,), (2, 3), ()])
def test_zeros_quantized_dynamically(shape: tuple[int, ...]) -> None:
    """Their range can't be divided by; ONNX Runtime's scale of them is 1."""
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    outputs = [
        helper.make_tensor_value_info("y", TensorProto.UINT8, shape),
        helper.make_tensor_value_info("scale", TensorProto.FLOAT, ()),
        helper.make_tensor_value_info("zero", TensorProto.UINT8, ()),
    ]
    graph = helper.make_graph([node], "g", [x], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    y, scale, zero = omb.InferenceSession(model).run(None, {"x": np.zeros(shape, np.float32)})
    np.testing.assert_array_equal(y, np.zeros(shape, np.uint8))
    assert (scale, zero) == (1, 0)


@pytest.mark.parametrize("element", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize(
    "precision", [0, TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16]
)
def test_precision_of_the_division(element: int, precision: int) -> None:
    """The factors and the quotient are rounded to it; by default it is the scale's type."""
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], precision=precision)
    infos = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("x", element, ["n"]),
            ("s", element, []),
            ("z", TensorProto.UINT16, []),
            ("y", TensorProto.UINT16, ["n"]),
        )
    ]
    graph = helper.make_graph([node], "g", infos[:3], infos[3:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    dtype = DTYPES[element]
    feeds = {
        "x": np.random.default_rng(0).uniform(-20000, 20000, 500).astype(dtype),
        "s": np.array(1.734375, dtype),
        "z": np.array(30000, np.uint16),
    }
    (ours,) = omb.InferenceSession(model).run(None, feeds)
    at = DTYPES[precision] if precision else dtype
    quotient = feeds["x"].astype(at) / feeds["s"].astype(at)
    np.testing.assert_array_equal(ours, np.rint(quotient.astype(np.float64)) + 30000)
