"""Products with sparse weights, against sums of products in f64.

Sums of up to a few hundred products in f32, in another order than the reference's: the bound is
1e-5 of the largest absolute value of the result, ten times what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models.joined import Together
from models.targets import needs_kernels
from onnx import TensorProto, helper
from onnx_mlir_bridge.compiler import emit
from small_models import tensor
from test_sparse_import import sparse_tensor

BOUND = 1e-5
FLOAT = TensorProto.FLOAT

pytestmark = needs_kernels


def weights(k: int, n: int, zeros: float, block: int = 1, seed: int = 0) -> np.ndarray:
    """Random numbers; blocks of so many channels are zero, or none of them is."""
    random = np.random.default_rng([k, n, seed])
    kept = np.repeat(random.random((k, -(-n // block))) >= zeros, block, axis=1)[:, :n]
    return (kept * random.standard_normal((k, n))).astype(np.float32)


def product(
    rows: tuple[int | str, ...], w: np.ndarray, after: tuple[str, ...] = (), stored: bool = True
) -> onnx.ModelProto:
    """x @ w, and `after`: "Bias", "Residual" (an input r), "Relu", "Gelu", ...

    stored: whether the weights are a sparse initializer.
    """
    k, n = w.shape
    nodes, value = [helper.make_node("MatMul", ["x", "w"], ["v0"])], "v0"
    inputs, constants = [tensor("x", FLOAT, (*rows, k))], {}
    for number, op in enumerate(after, 1):
        operands = [value]
        if op == "Bias":
            constants["b"] = np.random.default_rng(1).standard_normal(n).astype(np.float32)
            operands.append("b")
        elif op == "Residual":
            inputs.append(tensor("r", FLOAT, (*rows, n)))
            operands.append("r")
        kind = "Add" if op in ("Bias", "Residual") else op
        nodes.append(helper.make_node(kind, operands, [f"v{number}"]))
        value = f"v{number}"
    nodes[-1].output[0] = "y"
    model = small_models.model(nodes, inputs, [tensor("y", FLOAT, (*rows, n))], constants)
    if stored:
        model.graph.sparse_initializer.append(sparse_tensor(w))
    else:
        model.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    return model


def feed_of(model: onnx.ModelProto, **sizes: int) -> dict[str, np.ndarray]:
    feed = {}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        shape = [sizes.get(d.dim_param, d.dim_value) for d in dims]
        random = np.random.default_rng([len(value.name), *shape])
        feed[value.name] = random.standard_normal(shape).astype(np.float32)
    return feed


def expected(feed: dict[str, np.ndarray], w: np.ndarray, after: tuple[str, ...]) -> np.ndarray:
    from math import erf

    value = feed["x"].astype(np.float64) @ w.astype(np.float64)
    for op in after:
        if op == "Bias":
            value = value + np.random.default_rng(1).standard_normal(w.shape[1]).astype(np.float32)
        elif op == "Residual":
            value = value + feed["r"]
        elif op == "Relu":
            value = np.maximum(value, 0)
        elif op == "Gelu":
            value = value / 2 * (1 + np.vectorize(erf, otypes=[float])(value / np.sqrt(2)))
        else:
            raise ValueError(op)
    return value


def close(got: np.ndarray, want: np.ndarray, which: object = "") -> None:
    assert got.shape == want.shape, which
    scale = max(np.abs(want).max(initial=0), 1e-30)
    assert np.abs(got - want).max(initial=0) <= BOUND * scale, which


Rows = tuple[int | str, ...]


def check(
    rows: Rows,
    w: np.ndarray,
    after: tuple[str, ...] = (),
    sizes: tuple[dict[str, int], ...] = ({},),
    **options: object,
) -> None:
    check_all([(rows, w, after)], sizes, **options)


def check_all(
    cases: Sequence[tuple[Rows, np.ndarray, tuple[str, ...]]],
    sizes: tuple[dict[str, int], ...] = ({},),
    **options: object,
) -> None:
    """Products of so many rows, by these weights, and what is after them, compiled as one."""
    models = [product(*case) for case in cases]
    session = Together(models, providers=["cpu"], **{"sparse": "on", **options})
    for each in sizes:
        feeds = [feed_of(model, **each) for model in models]
        for (_, w, after), feed, (got,) in zip(cases, feeds, session.run(feeds), strict=True):
            which = f"{feed['x'].shape} by {w.shape}, {np.count_nonzero(w)} stored, {after}"
            close(got, expected(feed, w, after), which)


def is_sparse(model: onnx.ModelProto, **options: object) -> bool:
    """Whether the product has a kernel with sparse weights, by texts that don't need IREE."""
    has_type = "#sparse_tensor" in emit(model, "linalg", **options)
    text = emit(model, "vector", **options)
    assert "linalg.matmul" not in text
    assert has_type == ("tensor<?xi8>" in text or "tensor<?xi16>" in text)  # the coordinates
    return has_type


