"""Kernels of several convolutions, row by row, against ONNX Runtime, in one module of all.

Sums of up to a thousand products of numbers around 1, scaled to be around 1 again, are within 1e-5
(relative, norm) of each other in f32, and within 3e-2 where factors are rounded to bf16. A byte may
be one step off where a sum lies halfway between two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models import reference
from models.joined import Together, joined
from models.targets import needs_kernels
from onnx import TensorProto, helper, numpy_helper

pytestmark = needs_kernels

Layer = tuple[str, dict[str, Any]]
Feed = dict[str, np.ndarray]


def conv(features: int, size: int = 1, stride: int = 1, **attributes: Any) -> Layer:
    pads = attributes.pop("pads", [size // 2] * 4)
    return "Conv", {"features": features, "size": size, "stride": stride, "pads": pads} | attributes


def depthwise(size: int = 3, stride: int = 1, **attributes: Any) -> Layer:
    return conv(0, size, stride, **attributes)


def pool(operator: str = "MaxPool", size: int = 3, stride: int = 2, **attributes: Any) -> Layer:
    return operator, {"size": size, "stride": stride, "pads": [1] * 4} | attributes


# the image's shape, layers (each is followed by Clip)
CASES: dict[str, tuple[tuple[int, ...], list[Layer]]] = {
    "inverted residual": ((1, 24, 12, 14), [conv(144), depthwise(), conv(24)]),
    "strides": ((1, 16, 13, 15), [conv(48), depthwise(stride=2), conv(32)]),
    "no padding": ((1, 8, 9, 9), [conv(33), depthwise(pads=[0] * 4), conv(7)]),
    "asymmetric": ((2, 16, 11, 8), [conv(96), depthwise(4, pads=[0, 1, 3, 2]), conv(40)]),
    "dilated": (
        (1, 16, 14, 10),
        [conv(64), depthwise(dilations=[2, 3], pads=[2, 3, 2, 3]), conv(16)],
    ),
    "stride over the window": ((1, 16, 13, 13), [conv(32), depthwise(2, 3, pads=[0] * 4)]),
    "large windows": ((1, 16, 9, 9), [conv(40), depthwise(7), conv(16)]),
    "first of 3 channels": ((1, 3, 20, 20), [conv(32, 3, 2), depthwise(), conv(16)]),
    "general first": ((1, 20, 7, 9), [conv(37, 3, 2, pads=[1, 0, 0, 1]), depthwise(5)]),
    "maximum": ((1, 3, 24, 24), [conv(64, 7, 2), pool()]),
    "average": ((3, 16, 9, 9), [conv(32), pool("AveragePool", 2, pads=[0] * 4), conv(48)]),
    "three rows": ((1, 32, 3, 5), [conv(128), depthwise(), conv(64)]),
    "one column": ((1, 8, 6, 1), [conv(16), depthwise(), conv(8)]),
    "two in a row": (
        (1, 16, 10, 10),
        [conv(48), depthwise(), conv(24), depthwise(5, 2), conv(16)],
    ),
}


def _model(case: str, batch: int | str | None = None) -> onnx.ModelProto:
    shape, layers = CASES[case]
    return _build(shape, layers, batch)


def _build(
    shape: tuple[int, ...], layers: list[Layer], batch: int | str | None = None, times: int = 1
) -> onnx.ModelProto:
    """``times`` adds as many blocks of the layers, each to what it is given."""
    random = np.random.default_rng(list(shape))
    nodes, weights, name, channels = [], [], "x", shape[1]
    limits = [numpy_helper.from_array(np.float32(v), f"limit{v}") for v in (-1, 2)]
    given = name
    for number, (operator, settings) in enumerate(layers * times):
        size, stride = settings["size"], settings["stride"]
        attributes = {k: v for k, v in settings.items() if k in ("pads", "dilations")}
        attributes |= {"kernel_shape": [size, size], "strides": [stride, stride]}
        inputs = [name]
        if operator == "Conv":
            features = settings["features"] or channels
            group = 1 if settings["features"] else channels
            filters = (features, channels // group, size, size)
            scale = np.sqrt(2 / np.prod(filters[1:]))
            weights.append((random.standard_normal(filters) * scale).astype(np.float32))
            weights.append(random.standard_normal(features).astype(np.float32))
            inputs += [f"w{len(weights) - 2}", f"w{len(weights) - 1}"]
            attributes["group"] = group
            channels = features
        nodes.append(helper.make_node(operator, inputs, [f"c{number}"], **attributes))
        nodes.append(helper.make_node("Clip", [f"c{number}", "limit-1", "limit2"], [f"a{number}"]))
        name = f"a{number}"
        is_last = (number + 1) % len(layers) == 0
        if is_last and channels == shape[1] and all(own["stride"] == 1 for _, own in layers):
            nodes.append(helper.make_node("Add", [name, given], [f"sum{number}"]))
            name = given = f"sum{number}"
    nodes[-1].output[0] = "y"
    dims = [shape[0] if batch is None else batch, *shape[1:]]
    graph = helper.make_graph(
        nodes,
        "streamed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        [*limits, *(numpy_helper.from_array(w, f"w{n}") for n, w in enumerate(weights))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def _image(shape: tuple[int, ...]) -> Feed:
    return {"x": np.random.default_rng(list(shape)).standard_normal(shape).astype(np.float32)}


def _feed(case: str, batch: int | None = None) -> Feed:
    shape = CASES[case][0]
    return _image((shape[0] if batch is None else batch, *shape[1:]))


def _check(
    models: list[onnx.ModelProto],
    feeds: list[Feed],
    tolerance: float = 1e-5,
    **options: Any,
) -> None:
    together = Together(models, **options)
    for _ in range(2):
        actual = together.run(feeds)
        for model, feed, got in zip(models, feeds, actual, strict=True):
            expected = reference.onnxruntime_outputs(model, feed)
            reference.assert_agree(["y"], got, expected, tolerance)


@pytest.mark.parametrize(
    ("cpu", "threads"), [("host", 1), ("host", 2), ("x86-64-v3", 2), ("host", 7)]
)
def test_known_sizes(cpu: str, threads: int) -> None:
    models = [_model(case) for case in CASES]
    compiled = omb.compile(joined(models), fallback="error", cpu=cpu, threads=threads)
    layers = sum(len(layers) for _, layers in CASES.values())
    kernels = compiled.emit("vector").count('"flow.dispatch"')
    # Of one thread, each case is a kernel, but for the end of the last one. Among more, some have
    # too few rows to be divided, so that there are kernels of two.
    fewest = len(CASES) + 2
    assert kernels == fewest if threads == 1 else fewest < kernels < layers
    _check(models, [_feed(case) for case in CASES], compiled=compiled)


@pytest.mark.parametrize("count", [1, 3])
def test_unknown_number_of_images(count: int) -> None:
    cases = ("inverted residual", "strides", "asymmetric", "maximum")
    models = [_model(case, "n") for case in cases]
    _check(models, [_feed(case, count) for case in cases], threads=2, fallback="error")


def test_no_images() -> None:
    model = _model("inverted residual", "n")
    session = omb.InferenceSession(model, threads=2)
    assert session.run(None, {"x": np.zeros((0, 24, 12, 14), np.float32)})[0].shape[0] == 0


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_narrow_weights(precision: str) -> None:
    cases = ("inverted residual", "strides", "asymmetric", "first of 3 channels", "maximum")
    models = [_model(case) for case in cases]
    _check(models, [_feed(case) for case in cases], 3e-2, precision=precision, threads=2)


def test_other_number_of_threads() -> None:
    """What is compiled for two threads gives the same on one and on three."""
    compiled = omb.compile(_model("strides"), threads=2)
    runs = [
        omb.InferenceSession(compiled, threads=n).run(None, _feed("strides"))[0] for n in (1, 2, 3)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_result_that_others_read() -> None:
    """What is between the two is an output, too: both are there."""
    model = _model("inverted residual")
    model.graph.output.append(helper.make_tensor_value_info("a0", TensorProto.FLOAT, [None] * 4))
    feed = _feed("inverted residual")
    expected = reference.onnxruntime_outputs(model, feed)
    actual = omb.InferenceSession(model, threads=2).run(None, feed)
    reference.assert_agree(["y", "a0"], actual, expected, 1e-5)


def _branches(kind: str) -> onnx.ModelProto:
    """Two depthwise convolutions, or pools, of one image or of two; and a shortcut."""
    random = np.random.default_rng(3)
    weights = {
        name: random.standard_normal(shape).astype(np.float32)
        for name, shape in (
            ("a", (32, 16, 1, 1)),
            ("b", (32, 16, 1, 1)),
            ("c", (32, 1, 3, 3)),
            ("d", (32, 1, 3, 3)),
            ("e", (32, 32, 1, 1)),
        )
    }

    def depthwise(image: str, weight: str, result: str) -> onnx.NodeProto:
        return helper.make_node("Conv", [image, weight], [result], pads=[1] * 4, group=32)

    def pooled(image: str, result: str, operator: str) -> onnx.NodeProto:
        return helper.make_node(operator, [image], [result], kernel_shape=[3, 3], pads=[1] * 4)

    first = helper.make_node("Conv", ["x", "a"], ["p"])
    second = helper.make_node("Conv", ["x", "b"], ["q"])
    add = helper.make_node("Add", ["r", "s"], ["y" if kind != "shortcut" else "t"])
    nodes = {
        "image": [first, depthwise("p", "c", "r"), depthwise("p", "d", "s"), add],
        "pools": [first, pooled("p", "r", "MaxPool"), pooled("p", "s", "AveragePool"), add],
        "sum": [first, second, depthwise("p", "c", "r"), depthwise("q", "d", "s"), add],
        "shortcut": [
            first,
            depthwise("p", "c", "u"),
            helper.make_node("Conv", ["u", "e"], ["r"]),
            helper.make_node("Conv", ["x", "b"], ["s"]),
            add,
            depthwise("t", "d", "y"),
        ],
    }[kind]
    graph = helper.make_graph(
        nodes,
        "branches",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 10, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


@pytest.mark.parametrize("threads", [1, 2])
def test_branches(threads: int) -> None:
    models = [_branches(kind) for kind in ("image", "pools", "sum", "shortcut")]
    x = np.random.default_rng(4).standard_normal((1, 16, 10, 9)).astype(np.float32)
    _check(models, [{"x": x}] * len(models), threads=threads, fallback="error")


def _quantized(model: onnx.ModelProto, feed: Feed, tmp_path: Any) -> onnx.ModelProto:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds = iter([feed])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.feeds, None)

    onnx.save(model, tmp_path / "model.onnx")
    quantize_static(
        tmp_path / "model.onnx",
        tmp_path / "quantized.onnx",
        Reader(),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return onnx.load(tmp_path / "quantized.onnx")


# the image's shape, layers, how often, threads
QUANTIZED = {
    **{name: (*CASES[name], 1, 2) for name in ("inverted residual", "strides", "maximum")},
    # They share a kernel. A matrix unit has too few registers for the matrices of both products,
    # unless these have one size.
    "residuals": ((1, 24, 56, 56), [conv(144), depthwise(), conv(24)], 3, 2),
    # They can't have.
    "other rows": ((1, 24, 50, 50), [conv(192), depthwise(stride=3), conv(64)], 1, 1),
}


@pytest.mark.parametrize("case", QUANTIZED)
def test_quantized(case: str, tmp_path: Any) -> None:
    shape, layers, times, threads = QUANTIZED[case]
    feed = _image(shape)
    model = _quantized(_build(shape, layers, times=times), feed, tmp_path)
    (expected,) = reference.onnxruntime_outputs(model, feed)
    session = omb.InferenceSession(model, threads=threads, fallback="error")
    (actual,) = session.run(None, feed)
    step = max(
        float(numpy_helper.to_array(each))
        for each in model.graph.initializer
        if each.name.startswith("y") and each.name.endswith("_scale")
    )
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1.01 * step)


@st.composite
def _blocks(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Layer]]:
    size, stride = draw(st.sampled_from([2, 3, 5])), draw(st.integers(1, 3))
    pads = draw(st.lists(st.integers(0, size - 1), min_size=4, max_size=4))
    shape = (
        draw(st.integers(1, 3)),
        draw(st.sampled_from([3, 8, 17, 32])),
        draw(st.integers(size, 19)),
        draw(st.integers(size, 19)),
    )
    first = conv(draw(st.sampled_from([16, 20, 48, 100])), draw(st.sampled_from([1, 3])))
    middle = depthwise(size, stride, pads=pads)
    last = [conv(draw(st.sampled_from([5, 16, 40])))] if draw(st.booleans()) else []
    return shape, [first, middle, *last]


@examples(12)
@given(_blocks(), st.integers(1, 4))
def test_any_block(block: tuple[tuple[int, ...], list[Layer]], threads: int) -> None:
    model = _build(*block)
    x = np.random.default_rng(0).standard_normal(block[0]).astype(np.float32)
    (expected,) = reference.onnxruntime_outputs(model, {"x": x})
    (actual,) = omb.InferenceSession(model, threads=threads).run(None, {"x": x})
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)
