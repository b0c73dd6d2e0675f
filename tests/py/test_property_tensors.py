"""Operators on shapes and types that nobody thinks of, against onnx's reference evaluator.

Each operator is compiled once for an element type and ranks, with all dimensions open, and run on
many shapes: hypothesis draws sizes of 0 and 1 more often than others, and broadcasting pairs.

Tolerances. Moved data, integers, comparisons and what IEEE 754 rounds correctly (+, -, *, /, sqrt,
abs, negation) must agree bit by bit, NaN with NaN; for bfloat16 and float16 these are calculated in
float32 and rounded once, which gives the correctly rounded result for each of them. The
transcendental functions may differ by a few units in the last place of the element type, relative
to the larger of the result and 1: libraries differ by that, and close to a zero of the cosine the
reduction of the argument alone costs as much in float32.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from functools import cache, cached_property

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import HealthCheck, assume, example, given
from hypothesis import strategies as st
from models.joined import Together
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

BUDGET = examples(13, HealthCheck.filter_too_much)

INTEGERS = {
    TensorProto.INT8: np.int8,
    TensorProto.INT16: np.int16,
    TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT8: np.uint8,
    TensorProto.UINT16: np.uint16,
    TensorProto.UINT32: np.uint32,
    TensorProto.UINT64: np.uint64,
}
FLOATS = {
    TensorProto.FLOAT16: np.float16,
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
}
DTYPES = {TensorProto.BOOL: np.bool_, **INTEGERS, **FLOATS}
ULPS = 4

Shape = tuple[int, ...]


class Case:
    """A model compiled for open dimensions, and the reference for it."""

    def __init__(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: dict[str, tuple[int, int | list[int]]],
        outputs: dict[str, tuple[int, int]],
        constants: dict[str, np.ndarray] | None = None,
    ) -> None:
        """inputs, outputs: name -> element type and rank, or dimensions."""
        infos = (
            [
                small_models.tensor(
                    name, element, rank if isinstance(rank, list) else [None] * rank
                )
                for name, (element, rank) in tensors.items()
            ]
            for tensors in (inputs, outputs)
        )
        self.model = small_models.model(nodes, *infos, constants, opset=22)
        self.names = list(outputs)
        self._reference = ReferenceEvaluator(self.model)

    @cached_property
    def session(self) -> omb.InferenceSession:
        return omb.InferenceSession(self.model, ["cpu"], threads=1)

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.names, self.session.run(None, feeds), strict=True))

    def check(self, feeds: dict[str, np.ndarray], ulps: int = 0) -> None:
        self.compare(feeds, self.run(feeds), ulps)

    def compare(
        self, feeds: dict[str, np.ndarray], found: dict[str, np.ndarray], ulps: int, where: str = ""
    ) -> None:
        """What was found, with what the reference gives."""
        with np.errstate(all="ignore"):
            expected = self._reference.run(None, feeds)
        for (name, ours), theirs in zip(found.items(), expected, strict=True):
            assert_close(where + name, ours, np.asarray(theirs), ulps)


class Cases:
    """Cases that are compiled as one, and run at once; each has a key that says which it is."""

    def __init__(self, cases: Mapping[Hashable, Case]) -> None:
        self._cases = cases
        models = [case.model for case in cases.values()]
        self._session = Together(models, providers=["cpu"], threads=1)

    def run(
        self, feeds: Mapping[Hashable, dict[str, np.ndarray]]
    ) -> dict[Hashable, dict[str, np.ndarray]]:
        found = self._session.run([feeds[key] for key in self._cases])
        return {
            key: dict(zip(case.names, arrays, strict=True))
            for (key, case), arrays in zip(self._cases.items(), found, strict=True)
        }

    def check(self, feeds: Mapping[Hashable, dict[str, np.ndarray]], ulps: int = 0) -> None:
        for key, found in self.run(feeds).items():
            self._cases[key].compare(feeds[key], found, ulps, f"{key}: ")

    def run_all(self, feeds: dict[str, np.ndarray]) -> dict[Hashable, dict[str, np.ndarray]]:
        """Of cases with the same inputs."""
        return self.run(dict.fromkeys(self._cases, feeds))

    def check_all(self, feeds: dict[str, np.ndarray], ulps: int = 0) -> None:
        self.check(dict.fromkeys(self._cases, feeds), ulps)


def assert_close(name: str, ours: np.ndarray, theirs: np.ndarray, ulps: int = 0) -> None:
    assert ours.dtype == theirs.dtype, name
    assert ours.shape == theirs.shape, name
    if not ulps:
        np.testing.assert_array_equal(_wide(ours), _wide(theirs), err_msg=name)
        return
    limits = ml_dtypes.finfo(ours.dtype)
    np.testing.assert_allclose(
        _wide(ours),
        _wide(theirs),
        rtol=ulps * float(limits.eps),
        atol=ulps * float(limits.eps),
        equal_nan=True,
        err_msg=name,
    )


def _wide(array: np.ndarray) -> np.ndarray:
    """As float64, where numpy can't compare the type itself."""
    return array.astype(np.float64) if array.dtype == ml_dtypes.bfloat16 else array


