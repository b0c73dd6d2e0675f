"""Convolutions of 3x3 with fewer multiplications, against ONNX Runtime's sums of products.

The transforms to 4 x 4 outputs multiply by numbers up to 32 and subtract what they made large; so
rounding errors are up to ten times those of a sum of products, 2.5e-6 (norm) in what was measured.
The bound is 1e-5.
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
from models.joined import Together
from models.targets import needs_kernels
from onnx import TensorProto, helper
from onnx_mlir_bridge.compiler import emit

BOUND = 1e-5

pytestmark = needs_kernels


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(np.float32)


def _convolution(
    shape: tuple[int | str, int, int, int],
    channels: int,
    pads: tuple[int, ...] = (1, 1, 1, 1),
    after: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """Conv of 1x1, Conv of 3x3 with a bias, and `after`: "Add" adds an input z of its shape.

    The first one has the second read an image with its channels last, with its padding.
    """
    weights = _random(channels, shape[1], 3, 3) / np.float32(3 * shape[1] ** 0.5)
    first = _random(shape[1], shape[1], 1, 1) / np.float32(shape[1] ** 0.5)
    out = [shape[0], channels, shape[2] + pads[0] + pads[2] - 2, shape[3] + pads[1] + pads[3] - 2]
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["x0"]),
        helper.make_node("Conv", ["x0", "w", "b"], ["y0"], pads=pads),
    ]
    for number, operator in enumerate(after):
        others = ["z"] if operator == "Add" else []
        nodes.append(helper.make_node(operator, [f"y{number}", *others], [f"y{number + 1}"]))
    inputs = [small_models.tensor("x", TensorProto.FLOAT, list(shape))]
    if "Add" in after:
        inputs.append(small_models.tensor("z", TensorProto.FLOAT, out))
    output = small_models.tensor(f"y{len(after)}", TensorProto.FLOAT, out)
    constants = {"v": first, "w": weights, "b": _random(channels)}
    return small_models.model(nodes, inputs, [output], constants)


def _close(got: np.ndarray, model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> None:
    """To what ONNX Runtime computes."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, feed)
    error = np.linalg.norm((got - expected).astype(np.float64)) / np.linalg.norm(expected)
    assert got.shape == expected.shape
    assert error < BOUND, f"an error of {error} in a result of {got.shape}"


def _check(model: onnx.ModelProto, feed: dict[str, np.ndarray], **options: object) -> str:
    compiled = omb.compile(model, **options)
    (got,) = omb.InferenceSession(compiled, ["cpu"]).run(None, feed)
    _close(got, model, feed)
    return compiled.emit("vector")


def _kernels(text: str) -> int:
    return text.count('"stream.executable"(') + text.count("stream.executable private")


@examples(6)
@given(
    st.sampled_from(["host", "x86-64-v3"]),
    st.sampled_from([48, 96]),
    st.sampled_from([64, 80]),
    st.integers(3, 33),
    st.integers(3, 33),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.sampled_from([(), ("Relu",), ("Add", "Relu"), ("Sigmoid",), ("Tanh", "Add")]),
)
def test_any_sizes(
    cpu: str,
    inputs: int,
    outputs: int,
    rows: int,
    columns: int,
    pads: tuple[int, ...],
    after: tuple[str, ...],
) -> None:
    model = _convolution((2, inputs, rows, columns), outputs, pads, after)
    out = [each.dim_value for each in model.graph.output[0].type.tensor_type.shape.dim]
    feed = {"x": _random(2, inputs, rows, columns)}
    if "Add" in after:
        feed["z"] = _random(*out)
    assert _kernels(_check(model, feed, cpu=cpu)) in (2, 4)  # small ones are sums of products


BORDERS = [
    (5, 28, (1, 1, 1, 1)),  # fewer rows than a square has
    (28, 5, (1, 1, 1, 1)),
    (5, 28, (0, 1, 2, 1)),
    (3, 40, (1, 1, 1, 1)),
    (30, 31, (2, 0, 0, 2)),
    (29, 29, (0, 0, 0, 0)),
]


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3"])
def test_borders(cpu: str) -> None:
    models, feeds = [], []
    for rows, columns, pads in BORDERS:
        models.append(_convolution((8, 128, rows, columns), 128, pads, ("Relu",)))
        feeds.append({"x": _random(8, 128, rows, columns)})
        assert _kernels(emit(models[-1], "vector", cpu=cpu)) == 4
    results = Together(models, providers=["cpu"], cpu=cpu).run(feeds)
    for model, feed, (got,) in zip(models, feeds, results, strict=True):
        _close(got, model, feed)


def test_an_unknown_number_of_images() -> None:
    model = _convolution(("n", 64, 30, 31), 64, after=("Add", "Relu"))
    compiled = omb.compile(model)
    assert _kernels(compiled.emit("vector")) == 4
    session = omb.InferenceSession(compiled, ["cpu"])
    for images in (1, 3):
        feed = {"x": _random(images, 64, 30, 31), "z": _random(images, 64, 30, 31)}
        _close(session.run(None, feed)[0], model, feed)


