"""The kernels of vector code against ONNX Runtime: sizes around those of tiles, panels and vectors.

Sums of up to some hundred products of numbers around 1 in f32: 1e-5 relative to the largest is ten
times the error that another order of summation gives.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import onnxruntime
import pytest
import small_models
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models import reference
from models.joined import Together
from models.targets import needs_kernels
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT
CHANNELS = (1, 2, 3, 8, 15, 16, 17, 31, 33, 48, 50, 64, 65, 100, 130)
PRODUCTS = examples(13)

pytestmark = needs_kernels


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


@PRODUCTS
@given(
    st.integers(1, 40), st.integers(1, 70), st.sampled_from(CHANNELS), st.booleans(), st.booleans()
)
def test_products(rows: int, inner: int, channels: int, is_dynamic: bool, is_wide: bool) -> None:
    model = small_models.product(("m" if is_dynamic else rows, inner), channels)
    x = _random(rows, inner)
    more = [{"x": _random(size, inner)} for size in (1, 13, 29)] if is_dynamic else []
    text = _agree(model, {"x": x}, *more, cpu="host" if is_wide else "x86-64-v3")
    assert "vector.fma" in text or channels <= 4  # too few to fill a vector


@examples(4)
@given(
    st.sampled_from([28, 49, 57, 128, 200]),
    st.integers(1300, 4200),
    st.sampled_from([32, 48, 50, 97, 192]),
    st.integers(0, 3),
    st.booleans(),
)
def test_long_sums(rows: int, inner: int, channels: int, threads: int, is_wide: bool) -> None:
    """Sums in parts, which are in memory meanwhile."""
    model = small_models.product((rows, inner), channels)
    cpu = "host" if is_wide else "x86-64-v3"
    # Four thousand products, of which each sum rounds.
    _agree(model, {"x": _random(rows, inner)}, tolerance=3e-5, cpu=cpu, threads=threads or None)


def test_long_sums_are_made_in_parts() -> None:
    x = _random(64, 3072)
    text = _agree(small_models.product((64, 3072), 192), {"x": x}, tolerance=3e-5, threads=2)
    sums = "memref.alloca() {alignment = 64 : i64} : memref<"
    assert text.count(sums) == 1


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


@st.composite
def _convolutions(draw: st.DrawFn) -> tuple[onnx.ModelProto, np.ndarray, bool]:
    """A model, its image, and whether its channels are enough for a kernel."""
    rank = draw(st.integers(1, 3))
    image = draw(st.lists(st.integers(1, 20), min_size=rank, max_size=rank))
    kind = draw(st.sampled_from(("dense", "grouped", "depthwise")))
    if kind == "depthwise":
        groups, inputs, outputs = draw(st.sampled_from(CHANNELS)), 1, draw(st.integers(1, 2))
    else:
        groups = 1 if kind == "dense" else draw(st.integers(2, 3))
        inputs = draw(st.sampled_from((1, 3, 4, 17)))
        outputs = draw(st.sampled_from(CHANNELS))
    windows = draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    strides = draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))
    dilation = draw(st.integers(1, 2))
    pads = draw(st.lists(st.integers(0, 3), min_size=2 * rank, max_size=2 * rank))
    for dim, window in enumerate(windows):
        pads[dim] += max(0, (window - 1) * dilation + 1 - image[dim])
    model = _convolution(
        (draw(st.integers(1, 3)), groups * inputs, *image),
        _random(groups * outputs, inputs, *windows),
        draw(st.booleans()),
        group=groups,
        strides=strides,
        dilations=[dilation] * rank,
        pads=pads,
    )
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    is_alone = groups == 1 or rank == 2 or (kind == "depthwise" and outputs == 1)
    return model, _random(*shape), is_alone and (kind == "depthwise" or outputs > 4)


@examples(20)
@given(_convolutions(), st.booleans())
def test_convolutions(case: tuple[onnx.ModelProto, np.ndarray, bool], is_wide: bool) -> None:
    model, image, is_kernel = case
    text = _agree(model, {"x": image}, cpu="host" if is_wide else "x86-64-v3")
    assert "vector.fma" in text or not is_kernel


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_one_position_and_few_filters(rank: int) -> None:
    """What IREE can't compile is a kernel, even if most of a vector is for nothing."""
    sizes = [(outputs, batch) for outputs in (1, 2, 3, 4, 5, 16) for batch in (1, 2)]
    models = [
        _convolution((batch, 16, *[1] * rank), _random(outputs, 16, *[1] * rank))
        for outputs, batch in sizes
    ]
    feeds = [{"x": _random(batch, 16, *[1] * rank)} for _, batch in sizes]
    for cpu in ("host", "x86-64-v3"):
        session = Together(models, cpu=cpu)
        for model, values, found in zip(models, feeds, session.run(feeds), strict=True):
            (expected,) = reference.onnxruntime_outputs(model, values)
            np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("columns", [6, 14, 20])
