"""The quantizer's models: what is in them, what ONNX Runtime makes of them, and how good they are.

ONNX Runtime runs without its optimizations, which drop pairs and so round less often than a model
says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models import quantized, stored
from models.graph import FLOAT, Graph
from models.reference import relative_error
from onnx import TensorProto, numpy_helper

Feeds = dict[str, np.ndarray]


def _run(model: onnx.ModelProto | Path, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """ONNX Runtime's outputs; it takes no model that isn't valid."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(feeds))


def _snr(exact: onnx.ModelProto | Path, rounded: onnx.ModelProto, data: Sequence[Feeds]) -> float:
    pairs = [(_run(exact, feeds)[0], _run(rounded, feeds)[0]) for feeds in data]
    signal = sum(np.square(a, dtype=np.float64).sum() for a, _ in pairs)
    noise = sum(np.square(a - b, dtype=np.float64).sum() for a, b in pairs)
    return 10 * np.log10(signal / noise)


def _normal(count: int, **shapes: tuple[int, ...]) -> list[Feeds]:
    random = np.random.default_rng(11)
    return [
        {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        for _ in range(count)
    ]


class Structure:
    """Producers, readers and constants of a model's main graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def ops(self, op_type: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if node.op_type == op_type]

    def readers(self, name: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if name in node.input]

    def has_pair(self, name: str) -> bool:
        """Whether all that read a value read it through a pair."""
        readers = self.readers(name)
        return [node.op_type for node in readers] == ["QuantizeLinear"]

    def is_dequantized(self, name: str) -> bool:
        return name in self.maker and self.maker[name].op_type == "DequantizeLinear"

    def parameters(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Scale and zero point of a DequantizeLinear's result."""
        node = self.maker[name]
        return self.constants[node.input[1]], self.constants[node.input[2]]


# --- static -------------------------------------------------------------------------------------


def _network() -> onnx.ModelProto:
    """All that pairs go around, an operator that they don't, and a value that is read twice."""
    g = Graph("network", opset=13)
    x = g.input("x", FLOAT, ["n", 3, 12, 12])

    def conv(x: str, features: int, channels: int, **attributes: object) -> str:
        return g.op("Conv", x, g.weight(features, channels, 3, 3), pads=[1] * 4, **attributes)

    def norm(x: str, channels: int) -> str:
        values = g.scale(channels), g.bias(channels), g.bias(channels), g.scale(channels)
        return g.op("BatchNormalization", x, *values)

    stem = g.op("Relu", norm(conv(x, 8, 3), 8))
    stem = g.op("MaxPool", stem, kernel_shape=[2, 2], strides=[2, 2])
    y = g.op("Add", conv(stem, 8, 8), g.constant(g.random.standard_normal((8, 1, 1))))
    y = g.op("Relu", g.op("Add", y, stem))
    a = g.op("Clip", conv(y, 4, 8), g.constant(-1.0), g.constant(1.0))
    b = g.op("ConvTranspose", y, g.weight(8, 2, 1, 1), g.bias(4), group=2)
    z = g.op("Concat", a, b, axis=1)
    z = g.op("Mul", z, g.op("Sigmoid", z))
    z = g.op("GlobalAveragePool", g.op("Conv", z, g.weight(6, 8, 1, 1), g.bias(6)))
    z = g.op("Reshape", z, g.ints(-1, 6))
    z = g.op("Relu", g.op("Add", g.op("MatMul", z, g.weight(6, 6)), g.bias(6)))
    z = g.op("MatMul", z, g.op("Transpose", z, perm=[1, 0]))
    g.output(g.op("Gemm", z, g.weight(5, 4), g.bias(5), transB=1, alpha=0.5), "y", FLOAT, ["n", 5])
    return g.model()


NETWORK_DATA = _normal(6, x=(4, 3, 12, 12))


@pytest.fixture(scope="module")
def network() -> omb.QuantizedModel:
    return omb.quantize(_network(), NETWORK_DATA[:4], evaluate=False)


def test_pairs(network: omb.QuantizedModel) -> None:
    """Around each operator that takes integers, and none in between what is folded."""
    onnx.checker.check_model(network.model, full_check=True)
    s = Structure(network.model)
    assert not s.ops("BatchNormalization")
    for kind in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
        for node in s.ops(kind):
            assert all(s.is_dequantized(name) for name in node.input), node.name
    assert [len(s.ops(kind)) for kind in ("Conv", "Add", "Relu", "Clip")] == [4, 2, 3, 1]
    for node in (*s.ops("Relu"), *s.ops("Clip"), *s.ops("Concat"), *s.ops("GlobalAveragePool")):
        assert s.has_pair(node.output[0]), node.name
        if node.op_type in ("Relu", "Clip"):
            assert s.maker[node.input[0]].op_type in ("Conv", "Add"), node.name
            assert len(s.readers(node.input[0])) == 1
    residual, bias = s.ops("Add")
    assert all(s.is_dequantized(name) for name in residual.input)
    assert s.maker[bias.input[0]].op_type == "MatMul"
    (sigmoid,) = s.ops("Sigmoid")
    assert [node.op_type for node in s.readers(sigmoid.output[0])] == ["Mul"]
    (output,) = (node for node in s.nodes if "y" in node.output)
    assert s.maker[output.input[0]].op_type == "Gemm"  # behind an Identity


def test_parameters(network: omb.QuantizedModel) -> None:
    s = Structure(network.model)
    for node in (*s.ops("Conv"), *s.ops("ConvTranspose"), *s.ops("Gemm")):
        data, _ = s.parameters(node.input[0])
        scale, zero = s.parameters(node.input[1])
        weight = s.constants[s.maker[node.input[1]].input[0]]
        assert weight.dtype == zero.dtype == np.int8
        assert not zero.any()
        (axis,) = (a.i for a in s.maker[node.input[1]].attribute if a.name == "axis")
        assert axis == (1 if node.op_type == "ConvTranspose" else 0)
        assert scale.shape == (weight.shape[axis],)
        if len(node.input) > 2:
            bias = s.constants[s.maker[node.input[2]].input[0]]
            assert bias.dtype == np.int32
            groups = bias.size // scale.size
            np.testing.assert_array_equal(
                s.parameters(node.input[2])[0], data * np.tile(scale, groups)
            )
    for kind in ("MaxPool", "Reshape", "Transpose"):
        (node,) = s.ops(kind)
        (pair,) = s.readers(node.output[0])
        assert list(pair.input[1:]) == list(s.maker[node.input[0]].input[1:]), kind
    (concat,) = s.ops("Concat")
    (pair,) = s.readers(concat.output[0])
    for name in concat.input:
        assert list(pair.input[1:]) == list(s.maker[name].input[1:])
    for relu in s.ops("Relu"):
        (pair,) = s.readers(relu.output[0])
        assert s.constants[pair.input[2]] == 0


def test_here_as_in_onnx_runtime(network: omb.QuantizedModel) -> None:
    """The model's numbers, much closer than quantization comes to the float model's."""
    feeds = NETWORK_DATA[5]
    (actual,) = omb.InferenceSession(network.model, providers=["cpu"]).run(None, feeds)
    (expected,) = _run(network.model, feeds)
    (exact,) = _run(_network(), feeds)
    loss = relative_error(expected, exact)
    assert 0 < loss < 0.15
    assert relative_error(actual, expected) <= loss / 3


def test_what_was_quantized(network: omb.QuantizedModel, tmp_path: Path) -> None:
    kinds = [layer.kind for layer in network.layers]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "Conv": 4,
        "Add": 1,
        "ConvTranspose": 1,
        "Concat": 1,
        "GlobalAveragePool": 1,
        "MatMul": 2,
        "Gemm": 1,
    }
    assert network.quantized_bytes < network.float_bytes
    network.save(tmp_path / "q.onnx")
    assert onnx.load(tmp_path / "q.onnx") == network.model
    assert network.model.opset_import[0].version == 13


