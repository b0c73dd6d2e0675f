"""Sparse weights that are stored as 16 bits or bytes, and quantized ones."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from models.joined import Together
from onnx import TensorProto, helper
from onnx_mlir_bridge.compiler import emit
from onnx_mlir_bridge.compiler.inspection import inspect
from small_models import tensor
from test_sparse_import import sparse_tensor
from test_sparse_kernels import BLOCKS, close, expected, feed_of, product, weights

FLOAT = TensorProto.FLOAT
CPUS = pytest.mark.parametrize("cpu", ["host", "x86-64-v3"])


# --- precision ------------------------------------------------------------------------------------


@CPUS
@BLOCKS
@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_rounded_weights(cpu: str, block: int, precision: str):
    """What is rounded are the weights alone: sums of products with the rounded ones are exact."""
    narrow = ml_dtypes.bfloat16 if precision == "bf16" else np.float16
    w = weights(70, 48, 0.8, block)
    cases = [((rows,), w, ("Bias",)) for rows in (1, 3, 20, 70)]
    models = [product(*case) for case in cases]
    feeds = [feed_of(model) for model in models]
    options = {"providers": ["cpu"], "sparse": "on", "cpu": cpu, "precision": precision}
    text = emit(models[2], "vector", sparse="on", cpu=cpu, precision=precision)
    assert f"tensor<?x{precision}>" in text
    rounded = w.astype(narrow).astype(np.float32)
    for (rows, _, after), feed, (got,) in zip(
        cases, feeds, Together(models, **options).run(feeds), strict=True
    ):
        close(got, expected(feed, rounded, after), rows)


# --- bytes ----------------------------------------------------------------------------------------


def _bytes(k: int, n: int, zeros: float, block: int = 1) -> np.ndarray:
    w = weights(k, n, zeros, block)
    return np.clip(np.rint(60 * w), -128, 127).astype(np.int8)


@CPUS
@BLOCKS
def test_whole_numbers_are_stored_as_bytes(cpu: str, block: int):
    w = _bytes(70, 48, 0.8, block).astype(np.float32)
    w[0, :2] = [127, -128]
    models = [product((rows,), w, ("Bias",)) for rows in (1, 3, 20, 70)]
    assert "tensor<?xi8>" in emit(models[2], "vector", sparse="on", cpu=cpu)
    feeds = [feed_of(model) for model in models]
    results = Together(models, providers=["cpu"], sparse="on", cpu=cpu).run(feeds)
    for feed, (got,) in zip(feeds, results, strict=True):
        close(got, expected(feed, w, ("Bias",)), feed["x"].shape)


def test_bytes_without_kernels():
    w = _bytes(70, 48, 0.8).astype(np.float32)
    model = product((20,), w)
    session = omb.InferenceSession(model, ["cpu"], sparse="on", cpu="generic")
    feed = feed_of(model)
    close(session.run(None, feed)[0], expected(feed, w, ()))


# --- quantized ------------------------------------------------------------------------------------

X_SCALE, Y_SCALE = np.float32(0.05), np.float32(2.0)
X_ZERO, Y_ZERO = np.uint8(117), np.uint8(100)


def _quantized(w: np.ndarray, scale: np.ndarray, zero: np.ndarray, rows: int, whole: bool):
    """x @ (w - zero) * scale; whole: of quantized x, and quantized."""
    n = w.shape[1]
    constants = {"s": scale, "z": zero, "xs": X_SCALE, "xz": X_ZERO, "ys": Y_SCALE, "yz": Y_ZERO}
    nodes = [helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"], axis=1)]
    if whole:
        nodes += [
            helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
            helper.make_node("MatMul", ["xd", "wd"], ["p"]),
            helper.make_node("QuantizeLinear", ["p", "ys", "yz"], ["y"]),
        ]
    else:
        nodes.append(helper.make_node("MatMul", ["x", "wd"], ["y"]))
        constants = {name: constants[name] for name in ("s", "z")}
    kind = TensorProto.UINT8 if whole else FLOAT
    model = small_models.model(
        nodes,
        [tensor("x", FLOAT, (rows, w.shape[0]))],
        [tensor("y", kind, (rows, n))],
        {name: np.asarray(value) for name, value in constants.items()},
    )
    model.graph.sparse_initializer.append(sparse_tensor(w))
    return model


def _numbers(x: np.ndarray) -> np.ndarray:
    """x as integers, less the zero point."""
    return np.clip(np.rint(x / X_SCALE) + X_ZERO, 0, 255).astype(np.int64) - X_ZERO


@pytest.mark.parametrize("sparse", ["on", "auto"])
@pytest.mark.parametrize("whole", [False, True], ids=["weights", "both"])
def test_quantized_weights(sparse: str, whole: bool):
    """int8 with zero points 0 and others, a scale for each channel or one for all."""
    random = np.random.default_rng(0)
    models, feeds, right = [], [], []
    for rows, channels, zero in ((1, 48, 0), (20, 1, 0), (20, 45, 5)):
        w = _bytes(64, 48 if channels == 1 else channels, 0.9)
        if zero:
            w = np.where(w == 0, zero, w).astype(np.int8)
        scale = (random.random(channels) + 0.5).astype(np.float32)
        zeros = np.full(channels, zero, np.int8)
        if channels == 1:
            scale, zeros = scale[0], zeros[0]
        x = random.standard_normal((rows, 64)).astype(np.float32)
        models.append(_quantized(w, scale, zeros, rows, whole))
        feeds.append({"x": x})
        numbers = w.astype(np.int64) - zero
        right.append(
            np.clip(np.rint((_numbers(x) @ numbers) * (X_SCALE * scale) / Y_SCALE) + Y_ZERO, 0, 255)
            if whole
            else x.astype(np.float64) @ numbers * scale
        )
    text = emit(models[1], "vector", sparse=sparse)
    assert ("tensor<?xi8>" in text) == (sparse == "on")
    results = Together(models, providers=["cpu"], sparse=sparse).run(feeds)
    for (got,), want in zip(results, right, strict=True):
        if whole:
            assert got.dtype == np.uint8
            # Quotients next to a half may be rounded to either side.
            assert np.abs(got - want).max() <= 1
            assert (got != want).mean() <= 0.01
        else:
            close(got, want)


@pytest.mark.parametrize(
    ("whole", "rows", "zeros", "cpu", "taken"),
    [
        (False, 64, 0.9, "icelake-server", True),
        (False, 64, 0.6, "icelake-server", False),
        (False, 1, 0.9, "icelake-server", True),
        (False, 1, 0.8, "icelake-server", False),
        (True, 64, 0.9, "icelake-server", False),
        (True, 64, 0.97, "icelake-server", True),
        # Products of dense bytes have a matrix unit.
        (True, 64, 0.97, "sapphirerapids", False),
        (False, 64, 0.9, "generic", True),
        (True, 64, 0.97, "generic", False),
    ],
)
def test_what_auto_takes(whole: bool, rows: int, zeros: float, cpu: str, taken: bool):
    w = _bytes(512, 512, zeros)
    model = _quantized(w, np.float32(0.5), np.int8(0), rows, whole=whole)
    text = emit(model, "linalg", sparse="auto", cpu=cpu)
    assert ("tensor<512x512xi8, #sparse" in text) == taken


def test_quantized_products_without_kernels():
    """Weights with a scale for each channel; a zero point whose differences aren't bytes."""
    random = np.random.default_rng(3)
    w = random.integers(0, 256, (64, 48)) * (random.random((64, 48)) >= 0.8)
    scale = (random.random(48) + 0.5).astype(np.float32)
    model = _quantized(w.astype(np.uint8), scale, np.zeros(48, np.uint8), 20, whole=False)
    feed = feed_of(model)
    right = feed["x"].astype(np.float64) @ w * scale
    for cpu in ("host", "generic"):
        session = omb.InferenceSession(model, ["cpu"], sparse="on", cpu=cpu)
        close(session.run(None, feed)[0], right)