def values(dtype: type, shape: Shape, seed: int) -> np.ndarray:
    """Bit patterns for integers; for floats ordinary numbers with extreme ones between them."""
    generator = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return generator.integers(0, 2, shape).astype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return generator.integers(limits.min, limits.max, shape, kind, endpoint=True)
    array = (generator.standard_normal(shape) * 4).astype(np.float32)
    special = np.float32([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 0.5, 2, 3e4, -3e4])
    mask = generator.random(shape) < 0.25
    return np.where(mask, generator.choice(special, shape), array).astype(dtype)


sizes = st.sampled_from([0, 1, 1, 2, 3, 5, 17])
seeds = st.integers(0, 2**32 - 1)


def shapes(rank: int) -> st.SearchStrategy[Shape]:
    return st.tuples(*[sizes] * rank)


@st.composite
def broadcasting(draw: st.DrawFn, ranks: tuple[int, int]) -> tuple[Shape, Shape]:
    """Two shapes of these ranks that broadcast."""
    full = draw(shapes(max(ranks)))
    pair = []
    for rank in ranks:
        tail = full[len(full) - rank :]
        ones = draw(st.tuples(*[st.booleans()] * rank))
        pair.append(tuple(1 if one else size for one, size in zip(ones, tail, strict=True)))
    return pair[0], pair[1]


# --- elementwise --------------------------------------------------------------------------------

RANKS = ((0, 0), (1, 1), (3, 3), (5, 5), (0, 4), (2, 5), (4, 1))


@cache
def subtraction(ranks: tuple[int, int]) -> Case:
    return Case(
        [helper.make_node("Sub", ["a", "b"], ["out"])],
        {name: (TensorProto.FLOAT, rank) for name, rank in zip("ab", ranks, strict=True)},
        {"out": (TensorProto.FLOAT, max(ranks))},
    )


@pytest.mark.parametrize("ranks", RANKS, ids=str)
@BUDGET
@given(data=st.data(), seed=seeds)
def test_broadcasting(ranks: tuple[int, int], data: st.DataObject, seed: int) -> None:
    a, b = data.draw(broadcasting(ranks))
    feeds = {"a": values(np.float32, a, seed), "b": values(np.float32, b, seed + 1)}
    subtraction(ranks).check(feeds)


@pytest.mark.parametrize("ranks", [(1, 1), (2, 5)], ids=str)
@BUDGET
@given(data=st.data())
def test_shapes_that_do_not_broadcast_are_refused(
    ranks: tuple[int, int], data: st.DataObject
) -> None:
    """Open dimensions are compared when the model runs, not read beyond an array's end."""
    a, b = data.draw(shapes(ranks[0])), data.draw(shapes(ranks[1]))
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        assume(0 not in (*a, *b))
        feeds = {"a": np.ones(a, np.float32), "b": np.ones(b, np.float32)}
        with pytest.raises(omb.OmbError):
            subtraction(ranks).run(feeds)


def allows(operator: str, element: int) -> bool:
    name = f"tensor({TensorProto.DataType.Name(element).lower()})"
    schema = onnx.defs.get_schema(operator, 22)
    kind = next(i.type_str for i in schema.inputs if i.name not in ("condition",))
    found = [t for t in schema.type_constraints if t.type_param_str == kind]
    return name in found[0].allowed_type_strs


BINARY = ("Add", "Sub", "Mul", "Max", "Min", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "And", "Xor")
COMPARING = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
UNARY = ("Identity", "Abs", "Neg", "Sign", "Relu", "Not", "BitwiseNot", "Floor", "Ceil", "Round")