def test_signed_and_per_tensor() -> None:
    """And the outputs too."""
    model, data = quantized.mlp(), _normal(2, x=(6, 13))
    options = {"activations": "i8", "per_channel": False, "quantize_outputs": True}
    made = omb.quantize(model, iter(data), **options)
    s = Structure(made.model)
    assert {s.constants[q.input[2]].dtype for q in s.ops("QuantizeLinear")} == {np.dtype(np.int8)}
    assert all(s.constants[name].ndim == 0 for name in s.constants if name.endswith("_scale"))
    (output,) = (node for node in s.nodes if "y" in node.output)
    assert output.op_type == "DequantizeLinear"
    assert [value.name for value in made.model.graph.output] == ["y"]
    assert made.snr["y"] > 25
    assert abs(made.snr["y"] - _snr(model, made.model, data)) < 0.5


def _real(name: str) -> Path:
    path = stored.carried(name)
    if path is None:
        pytest.skip(f"the package {stored.CARRIED[name][0]} is not installed")
    return path


def _text(count: int, seed: int) -> list[Feeds]:
    """Dark strokes on light paper, in noise."""
    random = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        picture = 0.9 + 0.02 * random.standard_normal((1, 3, 48, 128))
        for left in range(10, 108, 14):
            picture[:, :, 16:32, left : left + 3] = -0.9
            for _ in range(random.integers(1, 4)):
                top = int(random.integers(16, 29))
                picture[:, :, top : top + 3, left : left + 9] = -0.9 * random.random()
        pictures.append({"x": picture.astype(np.float32)})
    return pictures


