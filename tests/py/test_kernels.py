"""The kernels of vector code against ONNX Runtime: sizes around those of tiles, panels and vectors.

Sums of up to some hundred products of numbers around 1 in f32: 1e-5 relative to the largest is ten
times the error that another order of summation gives.
"""

from __future__ import annotations

import platform

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import onnxruntime
import pytest
import small_models
from budget import DETERMINISTIC
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT
CHANNELS = (1, 2, 3, 8, 15, 16, 17, 31, 33, 48, 50, 64, 65, 100, 130)
PRODUCTS = settings(DETERMINISTIC, max_examples=25)

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="kernels are generated for x86-64 with AVX2 or AVX-512"
)


def _agree(
    model: onnx.ModelProto,
    *feeds: dict[str, np.ndarray],
    tolerance: float = 1e-5,
    **options: object,
) -> str:
    """Compares with ONNX Runtime; the text of the stage at which kernels are made."""
    compiled = omb.compile(model, fallback="error", **options)
    ours = omb.InferenceSession(compiled)
    theirs = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for feed in feeds:
        for got, expected in zip(ours.run(None, feed), theirs.run(None, feed), strict=True):
            assert got.shape == expected.shape
            assert got.dtype == expected.dtype
            scale = max(1.0, float(np.abs(expected).max())) if expected.size else 1.0
            np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)
    return compiled.emit("vector")


def _random(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(dtype)


@settings(PRODUCTS)
@given(
    st.integers(1, 40), st.integers(1, 70), st.sampled_from(CHANNELS), st.booleans(), st.booleans()
)
def test_products(rows: int, inner: int, channels: int, is_dynamic: bool, is_wide: bool) -> None:
    model = small_models.product(("m" if is_dynamic else rows, inner), channels)
    x = _random(rows, inner)
    more = [{"x": _random(size, inner)} for size in (1, 13, 29)] if is_dynamic else []
    text = _agree(model, {"x": x}, *more, cpu="host" if is_wide else "x86-64-v3")
    assert "vector.fma" in text or channels <= 4  # too few to fill a vector


def test_a_session_takes_any_number_of_rows() -> None:
    model = small_models.product(("m", "n", 20), 50)
    sizes = [(0, 3), (1, 1), (2, 7), (3, 14), (1, 29), (5, 0)]
    _agree(model, *({"x": _random(*size, 20)} for size in sizes))


def _convolution(
    shape: tuple[int | str, ...], weights: np.ndarray, bias: bool = True, **attributes: object
) -> onnx.ModelProto:
    dims = [None] * len(shape)
    constants = {"w": weights, "b": _random(len(weights))}
    node = helper.make_node(
        "Conv", ["x", "w", *(["b"] if bias else [])], ["c"], "conv", **attributes
    )
    return small_models.model(
        [node, helper.make_node("LeakyRelu", ["c"], ["y"], "activate", alpha=0.25)],
        [small_models.tensor("x", FLOAT, shape)],
        [small_models.tensor("y", FLOAT, dims)],
        constants if bias else {"w": weights},
    )


@settings(PRODUCTS)
@given(
    st.integers(1, 3),
    st.lists(st.integers(5, 20), min_size=1, max_size=3),
    st.sampled_from((1, 3, 4, 17)),
    st.sampled_from(CHANNELS),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
    st.booleans(),
)
def test_convolutions(
    batch: int,
    image: list[int],
    channels: int,
    features: int,
    window: int,
    stride: int,
    dilation: int,
    pad: int,
    has_bias: bool,
) -> None:
    rank = len(image)
    weights = _random(features, channels, *[window] * rank)
    model = _convolution(
        (batch, channels, *image),
        weights,
        has_bias,
        strides=[stride] * rank,
        dilations=[dilation] * rank,
        pads=[pad] * rank + [0] * rank,
    )
    text = _agree(model, {"x": _random(batch, channels, *image)})
    assert "vector.fma" in text or features <= 4


def test_convolutions_of_any_size() -> None:
    model = _convolution(("n", 3, "h", "w"), _random(20, 3, 3, 3), pads=[1, 1, 1, 1])
    sizes = [(1, 8, 8), (2, 1, 1), (1, 15, 30), (3, 2, 29), (0, 4, 4)]
    _agree(model, *({"x": _random(n, 3, h, w)} for n, h, w in sizes))


def test_depthwise_between_others() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], "expand"),
        helper.make_node("Clip", ["c0", "low", "high"], ["r0"], "clip"),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], "depthwise", group=24, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c1", "w2", "b2"], ["c2"], "project"),
        helper.make_node("Add", ["c2", "x"], ["y"], "residual"),
    ]
    constants = {
        "w0": _random(24, 6, 1, 1),
        "w1": _random(24, 1, 3, 3),
        "w2": _random(6, 24, 1, 1),
        "b2": _random(6),
        "low": np.float32(0),
        "high": np.float32(6),
    }
    shape = ("n", 6, 9, 11)
    model = small_models.model(
        nodes,
        [small_models.tensor("x", FLOAT, shape)],
        [small_models.tensor("y", FLOAT, shape)],
        constants,
    )
    text = _agree(model, {"x": _random(2, 6, 9, 11)})
    assert text.count('"flow.dispatch"') == 2  # the residual is added by the projection