def test_inspect_shows_quantized_weights():
    model = _quantized(_bytes(512, 512, 0.9), np.float32(1), np.int8(0), 64, whole=False)
    (weight,) = inspect(model).sparse
    assert (weight.name, weight.form) == ("w", "by channels")
    assert 0.85 < weight.zeros < 0.95
    assert weight.estimate.time == pytest.approx(0.05 + 2.4 * (1 - weight.zeros))
    assert weight.estimate.dense_bytes == 512 * 512


def test_quantized_import_keeps_the_type():
    w = _bytes(64, 48, 0.9)
    model = _quantized(w, np.float32(1), np.int8(0), 4, whole=True)
    text = emit(model, "onnx")
    assert "tensor<64x48xi8, #sparse" in text


def test_uint8_weights_in_a_gemm():
    w = (_bytes(48, 64, 0.9).astype(np.int16) + 128).astype(np.uint8)
    constants = {
        "s": np.float32(0.5),
        "z": np.uint8(128),
        "c": np.arange(48, dtype=np.float32),
        "w": w,
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["d"]),
        helper.make_node("Gemm", ["x", "d", "c"], ["y"], transB=1, alpha=2.0),
    ]
    model = small_models.model(
        nodes,
        [tensor("x", FLOAT, (20, 64))],
        [tensor("y", FLOAT, (20, 48))],
        {name: np.asarray(value) for name, value in constants.items()},
    )
    assert "tensor<?xi8>" in emit(model, "vector", sparse="on")
    feed = feed_of(model)
    got = omb.InferenceSession(model, ["cpu"], sparse="on").run(None, feed)[0]
    close(got, feed["x"].astype(np.float64) @ (w.T.astype(np.float64) - 128) + constants["c"])