ROWS = (1, 2, 3, 4, 5, 8, 15, 16, 17, 63, 64, 65, 130)


BLOCKS = pytest.mark.parametrize("block", [1, 16], ids=["channels", "blocks"])


@BLOCKS
def test_rows(block: int):
    w = weights(40, 48, 0.8, block)
    check_all([((rows,), w, ("Bias", "Relu")) for rows in ROWS])


@BLOCKS
def test_unknown_rows(block: int):
    w, sizes = weights(40, 32, 0.8, block), tuple({"m": rows} for rows in (*ROWS, 0, 257))
    others = [(), ("Residual",), ("Bias", "Gelu", "Residual")]
    check_all([(("m",), w, after) for after in others], sizes)


@BLOCKS
def test_batches(block: int):
    w = weights(40, 32, 0.8, block)
    check((2, 3, 5), w, ("Bias", "Relu"))
    check(("b", "s"), w, ("Bias", "Residual"), ({"b": 2, "s": 7}, {"b": 1, "s": 1}))


@pytest.mark.parametrize("images", [3, 1, "b"])
@BLOCKS
def test_batches_of_weights(images: int | str, block: int):
    """Each matrix is sparse for itself; of an unknown number of images, they stay dense."""
    w = np.stack([weights(40, 32, zeros, block, seed=3) for zeros in (0.8, 1.0, 0.6)])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Relu", ["p"], ["y"])]
    shapes = [tensor("x", FLOAT, (images, 7, 40))], [tensor("y", FLOAT, (None, 7, 32))]
    model = small_models.model(nodes, *shapes, {"w": w})
    compiled = omb.compile(model, sparse="on", fallback="error")
    assert compiled.emit("onnx").count("onnx.MatMul") == 1
    assert ("<positions" in compiled.emit("vector")) == (images != "b")
    x = np.random.default_rng(5).standard_normal((3 if images == "b" else images, 7, 40))
    x = x.astype(np.float32)
    (y,) = omb.InferenceSession(compiled).run(None, {"x": x})
    wanted = np.maximum(x.astype(np.float64) @ w.astype(np.float64), 0)
    np.testing.assert_allclose(y, wanted, atol=BOUND * np.abs(wanted).max())


@pytest.mark.parametrize("rows", [1, 20])
def test_channels(rows: int):
    channels = (1, 3, 15, 16, 17, 31, 50)
    check_all([((rows,), weights(33, n, 0.7), ("Bias",)) for n in channels])


@pytest.mark.parametrize("rows", [2, 40])
def test_densities(rows: int):
    """None is zero, half, and all."""
    check_all(
        [
            ((rows,), weights(24, 32, zeros, block), ("Bias",))
            for zeros in (0.0, 0.5, 1.0)
            for block in (1, 16)
        ]
    )


@pytest.mark.parametrize("rows", [2, 40])
def test_channels_without_values_and_full_ones(rows: int):
    w = weights(200, 64, 0.9)
    w[:, 16:48] = 0
    w[:, 5] = 1
    check((rows,), w)


@pytest.mark.parametrize("rows", [3, 20])
def test_coordinates_beyond_16_bits(rows: int):
    w = np.zeros((70000, 4), dtype=np.float32)
    w[[0, 65535, 65536, 69999], [1, 0, 2, 1]] = [1, 2, 3, 4]
    check((rows,), w)