@cache
def exact(element: int) -> Case:
    """All operators with exact results that take the type, in one model: a and b broadcast."""
    nodes, outputs = [], {}
    for operator in (*BINARY, *COMPARING, *UNARY):
        if allows(operator, element):
            inputs = ["a"] if operator in UNARY else ["a", "b"]
            nodes.append(helper.make_node(operator, inputs, [operator]))
            outputs[operator] = (TensorProto.BOOL if operator in COMPARING else element, 2)
    if allows("Where", element):
        nodes.append(helper.make_node("Where", ["mask", "a", "b"], ["Where"]))
        outputs["Where"] = (element, 2)
    inputs = {"a": (element, 2), "b": (element, 1), "mask": (TensorProto.BOOL, 1)}
    return Case(nodes, inputs, outputs)


@pytest.mark.parametrize("element", DTYPES, ids=TensorProto.DataType.Name)
@BUDGET
@given(pair=broadcasting((2, 1)), seed=seeds)
def test_exact_operators(element: int, pair: tuple[Shape, Shape], seed: int) -> None:
    a, b = pair
    feeds = {
        "a": values(DTYPES[element], a, seed),
        "b": values(DTYPES[element], b, seed + 1),
        "mask": values(np.bool_, b, seed + 2),
    }
    exact(element).check(feeds)


def division(element: int) -> Case:
    mod = [helper.make_node("Mod", ["a", "b"], ["mod"], fmod=0)] if element in INTEGERS else []
    outputs = {"div": (element, 1)} | ({"mod": (element, 1)} if mod else {})
    nodes = [helper.make_node("Div", ["a", "b"], ["div"]), *mod]
    return Case(nodes, {"a": (element, 1), "b": (element, 1)}, outputs)


@cache
def divisions() -> Cases:
    return Cases({element: division(element) for element in {**INTEGERS, **FLOATS}})


