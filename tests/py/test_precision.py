"""Kernels with factors of bf16 and f16, against what they are defined to compute.

That is the f32 product of the rounded factors: 1e-5 relative to the largest, as for the kernels of
f32 (see test_kernels.py). Which factors are rounded depends on the CPU, and its text says so.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import onnxruntime
import pytest
import small_models
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models import quantized
from models.targets import needs_kernels
from onnx import TensorProto, helper, numpy_helper

NARROW = {"bf16": ml_dtypes.bfloat16, "f16": np.float16}

pytestmark = needs_kernels


def _rounded(value: np.ndarray, precision: str) -> np.ndarray:
    return value.astype(NARROW[precision]).astype(np.float32)


def _expected(
    model: onnx.ModelProto, feed: dict[str, np.ndarray], precision: str, text: str
) -> np.ndarray:
    """What kernels as in `text` give for a model of one product, whose weights are "w"."""
    if "stream.executable" in text:
        rounded = onnx.ModelProto()
        rounded.CopyFrom(model)
        (weights,) = (each for each in rounded.graph.initializer if each.name == "w")
        values = _rounded(numpy_helper.to_array(weights), precision)
        weights.CopyFrom(numpy_helper.from_array(values, "w"))
        model = rounded
    if "dpbf16ps" in text:
        feed = {name: _rounded(value, precision) for name, value in feed.items()}
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feed)[0]


def _check(model: onnx.ModelProto, x: np.ndarray, precision: str, cpu: str) -> str:
    compiled = omb.compile(model, precision=precision, cpu=cpu)
    text = compiled.emit("vector")
    (got,) = omb.InferenceSession(compiled, ["cpu"]).run(None, {"x": x})
    expected = _expected(model, {"x": x}, precision, text)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * scale)
    return text


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(np.float32)


CASES = (
    st.sampled_from(sorted(NARROW)),
    st.sampled_from(["host", "x86-64-v3"]),
)


@examples(13)
@given(*CASES, st.integers(1, 30), st.integers(1, 40), st.sampled_from([1, 7, 16, 33, 70]))
def test_products(precision: str, cpu: str, rows: int, inner: int, channels: int) -> None:
    model = small_models.product(("m", inner), channels)
    _check(model, _random(rows, inner), precision, cpu)


@examples(13)
@given(
    *CASES,
    st.sampled_from([1, 3, 4, 16, 17]),
    st.sampled_from([1, 2]),
    st.integers(1, 3),
    st.integers(0, 1),
)
def test_convolutions(
    precision: str, cpu: str, channels: int, group: int, kernel: int, padding: int
) -> None:
    weights = _random(24, channels, kernel, kernel)
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=group, pads=[padding] * 4)
    model = small_models.model(
        [node],
        [small_models.tensor("x", TensorProto.FLOAT, [1, group * channels, 9, 11])],
        [small_models.tensor("y", TensorProto.FLOAT, [1, 24, None, None])],
        {"w": weights},
    )
    _check(model, _random(1, group * channels, 9, 11), precision, cpu)


@pytest.mark.parametrize(
    ("cpu", "instruction"),
    [("znver4", "avx512bf16.dpbf16ps.512"), ("skylake-avx512", None), ("x86-64-v3", None)],
)
def test_instructions(cpu: str, instruction: str | None) -> None:
    model = small_models.product((8, 64), 64)
    text = omb.compile(model, cpu=cpu, precision="bf16").emit("vector")
    assert "xbf16>" in text
    assert ("call_intrinsic" in text) == (instruction is not None)
    assert instruction is None or instruction in text


@pytest.mark.parametrize(("precision", "bound"), [("bf16", 2e-2), ("f16", 2e-3)])
def test_a_network(precision: str, bound: float) -> None:
    """Convolutions with residuals: some roundings of 2^-9 or 2^-12 one after the other."""
    model = quantized.cnn()
    feeds = quantized.feeds(model, seed=5)
    (expected,) = omb.InferenceSession(model, ["cpu"]).run(None, feeds)
    (got,) = omb.InferenceSession(model, ["cpu"], precision=precision).run(None, feeds)
    error = np.linalg.norm(got - expected) / np.linalg.norm(expected)
    assert 0 < error < bound


@pytest.mark.parametrize("precision", NARROW)
def test_numbers_at_the_limits(precision: str) -> None:
    """One product for each output, so that infinities stay alone."""
    largest = float(ml_dtypes.finfo(NARROW[precision]).max)
    weights = np.full((1, 64), 1 + 2.0**-9, np.float32)
    weights[0, :6] = [0, np.inf, -np.inf, np.nan, largest, 2.0**-14]
    model = small_models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [small_models.tensor("x", TensorProto.FLOAT, [2, 1])],
        [small_models.tensor("y", TensorProto.FLOAT, [2, 64])],
        {"w": weights},
    )
    x = np.array([[1], [-2]], np.float32)
    (got,) = omb.InferenceSession(model, ["cpu"], precision=precision).run(None, {"x": x})
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(got, x * _rounded(weights, precision))


NO_KERNELS: list[tuple[str, dict[str, object], str]] = [
    ("vulkan", {}, "vulkan 'generic' at opt_level=1"),
    ("cpu", {"cpu": "x86-64"}, "cpu 'x86-64' at opt_level=1"),
    ("cpu", {"opt_level": 0}, "cpu 'host' at opt_level=0"),
]


@pytest.mark.parametrize(("target", "options", "message"), NO_KERNELS)
def test_refused_without_kernels(target: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(omb.OmbError, match=f"precision='bf16' is for kernels, which {message}"):
        omb.compile(small_models.affine(), target=target, precision="bf16", **options)