def test_as_good_as_onnx_runtimes(tmp_path: Path) -> None:
    """Of a trained model, on other data than those of the calibration."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path, data = _real("ppocr-rec"), _text(2, seed=1)

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds: Iterator[Feeds] = iter(data)

        def get_next(self) -> Feeds | None:
            return next(self._feeds, None)

    raised, prepared = tmp_path / "13.onnx", tmp_path / "prepared.onnx"
    onnx.save(onnx.version_converter.convert_version(onnx.load(path), 13), raised)
    quant_pre_process(raised, prepared, skip_symbolic_shape=True)
    types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(prepared, tmp_path / "theirs.onnx", Reader(), per_channel=True, **types)

    made = omb.quantize(path, data, evaluate=False)
    assert made.notices == ("the model's opset is raised from 12 to 13",)
    unseen = _text(2, seed=2)
    ours = _snr(path, made.model, unseen)
    theirs = _snr(path, onnx.load(tmp_path / "theirs.onnx"), unseen)
    assert ours >= theirs + 1, (ours, theirs)


# --- what improves it ---------------------------------------------------------------------------


def _uneven() -> onnx.ModelProto:
    """Convolutions whose channels differ by orders of magnitude, and dense layers that do."""
    g = Graph("uneven")
    factors = 10.0 ** g.random.uniform(-1.5, 1.5, 8)

    def weight(shape: tuple[int, ...], first: bool, axis: int) -> str:
        values = g.random.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
        by = factors if first else 1 / factors
        return g.constant(values * by.reshape([-1 if i == axis else 1 for i in range(len(shape))]))

    x = g.input("x", FLOAT, [2, 3, 10, 10])
    x = g.op("Relu", g.op("Conv", x, weight((8, 3, 3, 3), True, 0), g.constant(0.1 * factors)))
    depthwise = g.constant(g.random.standard_normal((8, 1, 3, 3)) / 3)
    x = g.op("MaxPool", g.op("Conv", x, depthwise, g.bias(8), group=8), kernel_shape=[2, 2])
    x = g.op("Relu", g.op("Conv", x, weight((4, 8, 1, 1), False, 1), g.bias(4)))
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    x = g.op("Gemm", x, weight((4, 8), True, 1), g.constant(factors))
    x = g.op("LeakyRelu", x, alpha=0.2)
    x = g.op("Add", g.op("MatMul", x, weight((8, 6), False, 0)), g.bias(6))
    g.output(x, "y", FLOAT, [2, 6])
    return g.model()


def test_equalization() -> None:
    """It changes no float model, and makes one with one scale for all channels much better."""
    from onnx_mlir_bridge.quantizer.equalization import equalize
    from onnx_mlir_bridge.quantizer.layers import Exclusion
    from onnx_mlir_bridge.quantizer.model import load

    model, data = _uneven(), _normal(4, x=(2, 3, 10, 10))
    evened = load(model, 13)
    assert equalize(evened, Exclusion((), ())) == 3
    (actual,), (expected,) = _run(evened.to_proto(), data[0]), _run(model, data[0])
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    by_name = {node.op_type: node for node in evened.nodes}
    first, second = (
        evened.constants[by_name["Gemm"].input[1]],
        evened.constants[by_name["MatMul"].input[1]],
    )
    np.testing.assert_allclose(np.abs(first).max(0), np.abs(second).max(1), rtol=0.01)
    assert _snr(model, evened.to_proto(), data) > 80


def test_equalization_and_bias_correction_help() -> None:
    model, data = _uneven(), _normal(4, x=(2, 3, 10, 10))
    options = {"per_channel": False, "evaluate": False}
    plain = _snr(model, omb.quantize(model, data, **options).model, data)
    made = omb.quantize(model, data, equalize=True, bias_correction=True, **options)
    assert made.notices == (
        "the channels of 3 pairs of layers are evened out",
        "the biases of 5 layers are corrected",
    )
    assert _snr(model, made.model, data) > plain + 3


def test_bias_correction() -> None:
    """The mean of what a layer is wrong by is gone, and stays away on other data."""
    g = Graph("biased")
    x = g.input("x", FLOAT, [8, 3, 8, 8])
    weight = g.random.uniform(0, 1, (4, 3, 3, 3))
    weight[0, 0, 0, 0] = 30  # all others are rounded to few integers
    x = g.op("Conv", x, g.constant(weight))
    g.output(x, "y", FLOAT, [8, 4, 6, 6])
    model = g.model()
    data = [{"x": np.abs(feeds["x"])} for feeds in _normal(6, x=(8, 3, 8, 8))]
    errors = []
    for correction in (False, True):
        made = omb.quantize(
            model, data[:4], bias_correction=correction, per_channel=False, evaluate=False
        )
        wrong = [_run(made.model, feeds)[0] - _run(model, feeds)[0] for feeds in data[4:]]
        errors.append(np.abs(np.mean(wrong, axis=(0, 1, 3, 4))).max())
    assert errors[1] < errors[0] / 3, errors


# --- dynamic and weight-only --------------------------------------------------------------------


def _products(opset: int) -> onnx.ModelProto:
    """Products with constants on either side, a table, and a weight that two nodes share."""
    g = Graph("products", opset=opset)
    ids = g.input("ids", TensorProto.INT64, [2, 5])
    x = g.op("Gather", g.weight(20, 12), ids)
    shared = g.weight(12, 12)
    x = g.op("Tanh", g.op("MatMul", g.op("MatMul", x, shared), shared))
    x = g.op("Reshape", x, g.ints(10, 12))
    x = g.op("Gemm", x, g.weight(7, 12), g.bias(7), transB=1, alpha=0.5, beta=2.0)
    g.output(g.op("Gemm", x, g.weight(7, 3)), "y", FLOAT, [10, 3])
    return g.model()


IDS = [{"ids": np.random.default_rng(n).integers(0, 20, (2, 5))} for n in range(3)]


@pytest.mark.parametrize("per_channel", [True, False])
def test_dynamic(per_channel: bool) -> None:
    model = _products(11)
    made = omb.quantize(model, method="dynamic", per_channel=per_channel)
    onnx.checker.check_model(made.model, full_check=True)
    assert made.model.opset_import[0].version == 11
    s = Structure(made.model)
    assert len(s.ops("MatMulInteger")) == len(made.layers) == 4
    assert not s.ops("MatMul") + s.ops("Gemm")
    assert len({node.input[1] for node in s.ops("MatMulInteger")}) == 3
    assert _snr(model, made.model, IDS) > (36 if per_channel else 32)
    (actual,) = omb.InferenceSession(made.model, providers=["cpu"]).run(None, IDS[0])
    assert relative_error(actual, _run(made.model, IDS[0])[0]) < 1e-5


FORMS = {
    "int4": ({}, TensorProto.INT4, 18),
    "int4, blocks of 8": ({"block_size": 8}, TensorProto.INT4, 19),
    "uint4, asymmetric": ({"signed": False, "symmetric": False}, TensorProto.UINT4, 18),
    "int8, blocks": ({"bits": 8}, TensorProto.INT8, 42),
    "uint8, channels": ({"bits": 8, "block_size": 0, "signed": False}, TensorProto.UINT8, 40),
    "int4, channels": ({"block_size": 0}, TensorProto.INT4, 17),
}


@pytest.mark.parametrize("form", FORMS)
def test_weight_only(form: str) -> None:
    options, element, least = FORMS[form]
    model = _products(13)
    made = omb.quantize(model, method="weight-only", **options)
    onnx.checker.check_model(made.model, full_check=True)
    has_blocks = options.get("block_size") != 0
    opset = 13 if element == TensorProto.UINT8 else 21
    assert made.model.opset_import[0].version == opset
    assert len(made.layers) == 5
    stored_types = {t.name: t.data_type for t in made.model.graph.initializer}
    s = Structure(made.model)
    assert len(s.ops("DequantizeLinear")) == 4  # one weight is shared
    for node in s.ops("DequantizeLinear"):
        assert stored_types[node.input[0]] == element
        assert (s.constants[node.input[1]].ndim == 2) == (has_blocks)
    assert _snr(model, made.model, IDS) > least
    if element == TensorProto.INT4 and has_blocks:
        (actual,) = omb.InferenceSession(made.model, providers=["cpu"]).run(None, IDS[0])
        assert relative_error(actual, _run(made.model, IDS[0])[0]) < 1e-5
