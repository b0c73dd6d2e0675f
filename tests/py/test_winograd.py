"""Convolutions of 3x3 with fewer multiplications, against ONNX Runtime's sums of products.

The transforms to 4 x 4 outputs multiply by numbers up to 32 and subtract what they made large; so
rounding errors are up to ten times those of a sum of products, 2e-6 (norm) in what was measured.
The bound is 1e-5.
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
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

BOUND = 1e-5

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="kernels are generated for x86-64 with AVX2 or AVX-512"
)


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(np.float32)


def _convolution(
    shape: tuple[int | str, int, int, int],
    channels: int,
    pads: tuple[int, ...] = (1, 1, 1, 1),
    after: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """Conv with a bias, and then `after`: "Add" adds an input z, of the output's shape."""
    weights = _random(channels, shape[1], 3, 3) / np.float32(3 * shape[1] ** 0.5)
    out = [shape[0], channels, shape[2] + pads[0] + pads[2] - 2, shape[3] + pads[1] + pads[3] - 2]
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y0"], pads=pads)]
    for number, operator in enumerate(after):
        others = ["z"] if operator == "Add" else []
        nodes.append(helper.make_node(operator, [f"y{number}", *others], [f"y{number + 1}"]))
    inputs = [small_models.tensor("x", TensorProto.FLOAT, list(shape))]
    if "Add" in after:
        inputs.append(small_models.tensor("z", TensorProto.FLOAT, out))
    output = small_models.tensor(f"y{len(after)}", TensorProto.FLOAT, out)
    return small_models.model(nodes, inputs, [output], {"w": weights, "b": _random(channels)})


def _check(model: onnx.ModelProto, feed: dict[str, np.ndarray], **options: object) -> str:
    compiled = omb.compile(model, **options)
    (got,) = omb.InferenceSession(compiled, ["cpu"]).run(None, feed)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, feed)
    error = np.linalg.norm((got - expected).astype(np.float64)) / np.linalg.norm(expected)
    assert got.shape == expected.shape
    assert error < BOUND
    return compiled.emit("vector")


def _kernels(text: str) -> int:
    return text.count('"stream.executable"(') + text.count("stream.executable private")


@settings(DETERMINISTIC, max_examples=15)
@given(
    st.sampled_from(["host", "x86-64-v3"]),
    st.sampled_from([32, 48, 96]),
    st.sampled_from([32, 80]),
    st.integers(8, 33),
    st.integers(8, 33),
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
    text = _check(model, feed, cpu=cpu)
    assume(_kernels(text) == 3)  # else it was faster as it was


@pytest.mark.parametrize("images", [1, 3])
def test_an_unknown_number_of_images(images: int) -> None:
    model = _convolution(("n", 64, 30, 31), 64, after=("Add", "Relu"))
    feed = {"x": _random(images, 64, 30, 31), "z": _random(images, 64, 30, 31)}
    assert _kernels(_check(model, feed)) == 3


def test_small_tiles() -> None:
    """Few places and many channels: the weights of tiles of 4 x 4 would be read too long."""
    model = _convolution((1, 512, 7, 7), 512)
    text = _check(model, {"x": _random(1, 512, 7, 7)})
    assert "tensor<4x4x4x4x1x512xf32>" in text


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
    assert _kernels(_check(model, {"x": _random(*shape)})) == 4


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
    assert _kernels(_check(model, feed, winograd=False)) == 1
    with pytest.raises(omb.OmbError, match="winograd must be True or False, not 'off'"):
        omb.compile(model, winograd="off")


def test_narrow_weights_are_multiplied_as_they_are() -> None:
    model = _convolution((1, 64, 28, 28), 64)
    text = omb.compile(model, precision="bf16").emit("vector")
    assert _kernels(text) <= 2  # one may round the input
    assert "winograd" not in text