def quotients(element: int, a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    if element in FLOATS:
        with np.errstate(all="ignore"):
            return {"div": a / b}
    whole = [abs(int(x)) // abs(int(y)) for x, y in zip(a, b, strict=True)]
    signs = [-1 if (x < 0) != (y < 0) else 1 for x, y in zip(a, b, strict=True)]
    div = np.array([q * s for q, s in zip(whole, signs, strict=True)], a.dtype)
    return {"div": div, "mod": np.mod(a, b)}


@BUDGET
@given(size=sizes, seed=seeds)
def test_division(size: int, seed: int) -> None:
    """Quotients of integers are cut off towards zero, and Mod has the sign of the divisor."""
    feeds = {}
    for element in {**INTEGERS, **FLOATS}:
        dtype = DTYPES[element]
        a, b = values(dtype, (size,), seed), values(dtype, (size,), seed + 1)
        if element in INTEGERS:
            b = np.where((b == 0) | (b == -1), dtype(3), b)  # n / 0, min / -1
        feeds[element] = {"a": a, "b": b}
    for element, found in divisions().run(feeds).items():
        expected = quotients(element, **feeds[element])
        for name, out in found.items():
            assert_close(f"{TensorProto.DataType.Name(element)} {name}", out, expected[name])


TRANSCENDENTAL = ("Exp", "Sin", "Cos", "Tanh", "Sigmoid", "Erf", "Atan", "Softplus", "Asinh")
POSITIVE = ("Log", "Sqrt")


def transcendental(element: int) -> Case:
    ops = [(op, "x") for op in TRANSCENDENTAL] + [(op, "p") for op in POSITIVE]
    nodes = [helper.make_node(op, [x], [op]) for op, x in ops]
    return Case(nodes, {"x": (element, 1), "p": (element, 1)}, {op: (element, 1) for op, _ in ops})


@cache
def transcendentals() -> Cases:
    return Cases({element: transcendental(element) for element in FLOATS})


@BUDGET
@given(size=sizes, seed=seeds)
def test_transcendental_functions(size: int, seed: int) -> None:
    """Of all float types, against double precision."""
    feeds = {}
    for element, dtype in FLOATS.items():
        generator = np.random.default_rng(seed)
        x = (generator.standard_normal(size) * 4).astype(dtype)
        p = np.exp(generator.standard_normal(size) * 2).astype(dtype)
        feeds[element] = {"x": x, "p": p}
    for element, found in transcendentals().run(feeds).items():
        wide = feeds[element]["x"].astype(np.float64)
        positive = feeds[element]["p"].astype(np.float64)
        expected = {
            "Exp": np.exp(wide),
            "Sin": np.sin(wide),
            "Cos": np.cos(wide),
            "Tanh": np.tanh(wide),
            "Sigmoid": 1 / (1 + np.exp(-wide)),
            "Erf": np.array([math.erf(v) for v in wide]),
            "Atan": np.arctan(wide),
            "Softplus": np.log1p(np.exp(wide)),
            "Asinh": np.arcsinh(wide),
            "Log": np.log(positive),
            "Sqrt": np.sqrt(positive),
        }
        for name, out in found.items():
            where = f"{TensorProto.DataType.Name(element)} {name}"
            assert_close(where, out, expected[name].astype(FLOATS[element]), ULPS)


# --- moving data --------------------------------------------------------------------------------

MOVED = {**DTYPES, TensorProto.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn}


@cache
def moving(element: int) -> Case:
    """The operators that move data, each on x of three dimensions."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["transposed"], perm=[2, 0, 1]),
        helper.make_node("Reshape", ["x", "shape"], ["reshaped"], allowzero=1),
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
    ]
    outputs = {"transposed": (element, 3), "reshaped": (element, 2), "flat": (element, 2)}
    inputs = {"x": (element, 3), "shape": (TensorProto.INT64, [2])}
    if element in DTYPES:
        nodes.append(helper.make_node("Concat", ["x", "y", "x"], ["joined"], axis=-2))
        nodes.append(helper.make_node("Gather", ["x", "indices"], ["gathered"], axis=1))
        outputs |= {"joined": (element, 3), "gathered": (element, 4)}
        inputs |= {"y": (element, 3), "indices": (TensorProto.INT64, 2)}
    return Case(nodes, inputs, outputs)


@pytest.mark.parametrize("element", MOVED, ids=TensorProto.DataType.Name)
@BUDGET
@given(shape=shapes(3), extra=sizes, indices=shapes(2), seed=seeds)
@example(shape=(0, 1, 0), extra=0, indices=(0, 0), seed=0)
def test_moving_data(element: int, shape: Shape, extra: int, indices: Shape, seed: int) -> None:
    dtype = MOVED[element]
    x = values(dtype, shape, seed)
    target = np.array([shape[2], shape[0] * shape[1]], np.int64)
    feeds = {"x": x, "shape": target}
    expected = {
        "transposed": x.transpose(2, 0, 1),
        "reshaped": x.reshape(target),
        "flat": x.reshape(shape[0], shape[1] * shape[2]),
    }
    if element in DTYPES:
        y = values(dtype, (shape[0], extra, shape[2]), seed + 1)
        if shape[1] == 0:
            indices = (0, 2)  # nothing to choose from
        at = np.random.default_rng(seed).integers(-shape[1], max(shape[1], 1), indices)
        feeds |= {"y": y, "indices": at}
        expected |= {"joined": np.concatenate([x, y, x], -2), "gathered": np.take(x, at, 1)}
    for name, out in moving(element).run(feeds).items():
        assert out.dtype == x.dtype, name
        assert out.shape == expected[name].shape, name
        assert out.tobytes() == expected[name].tobytes(), name


@cache
def reshape(rank: int, allowzero: int) -> Case:
    node = helper.make_node("Reshape", ["x", "shape"], ["out"], allowzero=allowzero)
    inputs = {"x": (TensorProto.INT32, 3), "shape": (TensorProto.INT64, [rank])}
    return Case([node], inputs, {"out": (TensorProto.INT32, rank)})


@pytest.mark.parametrize("rank", [0, 1, 2, 4])
@BUDGET
@given(data=st.data(), seed=seeds)
def test_reshape_to_computed_shapes(rank: int, data: st.DataObject, seed: int) -> None:
    """One target dimension may be -1; with allowzero a 0 is a size."""
    target = list(data.draw(st.permutations([*data.draw(shapes(rank))])))
    count = math.prod(target)
    shape = data.draw(st.permutations([count, 1, 1])) if count else (0, *data.draw(shapes(2)))
    if rank and count and data.draw(st.booleans()):
        target[data.draw(st.integers(0, rank - 1))] = -1
    x = values(np.int32, tuple(shape), seed)
    feeds = {"x": x, "shape": np.array(target, np.int64).reshape(rank)}
    (out,) = reshape(rank, 1).run(feeds).values()
    np.testing.assert_array_equal(out, x.reshape(target))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([-1, -1], "several sizes of -1"),
        ([-2, -6], "negative size"),
        ([-2, -1], "negative size"),
        ([5, -1], "another number of elements"),
        ([2**62, 4], "another number of elements"),
    ],
)
def test_reshape_to_what_is_no_shape(target: list[int], message: str) -> None:
    feeds = {"x": values(np.int32, (3, 2, 2), 0), "shape": np.array(target)}
    with pytest.raises(omb.OmbError, match=message):
        reshape(2, 1).run(feeds)


def test_numbers_below_the_normal_ones_have_a_sign_or_none() -> None:
    """CPUs take them for zero, so that Sign gives 0; it never gives themselves."""
    node = helper.make_node("Sign", ["x"], ["y"])
    for element, tiny in ((TensorProto.FLOAT, 1e-40), (TensorProto.DOUBLE, 1e-310)):
        dtype = helper.tensor_dtype_to_np_dtype(element)
        case = Case([node], {"x": (element, [5])}, {"y": (element, [5])})
        (signs,) = case.run({"x": np.array([tiny, -tiny, -3, np.nan, -0.0], dtype)}).values()
        assert set(signs[:2]) <= {-1, 0, 1}
        np.testing.assert_array_equal(signs[2:], np.array([-1, np.nan, 0], dtype))


def test_sums_over_no_channels_are_the_bias() -> None:
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"])
    inputs = {"x": (TensorProto.FLOAT, [1, 0, 4, 4])}
    constants = {"w": np.zeros((2, 0, 3, 3), np.float32), "b": np.array([1, 2], np.float32)}
    case = Case([node], inputs, {"y": (TensorProto.FLOAT, [1, 2, 2, 2])}, constants)
    (found,) = case.run({"x": np.zeros((1, 0, 4, 4), np.float32)}).values()
    np.testing.assert_array_equal(found, np.broadcast_to([[[[1]], [[2]]]], (1, 2, 2, 2)))


@cache
def slicing(rank: int) -> Case:
    names = ("starts", "ends", "axes", "steps")
    node = helper.make_node("Slice", ["x", *names], ["out"])
    inputs = {"x": (TensorProto.INT16, rank), "starts": (TensorProto.INT64, 1)}
    inputs |= {"ends": (TensorProto.INT64, 1)}
    constants = {"axes": np.arange(-rank, 0)}
    inputs |= {"steps": (TensorProto.INT64, 1)}
    return Case([node], inputs, {"out": (TensorProto.INT16, rank)}, constants)


BOUNDS = st.one_of(st.integers(-20, 20), st.sampled_from([2**63 - 1, -(2**63), 2**31, -(2**31)]))


def selected(size: int, start: int, end: int, step: int) -> list[int]:
    """The indices that Slice takes, in the words of the standard; a start is always clamped."""
    start, end = (bound + size if bound < 0 else bound for bound in (start, end))
    if step > 0:
        chosen = range(min(max(start, 0), size), min(max(end, 0), size), step)
    else:
        chosen = range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)
    return list(chosen)


@pytest.mark.parametrize("rank", [1, 2, 4])
@BUDGET
@given(data=st.data(), seed=seeds)
def test_slice(rank: int, data: st.DataObject, seed: int) -> None:
    """Bounds beyond the ends, negative and large steps, all computed."""
    x = values(np.int16, data.draw(shapes(rank)), seed)
    numbers = st.lists(BOUNDS, min_size=rank, max_size=rank)
    starts, ends = data.draw(numbers), data.draw(numbers)
    step = st.one_of(st.integers(-5, -1), st.integers(1, 5), st.sampled_from([2**62, -(2**62)]))
    steps = data.draw(st.lists(step, min_size=rank, max_size=rank))
    feeds = {"x": x}
    for name, numbers in (("starts", starts), ("ends", ends), ("steps", steps)):
        feeds[name] = np.array(numbers, np.int64)
    (out,) = slicing(rank).run(feeds).values()
    bounds = zip(x.shape, starts, ends, steps, strict=True)
    expected = x[np.ix_(*(np.array(selected(*each), np.int64) for each in bounds))]
    np.testing.assert_array_equal(out, expected)