@pytest.mark.parametrize("shape", [(1, "c", 28, 28), ("n", "c", 28, 28)], ids=str)
def test_an_unknown_number_of_channels(shape: tuple[int | str, ...]) -> None:
    model = _convolution((1, 64, 28, 28), 64)
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        if isinstance(size, str):
            dim.dim_param = size
    del model.graph.node[0]
    model.graph.node[0].input[0] = "x"
    _check(model, {"x": _random(1, 64, 28, 28)})


def _sliced(shape: tuple[int | str, ...], ends: dict[int, int | str]) -> onnx.ModelProto:
    """The first elements of a convolution without a bias; a name is an input with the end."""
    model = _convolution((shape[0], 64, 28, 28), 64)
    model.graph.node[1].input.pop()
    if any(isinstance(end, str) for end in ends.values()):
        model.graph.input.append(small_models.tensor("ends", TensorProto.INT64, [len(ends)]))
    else:
        constant = onnx.numpy_helper.from_array(np.array(list(ends.values()), np.int64), "ends")
        model.graph.initializer.append(constant)
    for name, values in (("starts", [0] * len(ends)), ("axes", list(ends))):
        constant = onnx.numpy_helper.from_array(np.array(values, np.int64), name)
        model.graph.initializer.append(constant)
    model.graph.node.append(helper.make_node("Slice", ["y0", "starts", "ends", "axes"], ["s"]))
    del model.graph.output[:]
    model.graph.output.append(small_models.tensor("s", TensorProto.FLOAT, [None] * 4))
    return model


def test_parts_of_the_result() -> None:
    parts = [{2: 27}, {2: 20}, {2: 20, 3: 20}, {3: 4}, {0: 1, 2: 24}]
    models = [_sliced((2,), ends) for ends in parts]
    feed = {"x": _random(2, 64, 28, 28)}
    results = Together(models, providers=["cpu"]).run([feed] * len(models))
    for model, (got,) in zip(models, results, strict=True):
        _close(got, model, feed)


def test_parts_of_an_unknown_size() -> None:
    feed = {"x": _random(1, 64, 28, 28), "ends": np.array([17], np.int64)}
    _check(_sliced((1,), {2: "ends"}), feed)


def test_some_of_an_unknown_number_of_images() -> None:
    """What follows has another number of images than what the convolution is of."""
    model = _convolution(("n", 64, 28, 28), 64)
    model.graph.node[1].input.pop()
    model.graph.node.append(helper.make_node("Split", ["y0"], ["s", "t"], num_outputs=2))
    axes = onnx.numpy_helper.from_array(np.array([0], np.int64), "axes")
    model.graph.initializer.append(axes)
    model.graph.node.append(helper.make_node("ReduceSum", ["s", "axes"], ["sum"]))
    del model.graph.output[:]
    model.graph.output.append(small_models.tensor("sum", TensorProto.FLOAT, [1, 64, 28, 28]))
    _check(model, {"x": _random(4, 64, 28, 28)})


def test_small_tiles() -> None:
    """The fewer places, the longer take weights; tiles of 2 x 2 have fewer than those of 4 x 4."""
    text = _check(_convolution((1, 256, 14, 14), 256), {"x": _random(1, 256, 14, 14)})
    assert "tensor<4x4x7x7x1x256xf32>" in text
    text = _check(_convolution((1, 512, 7, 7), 512), {"x": _random(1, 512, 7, 7)})
    assert _kernels(text) == 2


def test_one_after_the_other() -> None:
    """The second reads what the first gives; both have the same kernels."""
    first = _convolution((1, 64, 28, 28), 64, after=("Relu",))
    nodes = [*first.graph.node, helper.make_node("Conv", ["y1", "w", "b"], ["y2"], pads=[1] * 4)]
    shape = [1, 64, 28, 28]
    model = small_models.model(
        nodes,
        [small_models.tensor("x", TensorProto.FLOAT, shape)],
        [small_models.tensor("y2", TensorProto.FLOAT, shape)],
        {each.name: onnx.numpy_helper.to_array(each) for each in first.graph.initializer},
    )
    assert _kernels(_check(model, {"x": _random(*shape)})) == 5


def test_a_result_that_others_read() -> None:
    """The activation can't be part of the kernel."""
    model = _convolution((1, 64, 28, 28), 64, after=("Relu",))
    model.graph.output.append(small_models.tensor("y0", TensorProto.FLOAT, [1, 64, 28, 28]))
    x = _random(1, 64, 28, 28)
    activated, plain = omb.InferenceSession(model, ["cpu"]).run(None, {"x": x})
    np.testing.assert_array_equal(activated, np.maximum(plain, 0))
    assert plain.min() < 0


def test_it_can_be_left_out() -> None:
    model = _convolution((1, 64, 28, 28), 64)
    feed = {"x": _random(1, 64, 28, 28)}
    assert _kernels(_check(model, feed, winograd=False)) == 2
    with pytest.raises(omb.OmbError, match="winograd must be True or False, not 'off'"):
        omb.compile(model, winograd="off")


def test_narrow_weights_are_multiplied_as_they_are() -> None:
    model = _convolution((1, 64, 28, 28), 64)
    assert "6x6x" not in emit(model, "vector", precision="bf16")