def test_artifact_of_bytes(tmp_path):
    """3 bytes for each tenth element, and code."""
    w = _bytes(1024, 1024, 0.9)
    model = _quantized(w, np.float32(1), np.int8(0), 16, whole=False)
    path = tmp_path / "m.omb"
    omb.compile(model, sparse="on").save(path)
    assert path.stat().st_size < 0.55 * w.size


# --- tables ---------------------------------------------------------------------------------------


def _lookup(table: np.ndarray, indices: tuple[int | str, ...]) -> onnx.ModelProto:
    model = small_models.model(
        [helper.make_node("Gather", ["w", "i"], ["y"])],
        [tensor("i", TensorProto.INT64, indices)],
        [tensor("y", FLOAT, (*indices, table.shape[1]))],
        {},
    )
    model.graph.sparse_initializer.append(sparse_tensor(table))
    return model


@pytest.mark.parametrize("cpu", ["host", "generic"])
def test_rows_of_a_sparse_table(cpu: str, tmp_path):
    """Columns that fill no word, negative indices, rows without values; the artifact's size."""
    small = weights(7, 33, 0.7)
    small[3] = 0
    large = weights(700, 320, 0.9)
    cases = [(small, np.array([[0, 6, -1], [3, -7, 5]])), (large, np.array([699, -700, 4, 4]))]
    models = [_lookup(small, ("n", 3)), _lookup(large, (4,))]
    feeds = [{"i": indices} for _, indices in cases]
    results = Together(models, providers=["cpu"], sparse="on", cpu=cpu).run(feeds)
    for (table, indices), (got,) in zip(cases, results, strict=True):
        np.testing.assert_array_equal(got, table[indices])
    path = tmp_path / "m.omb"
    omb.compile(models[1], sparse="on", cpu=cpu).save(path)
    assert path.stat().st_size < 0.45 * large.nbytes
    # An index that is out of bounds reads what it reads of a dense table.
    beyond = {"i": np.array([0, 1, 700, -701])}
    dense = omb.InferenceSession(models[1], ["cpu"], sparse="off", cpu=cpu)
    np.testing.assert_array_equal(
        omb.load(path, "cpu").run(None, beyond)[0], dense.run(None, beyond)[0]
    )
