"""The kernels of attention against numpy in float64, and the operators against onnx's reference.

Queries, keys and values are around 1, and so are results: a sum of up to a thousand products in
f32 whose weights add up to 1 is within 1e-5. In f64, 1e-13.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnx.printer
import onnx_mlir_bridge as omb
import pytest
import small_models
from models.joined import Together, joined
from models.targets import needs_kernels
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

FLOAT, DOUBLE, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL
TOLERANCES = {np.float32: 1e-5, np.float64: 1e-13}
CPUS = ("host", "x86-64-v3")

pytestmark = needs_kernels


def _softmax(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf))
        return e / e.sum(-1, keepdims=True)


def _attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, bias: np.ndarray | float = 0, scale: float = 1
) -> np.ndarray:
    """Of [batch, heads, sequence, size], in float64."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    return _softmax(q @ k.swapaxes(-1, -2) * scale + bias) @ v


def _random(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(dtype)


def _check_kernels(compiled: omb.CompiledModel, kernels: int) -> None:
    """That there are so many kernels, and that no product is left."""
    text = compiled.emit("vector")
    assert text.count('"flow.dispatch"') == kernels
    assert "matmul" not in text


def _compile(model: onnx.ModelProto, kernels: int = 1, cpu: str = "host") -> omb.InferenceSession:
    compiled = omb.compile(model, fallback="error", cpu=cpu)
    _check_kernels(compiled, kernels)
    return omb.InferenceSession(compiled)


def _check(got: np.ndarray, right: np.ndarray, factor: float = 1, which: str = "") -> None:
    assert got.shape == right.shape, which
    atol = TOLERANCES[got.dtype.type] * factor
    np.testing.assert_allclose(got, right, rtol=0, atol=atol, err_msg=which)


def _together(models: Sequence[onnx.ModelProto], cpu: str = "host") -> Together:
    """Models of one kernel each, compiled as one."""
    compiled = omb.compile(joined(models), fallback="error", cpu=cpu)
    _check_kernels(compiled, len(models))
    return Together(models, compiled)


def _heads(name: str, order: Sequence[int] = (0, 2, 1, 3)) -> onnx.NodeProto:
    """[batch, sequence, heads, size] -> [batch, heads, sequence, size]."""
    return helper.make_node("Transpose", [name], [f"{name}_heads"], f"heads_{name}", perm=order)


def _exported(
    n: str = "",
    before: Sequence[onnx.NodeProto] = (),
    after: Sequence[onnx.NodeProto] = (),
    scores: str = "scores",
    probabilities: str = "p",
) -> list[onnx.NodeProto]:
    """Attention as exporters write it; `n` makes names differ.

    `before` makes `scores` of `raw`, and `after` `probabilities` of `p`.
    """
    q, k, v = f"q{n}", f"k{n}", f"v{n}"
    raw = f"raw{n}" if before else scores + n
    return [
        _heads(q),
        _heads(k, (0, 2, 3, 1)),
        _heads(v),
        helper.make_node("MatMul", [f"{q}_heads", f"{k}_heads"], [raw], f"scores{n}"),
        *before,
        helper.make_node("Softmax", [scores + n], [f"p{n}"], f"softmax{n}", axis=-1),
        *after,
        helper.make_node("MatMul", [probabilities + n, f"{v}_heads"], [f"o{n}"], f"product{n}"),
        helper.make_node("Transpose", [f"o{n}"], [f"y{n}"], f"merge{n}", perm=[0, 2, 1, 3]),
    ]


Size = int | str


def _tensors(
    m: Size,
    n: Size,
    k: Size = 16,
    d: Size = 16,
    batch: Size = "b",
    heads: Size = 3,
    element: int = FLOAT,
    name: str = "",
) -> list[onnx.ValueInfoProto]:
    """Queries, keys, values; [batch, sequence, heads, size]."""
    shapes = {"q": [batch, m, heads, k], "k": [batch, n, heads, k], "v": [batch, n, heads, d]}
    return [small_models.tensor(x + name, element, shape) for x, shape in shapes.items()]


def _result(
    m: Size, d: Size = 16, batch: Size = "b", heads: Size = 3, element: int = FLOAT, name: str = ""
) -> onnx.ValueInfoProto:
    return small_models.tensor(f"y{name}", element, [batch, m, heads, d])


def _feed(
    m: int,
    n: int,
    k: int = 16,
    d: int = 16,
    batch: int = 2,
    heads: int = 3,
    dtype: type = np.float32,
) -> dict[str, np.ndarray]:
    return {
        "q": _random(batch, m, heads, k, dtype=dtype),
        "k": _random(batch, n, heads, k, 1, dtype=dtype)[..., 0],
        "v": _random(batch, n, heads, d, dtype=dtype),
    }


def _expected(
    feed: dict[str, np.ndarray], bias: np.ndarray | float = 0, scale: float = 1
) -> np.ndarray:
    q, k, v = (feed[name].swapaxes(1, 2) for name in "qkv")
    return _attend(q, k, v, bias, scale).swapaxes(1, 2)


# Queries, keys, and elements of a key and of a value: around the sizes of vectors and of tiles.
SIZES = [
    (1, 1, 1, 1),
    (1, 5, 8, 8),
    (3, 1, 4, 4),
    (7, 13, 16, 16),
    (15, 14, 17, 33),
    (17, 29, 64, 64),
    (31, 64, 8, 96),
    (33, 197, 80, 40),
    (64, 128, 64, 64),
    (50, 300, 32, 48),
    (2, 1000, 3, 5),
]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("element", [FLOAT, DOUBLE])
def test_known_sizes(element: int, cpu: str) -> None:
    nodes, inputs, outputs, feed, expected = [], [], [], {}, []
    for at, (m, n, k, d) in enumerate(SIZES):
        name = str(at)
        nodes += _exported(name)
        inputs += _tensors(m, n, k, d, 2, 3, element, name)
        outputs.append(_result(m, d, 2, 3, element, name))
        own = _feed(m, n, k, d, dtype=helper.tensor_dtype_to_np_dtype(element).type)
        feed |= {key + name: value for key, value in own.items()}
        expected.append(_expected(own))
    session = _compile(small_models.model(nodes, inputs, outputs), len(SIZES), cpu)
    for got, right in zip(session.run(None, feed), expected, strict=True):
        _check(got, right)


@pytest.mark.parametrize("cpu", CPUS)
def test_unknown_sizes(cpu: str) -> None:
    elements = (FLOAT, DOUBLE)
    session = _together(
        [
            small_models.model(
                _exported(),
                _tensors("m", "n", 24, 20, element=element),
                [_result("m", 20, element=element)],
            )
            for element in elements
        ],
        cpu,
    )
    dtypes = [helper.tensor_dtype_to_np_dtype(element).type for element in elements]
    for m, n in [*((size[:2]) for size in SIZES), (128, 129), (200, 127), (96, 500), (0, 3)]:
        feeds = [_feed(m, n, 24, 20, dtype=dtype) for dtype in dtypes]
        for feed, (got,) in zip(feeds, session.run(feeds), strict=True):
            _check(got, _expected(feed), which=f"{m} queries, {n} keys")
    for (got,) in session.run([_feed(5, 0, 24, 20, dtype=dtype) for dtype in dtypes]):
        _check(got, np.zeros((2, 5, 3, 20)))  # sums of nothing


def test_one_of_the_sequences_is_known() -> None:
    sizes = [(1, "n"), (40, "n"), ("m", 1), ("m", 77)]
    session = _together(
        [small_models.model(_exported(), _tensors(m, n), [_result(m)]) for m, n in sizes]
    )
    for other in (1, 16, 45, 150):
        actual = [[other if isinstance(size, str) else size for size in both] for both in sizes]
        feeds = [_feed(m, n) for m, n in actual]
        for both, feed, (got,) in zip(actual, feeds, session.run(feeds), strict=True):
            _check(got, _expected(feed), which=f"queries and keys: {both}")


def _add(bias: str) -> onnx.NodeProto:
    return helper.make_node("Add", ["raw", bias], ["scores"], "add")


MASKS = ("bhmn", "b1mn", "11mn", "mn", "b11n", "n", "1", "bhm1", "m1", "h11", "h1n")


def test_masks_of_any_shape() -> None:
    """Of one value for all keys or queries, or of one each."""
    models = []
    for shape in MASKS:
        dims: list[int | str] = [{"h": 3, "1": 1}.get(dim, dim) for dim in shape]
        inputs = [*_tensors("m", "n"), small_models.tensor("bias", FLOAT, dims)]
        models.append(small_models.model(_exported(before=[_add("bias")]), inputs, [_result("m")]))
    session = _together(models)
    for b, m, n in [(2, 5, 37), (1, 40, 33), (3, 1, 130), (1, 17, 1), (2, 64, 256)]:
        sizes = {"b": b, "h": 3, "m": m, "n": n, "1": 1}
        feed, biases = _feed(m, n, batch=b), []
        for shape in MASKS:
            biases.append(_random(*(sizes[dim] for dim in shape)))
            biases[-1][..., ::3] *= 5
        results = session.run([{**feed, "bias": bias} for bias in biases])
        for shape, bias, (got,) in zip(MASKS, biases, results, strict=True):
            _check(got, _expected(feed, bias.astype(np.float64)), which=f"{shape} of {sizes}")


@pytest.mark.parametrize("dims", [(40, 70), ("m", "n")])
def test_rows_that_see_nothing(dims: tuple[Size, Size]) -> None:
    """They are no numbers, as those of Softmax; the others see what isn't hidden."""
    inputs = [*_tensors(*dims), small_models.tensor("bias", FLOAT, [*dims])]
    model = small_models.model(_exported(before=[_add("bias")]), inputs, [_result(dims[0])])
    session = _compile(model)
    for m, n in [(40, 70), (33, 300), (1, 200)] if dims[0] == "m" else [dims]:
        hidden = np.random.default_rng(1).random((m, n)) < 0.7
        hidden[0, :-1], hidden[0, -1] = True, False  # all but the last key
        hidden[m // 2, : n // 2 + 1] = True
        hidden[m - 1] = True
        bias = np.where(hidden, -np.inf, 0).astype(np.float32)
        feed = {**_feed(m, n), "bias": bias}
        (got,) = session.run(None, feed)
        assert np.isnan(got[:, -1]).all() and np.isfinite(got[:, :-1]).all()
        _check(got, _expected(feed, bias.astype(np.float64)))


def test_where_a_mask_of_bits_holds() -> None:
    """And what isn't a number is zero, as PyTorch's exporter has it."""
    before = [helper.make_node("Where", ["mask", "raw", "lowest"], ["scores"], "where")]
    after = [
        helper.make_node("IsNaN", ["p"], ["isnan"], "isnan"),
        helper.make_node("Where", ["isnan", "zero", "p"], ["safe"], "safe"),
    ]
    model = small_models.model(
        _exported(before=before, after=after, probabilities="safe"),
        [*_tensors("m", "n"), small_models.tensor("mask", BOOL, ["b", 1, "m", "n"])],
        [_result("m")],
        {"lowest": np.float32(-np.inf), "zero": np.float32(0)},
    )
    session = _compile(model)
    for m, n in [(5, 9), (70, 200)]:
        mask = np.random.default_rng(m).random((2, 1, m, n)) < 0.5
        mask[1, :, 2] = False
        feed = {**_feed(m, n), "mask": mask}
        right = np.nan_to_num(_expected(feed, np.where(mask, 0, -np.inf)), nan=0)
        _check(session.run(None, feed)[0], right)


def test_numbers_that_are_none() -> None:
    """What isn't a number makes the results of its query such, and no other."""
    model = small_models.model(_exported(), _tensors(9, 150), [_result(9)])
    feed = _feed(9, 150)
    feed["q"][0, 3, 1, 5] = np.nan
    feed["q"][1, 8, 2, 0] = np.inf
    (got,) = _compile(model).run(None, feed)
    bad = np.zeros(got.shape, bool)
    bad[0, 3, 1] = bad[1, 8, 2] = True
    assert (np.isnan(got) == bad).all()
    right = _expected({**feed, "q": np.nan_to_num(feed["q"], nan=0, posinf=0)})
    _check(got[~bad], right[~bad])


def test_large_scores() -> None:
    """Sums of exponentials don't overflow, whichever chunk has the largest."""
    session = _compile(small_models.model(_exported(), _tensors("m", "n"), [_result("m")]))
    for at in (0, 200, 399):
        feed = _feed(20, 400)
        feed["q"] *= 30
        feed["k"][:, at] *= 20
        # Scores of some thousands have as many times the error of those of other tests.
        _check(session.run(None, feed)[0], _expected(feed), factor=1000)


def test_steps_on_queries_keys_and_scores() -> None:
    """Scales on each, a bias of the queries, and a soft cap of the scores."""
    nodes = [
        helper.make_node("Mul", ["q0", "scale"], ["q"], "scale_q"),
        helper.make_node("Div", ["k0", "scale2"], ["k"], "scale_k"),
        *_exported(
            before=[
                helper.make_node("Div", ["raw", "cap"], ["small"], "divide"),
                helper.make_node("Tanh", ["small"], ["tanh"], "tanh"),
                helper.make_node("Mul", ["tanh", "cap"], ["scores"], "multiply"),
            ]
        ),
    ]
    inputs = _tensors("m", "n")
    inputs[0].name, inputs[1].name = "q0", "k0"
    inputs.append(small_models.tensor("scale2", FLOAT, []))
    constants = {"scale": np.float32(0.5), "cap": np.float32(2)}
    session = _compile(small_models.model(nodes, inputs, [_result("m")], constants))
    feed = _feed(37, 70)
    q, k, v = (feed[name].swapaxes(1, 2).astype(np.float64) for name in "qkv")
    scores = np.tanh(q @ k.swapaxes(-1, -2) * 0.5 / 4 / 2) * 2
    right = (_softmax(scores) @ v).swapaxes(1, 2)
    named = {"q0": feed["q"], "k0": feed["k"], "v": feed["v"], "scale2": np.float32(4)}
    _check(session.run(None, named)[0], right)


def test_parts_of_one_projection() -> None:
    """Slices, reshapes and transpositions are read where they are: there is one kernel."""
    nodes = [
        helper.make_node("Split", ["x"], ["q0", "k0", "v0"], "split", axis=-1, num_outputs=3),
        *(helper.make_node("Reshape", [f"{n}0", "shape"], [n], f"reshape_{n}") for n in "qkv"),
        *_exported(),
        helper.make_node("Reshape", ["y", "flat"], ["z"], "flatten"),
    ]
    model = small_models.model(
        nodes,
        [small_models.tensor("x", FLOAT, ["b", "m", 3 * 48])],
        [small_models.tensor("z", FLOAT, ["b", "m", 48])],
        {"shape": np.array([0, 0, 3, 16]), "flat": np.array([0, 0, 48])},
    )
    session = _compile(model)
    x = _random(2, 50, 3 * 48)
    parts = np.split(x, 3, -1)
    feed = {name: part.reshape(2, 50, 3, 16) for name, part in zip("qkv", parts, strict=True)}
    _check(session.run(None, {"x": x})[0], _expected(feed).reshape(2, 50, 48))


def test_other_orders_of_dimensions() -> None:
    """Keys and queries with the sequence last, in Einsum; no batch at all."""
    nodes = [
        helper.make_node("Einsum", ["q", "k"], ["s"], "scores", equation="hdm,hdn->hmn"),
        helper.make_node("Softmax", ["s"], ["p"], "softmax"),
        helper.make_node("Einsum", ["p", "v"], ["y"], "product", equation="hmn,nhe->mhe"),
        helper.make_node("MatMul", ["a", "b"], ["ab"], "plain"),
        helper.make_node("Softmax", ["ab"], ["pab"], "plain_softmax"),
        helper.make_node("MatMul", ["pab", "c"], ["z"], "plain_product"),
    ]
    shapes = {
        "q": [2, 8, "m"],
        "k": [2, 8, "n"],
        "v": ["n", 2, 12],
        "a": ["m", 16],
        "b": [16, "n"],
        "c": ["n", 7],
    }
    outputs = {"y": ["m", 2, 12], "z": ["m", 7]}
    model = small_models.model(
        nodes,
        [small_models.tensor(name, FLOAT, shape) for name, shape in shapes.items()],
        [small_models.tensor(name, FLOAT, shape) for name, shape in outputs.items()],
    )
    session = _compile(model, 2)
    for m, n in [(1, 1), (19, 45), (40, 130)]:
        sizes = {"m": m, "n": n}
        feed = {
            name: _random(*(sizes.get(dim, dim) for dim in shape)) for name, shape in shapes.items()
        }
        y, z = session.run(None, feed)
        right = _attend(
            feed["q"].swapaxes(1, 2), feed["k"].swapaxes(1, 2), feed["v"].swapaxes(0, 1)
        )
        _check(y, right.swapaxes(0, 1))
        _check(z, _attend(feed["a"], feed["b"].T, feed["c"]))


def test_scores_that_others_read() -> None:
    """There is no kernel of attention, and all results are right."""
    model = small_models.model(
        _exported(), _tensors("m", "n"), [_result("m"), small_models.tensor("p", FLOAT, None)]
    )
    compiled = omb.compile(model, fallback="error")
    assert compiled.emit("vector").count('"flow.dispatch"') > 1
    feed = _feed(20, 30)
    q, k = (feed[name].swapaxes(1, 2).astype(np.float64) for name in "qk")
    y, p = omb.InferenceSession(compiled).run(None, feed)
    _check(y, _expected(feed))
    _check(p, _softmax(q @ k.swapaxes(-1, -2)))


def _operator(
    dims: dict[str, Size],
    mask: tuple[int, Sequence[Size]] | None = None,
    past: bool = False,
    rank: int = 4,
    **attributes: object,
) -> onnx.ModelProto:
    """The Attention operator; of rank 3, heads are part of the last dimension."""
    m, n, p = dims["m"], dims["n"], dims.get("p", 0)
    heads, groups = dims["heads"], dims["groups"]

    def shape(length: Size, count: Size) -> list[Size]:
        if rank == 4:
            return ["b", count, length, 16]
        assert isinstance(count, int)
        return ["b", length, count * 16]

    inputs = [
        small_models.tensor("q", FLOAT, shape(m, heads)),
        small_models.tensor("k", FLOAT, shape(n, groups)),
        small_models.tensor("v", FLOAT, shape(n, groups)),
    ]
    names = ["q", "k", "v", ""]
    if mask:
        names[3] = "mask"
        inputs.append(small_models.tensor("mask", mask[0], mask[1]))
    outputs = [small_models.tensor("y", FLOAT, None)]
    if past:
        names += ["pk", "pv"]
        inputs += [small_models.tensor(x, FLOAT, ["b", groups, p, 16]) for x in ("pk", "pv")]
        outputs += [small_models.tensor(x, FLOAT, None) for x in ("present_k", "present_v")]
    if rank == 3:
        attributes |= {"q_num_heads": heads, "kv_num_heads": groups}
    results = [output.name for output in outputs]
    node = helper.make_node("Attention", names, results, "attention", **attributes)
    return small_models.model([node], inputs, outputs, opset=23)


def _compare(
    models: Sequence[onnx.ModelProto], feeds: Sequence[Sequence[dict[str, np.ndarray]]]
) -> None:
    """The models, compiled as one, against the reference; `feeds`: of each model."""
    compiled = omb.compile(joined(models), fallback="error")
    assert "matmul" not in compiled.emit("vector")
    session, references = Together(models, compiled), [ReferenceEvaluator(m) for m in models]
    for inputs in zip(*feeds, strict=True):
        for model, reference, feed, found in zip(
            models, references, inputs, session.run(inputs), strict=True
        ):
            for got, right in zip(found, reference.run(None, feed), strict=True):
                _check(got, right, which=onnx.printer.to_text(model.graph.node[0]))


def _operands(
    b: int, m: int, n: int, heads: int, groups: int, p: int | None = None, rank: int = 4
) -> dict[str, np.ndarray]:
    feed = {
        "q": _random(b, heads, m, 16),
        "k": _random(b, groups, n, 16),
        "v": _random(b, groups, n, 16, 1)[..., 0],
    }
    if rank == 3:
        feed = {x: a.swapaxes(1, 2).reshape(b, a.shape[2], -1) for x, a in feed.items()}
    if p is not None:
        feed |= {"pk": _random(b, groups, p, 16, 2)[..., 0], "pv": _random(b, groups, p, 16)}
    return feed


@pytest.mark.parametrize("rank", [3, 4])
def test_operator(rank: int) -> None:
    sizes = [(1, 1, 1), (2, 7, 20), (1, 70, 150), (2, 33, 33)]
    models, feeds = [], []
    for groups in (1, 2, 6):
        dims: dict[str, Size] = {"m": "m", "n": "n", "heads": 6, "groups": groups}
        for causal in (0, 1):
            models.append(_operator(dims, rank=rank, is_causal=causal, scale=0.3))
            feeds.append([_operands(b, m, n, 6, groups, rank=rank) for b, m, n in sizes])
    _compare(models, feeds)


def test_operator_with_a_mask() -> None:
    dims: dict[str, Size] = {"m": "m", "n": "n", "heads": 4, "groups": 2}
    elements = (FLOAT, BOOL)
    models = [_operator(dims, (each, ["b", 1, "m", "n"]), rank=3) for each in elements]
    feeds: list[list[dict[str, np.ndarray]]] = [[], []]
    for b, m, n in [(2, 7, 20), (1, 70, 150)]:
        mask = np.random.default_rng(m).random((b, 1, m, n)) < 0.6
        mask[:, :, :, 0] = True
        operands = _operands(b, m, n, 4, 2, rank=3)
        feeds[0].append({**operands, "mask": np.where(mask, 0, -np.inf).astype(np.float32)})
        feeds[1].append({**operands, "mask": mask})
    _compare(models, feeds)


def test_operator_with_a_past() -> None:
    dims: dict[str, Size] = {"m": "m", "n": "m", "p": "p", "heads": 4, "groups": 2}
    models = [_operator(dims, past=True, is_causal=causal) for causal in (0, 1)]
    feeds = [_operands(b, m, m, 4, 2, p) for b, m, p in [(1, 1, 40), (2, 9, 0), (1, 40, 100)]]
    _compare(models, [feeds, feeds])


@pytest.mark.parametrize("cpu", CPUS)
def test_several_threads_share_the_tiles(cpu: str) -> None:
    model = small_models.model(_exported(), _tensors("m", "n"), [_result("m")])
    compiled = omb.compile(model, fallback="error", cpu=cpu)
    for threads in (1, 3):
        session = omb.InferenceSession(compiled, threads=threads)
        feed = _feed(333, 90, batch=3)
        _check(session.run(None, feed)[0], _expected(feed))