@BLOCKS
def test_avx2(block: int):
    w, sizes = weights(40, 48, 0.8, block), ({"m": 1}, {"m": 7}, {"m": 33})
    check_all([((rows,), w, ("Bias", "Gelu")) for rows in (2, 24, "m")], sizes, cpu="x86-64-v3")


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3"])
def test_chunks(cpu: str):
    """More k than a chunk has, the last one shorter; more channels than use one at a time."""
    w = weights(601, 77, 0.8)
    w[:, 3] = 0
    w[201:402, 20] = 0
    cases = [((rows,), w, ("Bias", "Relu")) for rows in (5, 16, 40, 70)]
    # Where each channel starts in each of three chunks.
    assert f"tensor<{3 * 77 + 1}xi32>" in emit(product(*cases[1]), "vector", sparse="on", cpu=cpu)
    check_all(cases, cpu=cpu)
    check(("m",), w, (), ({"m": 1}, {"m": 33}, {"m": 130}), cpu=cpu)


def test_one_thread_and_level_0():
    w = weights(40, 48, 0.9)
    check((20,), w, threads=1)
    check((20,), w, opt_level=0)


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm(transposed: int):
    w = weights(40, 48, 0.9)
    node = helper.make_node("Gemm", ["x", "w", "c"], ["y"], alpha=0.5, beta=2.0, transB=transposed)
    c = np.arange(48, dtype=np.float32)
    model = small_models.model(
        [node], [tensor("x", FLOAT, (20, 40))], [tensor("y", FLOAT, (20, 48))], {"c": c}
    )
    model.graph.sparse_initializer.append(sparse_tensor(w.T if transposed else w))
    assert is_sparse(model, sparse="on")
    feed = feed_of(model)
    got = omb.InferenceSession(omb.compile(model, sparse="on"), ["cpu"]).run(None, feed)[0]
    close(got, 0.5 * expected(feed, w, ()) + 2 * c)


def test_transposed_weights():
    w = weights(40, 48, 0.9)
    model = product((20,), w)
    del model.graph.sparse_initializer[:]
    model.graph.sparse_initializer.append(sparse_tensor(np.ascontiguousarray(w.T), "t"))
    model.graph.node.insert(0, helper.make_node("Transpose", ["t"], ["w"], perm=[1, 0]))
    assert is_sparse(model, sparse="on")
    feed = feed_of(model)
    got = omb.InferenceSession(omb.compile(model, sparse="on"), ["cpu"]).run(None, feed)[0]
    close(got, expected(feed, w, ()))


def test_weights_of_several_products():
    # One is sparse, the other needs all elements.
    w = weights(32, 32, 0.9)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["w", "p"], ["y"]),
    ]
    model = small_models.model(
        nodes, [tensor("x", FLOAT, (32, 32))], [tensor("y", FLOAT, (32, 32))]
    )
    model.graph.sparse_initializer.append(sparse_tensor(w))
    feed = feed_of(model)
    got = omb.InferenceSession(omb.compile(model, sparse="on"), ["cpu"]).run(None, feed)[0]
    close(got, expected(feed, w, ()) + w)


@pytest.mark.parametrize("swapped", [False, True], ids=["f64", "first factor"])
def test_products_without_a_sparse_kernel(swapped: bool):
    dtype = np.float32 if swapped else np.float64
    w = weights(32, 32, 0.9).astype(dtype)
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    node = helper.make_node("MatMul", ["w", "x"] if swapped else ["x", "w"], ["y"])
    model = small_models.model(
        [node], [tensor("x", element, (32, 32))], [tensor("y", element, (32, 32))]
    )
    model.graph.sparse_initializer.append(sparse_tensor(w))
    x = np.random.default_rng(3).standard_normal((32, 32)).astype(dtype)
    got = omb.InferenceSession(omb.compile(model, sparse="on"), ["cpu"]).run(None, {"x": x})[0]
    close(got, (w.astype(float) @ x if swapped else x @ w.astype(float)))