EPILOGUES = {
    "relu": ("Relu", [], {}),
    "gelu": ("Gelu", [], {}),
    "add_row": ("Add", [_random(33)], {}),
    "add_column": ("Add", [_random(9, 1)], {}),
    "multiply_scalar": ("Mul", [np.float32(3)], {}),
    "to_half": ("Cast", [], {"to": TensorProto.FLOAT16}),
    "to_integer": ("Cast", [], {"to": TensorProto.INT32}),
    "to_double": ("Cast", [], {"to": TensorProto.DOUBLE}),
    "is_larger": ("Greater", [np.float32(0.5)], {}),
    "hard_swish": ("HardSwish", [], {}),
}


@pytest.mark.parametrize("name", EPILOGUES)
def test_epilogues(name: str) -> None:
    operator, others, attributes = EPILOGUES[name]
    names = [f"other{number}" for number in range(len(others))]
    element = attributes.get("to", TensorProto.BOOL if operator == "Greater" else FLOAT)
    model = small_models.model(
        [
            helper.make_node("MatMul", ["x", "w"], ["p"], "product"),
            helper.make_node(operator, ["p", *names], ["y"], "epilogue", **attributes),
        ],
        [small_models.tensor("x", FLOAT, [9, 12])],
        [small_models.tensor("y", element, [9, 33])],
        {"w": _random(12, 33), **dict(zip(names, others, strict=True))},
        opset=22,
    )
    # Half precision: one step of 2^-11, at numbers of at most 16.
    _agree(model, {"x": _random(9, 12)}, tolerance=1e-3 if name == "to_half" else 1e-5)


def test_a_product_that_is_used_twice() -> None:
    model = small_models.product((9, 5), 7)
    model.graph.output.append(small_models.tensor("sum", FLOAT, [9, 7]))
    _agree(model, {"x": _random(9, 5)})


def test_not_a_number_stays_one() -> None:
    x = _random(20, 5)
    x[3, 2], x[17, 0] = np.nan, np.inf
    y = omb.InferenceSession(small_models.product((20, 5), 33)).run(None, {"x": x})[0]
    without = omb.InferenceSession(small_models.product((20, 5), 33), opt_level=0)
    np.testing.assert_allclose(y, without.run(None, {"x": x})[0], rtol=1e-5)
    assert np.isfinite(np.delete(y, [3, 17], 0)).all()


@pytest.mark.parametrize("element", [FLOAT, TensorProto.DOUBLE])
def test_batches_of_products(element: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(element)
    model = small_models.model(
        [
            helper.make_node("Transpose", ["b"], ["t"], "transpose", perm=[0, 1, 3, 2]),
            helper.make_node("MatMul", ["a", "t"], ["s"], "scores"),
            helper.make_node("Softmax", ["s"], ["p"], "softmax"),
            helper.make_node("MatMul", ["p", "c"], ["y"], "mix"),
        ],
        [small_models.tensor(name, element, [2, 3, 131, 8]) for name in "abc"],
        [small_models.tensor("y", element, [2, 3, 131, 8])],
    )
    feed = {name: _random(2, 3, 131, 8, dtype=dtype) + ord(name) % 3 for name in "abc"}
    feed = {name: array.astype(dtype) for name, array in feed.items()}
    text = _agree(model, feed)
    assert text.count('"flow.dispatch"') == 2


def test_sequences_of_any_length() -> None:
    model = small_models.model(
        [
            helper.make_node("Transpose", ["b"], ["t"], "transpose", perm=[0, 1, 3, 2]),
            helper.make_node("MatMul", ["a", "t"], ["s"], "scores"),
            helper.make_node("Softmax", ["s"], ["p"], "softmax"),
            helper.make_node("MatMul", ["p", "c"], ["y"], "mix"),
        ],
        [small_models.tensor("a", FLOAT, ["n", 3, "m", 8])]
        + [small_models.tensor(name, FLOAT, ["n", 3, "k", 8]) for name in "bc"],
        [small_models.tensor("y", FLOAT, ["n", 3, "m", 8])],
    )
    sizes = [(2, 5, 7), (1, 1, 1), (1, 20, 33), (3, 1, 40), (0, 4, 4), (2, 16, 64)]
    feeds = (
        {"a": _random(n, 3, m, 8), "b": _random(n, 3, k, 8), "c": _random(n, 3, k, 8) + 1}
        for n, m, k in sizes
    )
    text = _agree(model, *feeds)
    assert text.count('"flow.dispatch"') == 2


def test_the_same_kernel_for_layers_that_are_alike() -> None:
    nodes, constants = [], {}
    for layer in range(4):
        nodes.append(helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], [f"x{layer + 1}"]))
        constants[f"w{layer}"] = _random(16, 16) / 4
    model = small_models.model(
        nodes,
        [small_models.tensor("x0", FLOAT, [20, 16])],
        [small_models.tensor("x4", FLOAT, [20, 16])],
        constants,
    )
    text = _agree(model, {"x0": _random(20, 16)})
    assert text.count('"flow.dispatch"') == 4
    assert text.count('"stream.executable"') == 1