def test_rows_that_share_a_set_of_the_cache(columns: int) -> None:
    """1024 values of f32 are 4 KiB: rows that far apart get smaller tiles."""
    scale = np.float32(1 / 32)
    model = _convolution((1, 1024, 3, columns), _random(40, 1024, 1, 1) * scale)
    _agree(model, {"x": _random(1, 1024, 3, columns)})


def test_weights_that_are_transposed() -> None:
    model = small_models.model(
        [
            helper.make_node("Transpose", ["w"], ["t"], "transpose"),
            helper.make_node("MatMul", ["x", "t"], ["p"], "product"),
            helper.make_node("Gather", ["w", "i"], ["row"], "look_up"),
            helper.make_node("Add", ["p", "bias"], ["y"], "add"),
        ],
        [
            small_models.tensor("x", FLOAT, ["m", 20]),
            small_models.tensor("i", TensorProto.INT64, []),
        ],
        [small_models.tensor("y", FLOAT, ["m", 33]), small_models.tensor("row", FLOAT, [20])],
        {"w": _random(33, 20), "bias": _random(33)},
    )
    text = _agree(model, {"x": _random(17, 20), "i": np.array(3)})
    assert "linalg.transpose" not in text


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
    assert text.count('"flow.dispatch"') == 2  # two convolutions; one and the residual
    assert "tensor.pad" not in text


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
    dims, square = [2, 3, 131, 8], [2, 3, 131, 131]
    dtype = helper.tensor_dtype_to_np_dtype(element)
    model = small_models.model(
        [
            helper.make_node("Transpose", ["b"], ["t"], "transpose", perm=[0, 1, 3, 2]),
            helper.make_node("MatMul", ["a", "t"], ["s"], "scores"),
            helper.make_node("Softmax", ["s"], ["p"], "softmax"),
            helper.make_node("MatMul", ["p", "c"], ["y"], "mix"),
        ],
        [small_models.tensor(name, element, dims) for name in "abc"],
        # Probabilities that are a result, too, are no part of a kernel of attention.
        [small_models.tensor(*y) for y in (("y", element, dims), ("p", element, square))],
    )
    feed = {name: _random(2, 3, 131, 8, dtype=dtype) + ord(name) % 3 for name in "abc"}
    feed = {name: array.astype(dtype) for name, array in feed.items()}
    text = _agree(model, feed)
    assert text.count('"flow.dispatch"') == 3  # two products, a softmax


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
        [
            small_models.tensor("y", FLOAT, ["n", 3, "m", 8]),
            small_models.tensor("p", FLOAT, ["n", 3, "m", "k"]),
        ],
    )
    sizes = [(2, 5, 7), (1, 1, 1), (1, 20, 33), (3, 1, 40), (0, 4, 4), (2, 16, 64)]
    feeds = (
        {"a": _random(n, 3, m, 8), "b": _random(n, 3, k, 8), "c": _random(n, 3, k, 8) + 1}
        for n, m, k in sizes
    )
    text = _agree(model, *feeds)
    assert text.count('"flow.dispatch"') == 3  # two products, a softmax


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


def _graph_of(
    nodes: list[onnx.NodeProto],
    x: np.ndarray,
    initializers: dict[str, np.ndarray],
    outputs: dict[str, int],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, x.shape)],
        [helper.make_tensor_value_info(name, element, None) for name, element in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("operator", ["ReduceSum", "GlobalAveragePool"])
def test_a_sum_of_a_product(operator: str) -> None:
    """What is done to the sum isn't done to the product."""
    initializers = {"w": _random(64, 40), "axes": np.array([1], np.int64)}
    x = _random(6, 64)
    product = helper.make_node("MatMul", ["x", "w"], ["p"])
    total = helper.make_node("ReduceSum", ["p", "axes"], ["s"], keepdims=0)
    if operator == "GlobalAveragePool":
        initializers, x = {"w": _random(40, 32, 1, 1)}, _random(2, 32, 7, 7)
        product = helper.make_node("Conv", ["x", "w"], ["p"])
        total = helper.make_node("GlobalAveragePool", ["p"], ["s"])
    nodes = [product, total, helper.make_node("Relu", ["s"], ["y"])]
    _agree(_graph_of(nodes, x, initializers, {"y": FLOAT}), {"x": x})


@pytest.mark.parametrize("element", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_a_cast_of_a_product_is_its_readers_alone(element: int) -> None:
    """What else reads the product reads it as it is."""
    x, weights = _random(8, 64), _random(64, 64)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Relu", ["p"], ["r"]),
        helper.make_node("Cast", ["r"], ["n"], to=element),
        helper.make_node("Mul", ["r", "three"], ["y"]),
    ]
    initializers = {"w": weights, "three": np.array(3, np.float32)}
    model = _graph_of(nodes, x, initializers, {"n": element, "y": FLOAT})
    y = omb.InferenceSession(model, providers=["cpu"]).run(["y"], {"x": x})[0]
    expected = 3 * np.maximum(x.astype(np.float64) @ weights, 0)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 * expected.max())