def test_modes():
    mostly, half, full = (
        product((128,), weights(512, 512, z), stored=False) for z in (0.9, 0.5, 0)
    )
    assert is_sparse(mostly) and is_sparse(mostly, sparse="on")
    assert not is_sparse(mostly, sparse="off")
    assert not is_sparse(half) and is_sparse(half, sparse="on")
    assert not is_sparse(full, sparse="on")
    # What the model stores sparse need not be.
    assert not is_sparse(product((128,), weights(512, 512, 0.3)))
    assert is_sparse(product((128,), weights(512, 512, 0.3)), sparse="on")
    # A single row of an unknown number would take longer.
    assert not is_sparse(product(("m",), weights(512, 512, 0.85)))
    assert is_sparse(product(("m",), weights(512, 512, 0.92)))
    # Few weights aren't worth another dispatch.
    assert not is_sparse(product((128,), weights(64, 64, 0.9)))
    # Products of bf16 take half the time.
    assert not is_sparse(product((128,), weights(512, 512, 0.8)), precision="bf16")
    assert is_sparse(product((128,), weights(512, 512, 0.95)), precision="bf16")


def test_layers_share_kernels():
    w = [weights(64, 64, 0.9, seed=seed) for seed in range(3)]
    nodes = [helper.make_node("MatMul", [f"v{i}", f"w{i}"], [f"v{i + 1}"]) for i in range(3)]
    model = small_models.model(
        nodes, [tensor("v0", FLOAT, (128, 64))], [tensor("v3", FLOAT, (128, 64))]
    )
    model.graph.sparse_initializer.extend(sparse_tensor(each, f"w{i}") for i, each in enumerate(w))
    text = omb.compile(model, sparse="on").emit("vector")
    assert text.count('"stream.executable"()') == 2  # tiles of rows, products
    assert text.count('"flow.dispatch"(') == 6


def test_refused_mode():
    with pytest.raises(omb.OmbError, match="sparse must be 'off', 'auto' or 'on', not True"):
        omb.compile(product((4,), weights(8, 8, 0.9)), sparse=True)


def test_artifact_has_no_zeros(tmp_path):
    sizes = {}
    for mode in ("off", "on"):
        path = tmp_path / f"{mode}.omb"
        omb.compile(product((16,), weights(1024, 1024, 0.9), stored=False), sparse=mode).save(path)
        sizes[mode] = path.stat().st_size
    # 6 bytes for each tenth element of 4 bytes, and code.
    assert sizes["on"] < 0.25 * sizes["off"]


@examples(10)
@given(
    rows=st.integers(1, 150),
    k=st.integers(1, 90),
    n=st.integers(1, 90),
    zeros=st.sampled_from([0.3, 0.8, 0.97]),
    block=st.sampled_from([1, 1, 16]),
    is_dynamic=st.booleans(),
)
def test_any_shape(rows: int, k: int, n: int, zeros: float, block: int, is_dynamic: bool):
    w = weights(k, n, zeros, block)
    check(("m" if is_dynamic else rows,), w, ("Bias",), ({"m": rows},))


def test_few_rows_whose_result_is_rounded() -> None:
    """The next product's factors are bf16, of a quarter of a register for 4 rows."""
    models, feeds, right = [], [], []
    for rows in (1, 3, 4, 5, 8):
        generator = np.random.default_rng(rows)
        sparse = generator.standard_normal((64, 40)) * (generator.random((64, 40)) < 0.1)
        dense = generator.standard_normal((40, 32))
        model = small_models.model(
            [
                helper.make_node("MatMul", ["x", "w"], ["h"]),
                helper.make_node("MatMul", ["h", "v"], ["y"]),
            ],
            [tensor("x", FLOAT, [rows, 64])],
            [tensor("y", FLOAT, [rows, 32])],
            {"w": sparse.astype(np.float32), "v": dense.astype(np.float32)},
        )
        x = generator.standard_normal((rows, 64)).astype(np.float32)
        models.append(model)
        feeds.append({"x": x})
        right.append(x.astype(np.float64) @ sparse @ dense)
    session = Together(models, providers=["cpu"], precision="bf16", sparse="on")
    for (got,), want in zip(session.run(feeds), right, strict=True):
        error = np.linalg.norm(got - want)
        # Of bf16's factors: 2 ** -9 each.
        assert error <= 1e-2 * np.linalg.norm(want), f"{len(want)} rows"
