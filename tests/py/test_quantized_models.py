"""Models as ONNX Runtime's quantizer writes them, against ONNX Runtime.

ONNX Runtime runs without its optimizations, which drop pairs of QuantizeLinear and DequantizeLinear
and so round less often than the model says. Without them, all integers agree exactly; what is
computed in f32 in between may end one step of the last quantization away.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models import quantized
from models.joined import Together, joined
from models.reference import relative_error
from models.targets import needs_kernels, on_gpus
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_mlir_bridge.compiler import emit


def _reference(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(feeds))


# How the names of forms begin that are compiled as one. Those of 16 bits have a newer opset.
FAMILIES = (("qdq-u8", "qdq-i8"), ("qdq-i16",), ("qoperator",), ("dynamic",))
assert all(form.startswith(sum(FAMILIES, ())) for form in quantized.FORMS)


@pytest.mark.parametrize("family", FAMILIES, ids=" and ".join)
@pytest.mark.parametrize("name", quantized.MODELS)
def test_agrees(name: str, family: tuple[str, ...], tmp_path: Path) -> None:
    """The quantized model's numbers, much closer than the quantization itself comes."""
    model = quantized.MODELS[name]()
    feeds = quantized.feeds(model, seed=77)
    (exact,) = _reference(model, feeds)
    forms = [form for form in quantized.FORMS if form.startswith(family)]
    stored = [quantized.quantize(model, form, tmp_path) for form in forms]
    results = Together(stored, providers=["cpu"]).run([feeds] * len(forms))
    for form, each, (actual,) in zip(forms, stored, results, strict=True):
        (expected,) = _reference(each, feeds)
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), form
        error = relative_error(actual, expected)
        loss = relative_error(expected, exact)
        assert 0 < loss < 0.1, f"{form}: the quantizer changed nothing, or everything"
        assert error <= (1e-6 if form.startswith("dynamic") else loss / 3), (form, error, loss)


ON_DEVICES = ("qdq-u8-channel", "qdq-i8-channel", "qoperator-u8-channel", "dynamic-u8")


@on_gpus
@pytest.mark.parametrize("name", quantized.MODELS)
def test_agrees_on_gpus(name: str, provider: str, tmp_path: Path) -> None:
    """The same integers as on a CPU."""
    model = quantized.MODELS[name]()
    feeds = quantized.feeds(model, seed=77)
    stored = [quantized.quantize(model, form, tmp_path) for form in ON_DEVICES]
    results = Together(stored, providers=[provider]).run([feeds] * len(stored))
    for form, each, (actual,) in zip(ON_DEVICES, stored, results, strict=True):
        (expected,) = _reference(each, feeds)
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), form
        assert relative_error(actual, expected) <= 1e-6, form


def test_compiles_for_cuda(tmp_path: Path) -> None:
    models = [
        quantized.quantize(make(), form, tmp_path)
        for make in quantized.MODELS.values()
        for form in ON_DEVICES
    ]
    omb.compile(joined(models), target="cuda")


@pytest.mark.parametrize("form", ["qdq-u8-channel", "qdq-i8-channel", "qoperator-u8-channel"])
def test_products_are_of_bytes(form: str, tmp_path: Path) -> None:
    """No product of the network is computed in f32."""
    model = quantized.cnn()
    stored = quantized.quantize(model, form, tmp_path)
    text = emit(stored, "linalg")
    products = [
        line for line in text.splitlines() if "linalg.conv" in line or "linalg.matmul" in line
    ]
    assert len(products) >= 5
    assert all("xi8>" in line and "xf32>" not in line for line in products), products


@pytest.mark.parametrize(
    ("cpu", "instruction"),
    [
        ("x86-64-v3", "avx2.pmadd.wd"),
        ("skylake-avx512", "avx512.pmaddw.d.512"),
        ("cascadelake", "avx512.vpdpbusd.512"),
    ],
)
def test_instructions(cpu: str, instruction: str, tmp_path: Path) -> None:
    """CPUs multiply bytes by different instructions, with the same numbers."""
    model = quantized.mlp()
    stored = quantized.quantize(model, "qdq-u8-channel", tmp_path)
    compiled = omb.compile(stored, target="cpu", cpu=cpu)
    assert f'"llvm.x86.{instruction}"' in compiled.emit("vector")
    feeds = quantized.feeds(model, seed=78)
    try:
        session = omb.InferenceSession(compiled, providers=["cpu"])
    except omb.OmbError as error:
        pytest.skip(str(error))  # made for another CPU
    np.testing.assert_array_equal(session.run(None, feeds)[0], _reference(stored, feeds)[0])


def _qdq(
    node: onnx.NodeProto,
    inputs: Mapping[str, tuple[np.ndarray, float, int]],
    output: tuple[np.dtype, float, int],
) -> onnx.ModelProto:
    """An op between casts: `inputs` are stored arrays, their scales and zero points."""
    nodes, constants, values = [], [], []

    def constant(name: str, value: object, dtype: np.dtype | type) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    for name, (array, scale, zero) in inputs.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        values.append(helper.make_tensor_value_info(f"{name}_q", kind, array.shape))
        parameters = [
            constant(f"{name}_s", scale, np.float32),
            constant(f"{name}_z", zero, array.dtype),
        ]
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *parameters], [name]))
    nodes.append(node)
    dtype, scale, zero = output
    parameters = [constant("y_s", scale, np.float32), constant("y_z", zero, dtype)]
    nodes.append(helper.make_node("QuantizeLinear", ["y", *parameters], ["y_q"]))
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    result = helper.make_tensor_value_info("y_q", kind, None)
    graph = helper.make_graph(nodes, "qdq", values, [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


U8, I8 = np.dtype(np.uint8), np.dtype(np.int8)
X = np.random.default_rng(3).integers(0, 256, (1, 4, 6, 6))
OPS = {
    "add": (helper.make_node("Add", ["a", "b"], ["y"]), 2),
    "mul": (helper.make_node("Mul", ["a", "b"], ["y"]), 2),
    "concat": (helper.make_node("Concat", ["a", "b"], ["y"], axis=1), 2),
    "max_pool": (
        helper.make_node("MaxPool", ["a"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        1,
    ),
    "average_pool": (helper.make_node("AveragePool", ["a"], ["y"], kernel_shape=[2, 2]), 1),
    "sigmoid": (helper.make_node("Sigmoid", ["a"], ["y"]), 1),
    "relu": (helper.make_node("Relu", ["a"], ["y"]), 1),
    "transpose": (helper.make_node("Transpose", ["a"], ["y"], perm=[0, 2, 3, 1]), 1),
    "depth_to_space": (helper.make_node("DepthToSpace", ["a"], ["y"], blocksize=2), 1),
}


@pytest.mark.parametrize("same", [True, False], ids=["same type", "other type"])
@pytest.mark.parametrize("dtype", [U8, I8], ids=str)
def test_op_between_casts(dtype: np.dtype, same: bool) -> None:
    """Every element but for one step, and but for ops that compute in f32 all of them."""
    zero = 3 if dtype == I8 else 120
    arrays = [X.astype(dtype), X[:, :, ::-1].astype(dtype)]
    output = (dtype, 0.031, zero) if same else (dtype, 0.023, zero - 2)
    models, feeds = [], []
    for node, count in OPS.values():
        inputs = {
            name: (array, scale, zero)
            for name, array, scale in zip("ab"[:count], arrays, [0.031, 0.017], strict=False)
        }
        models.append(_qdq(node, inputs, output))
        feeds.append({f"{name}_q": array for name, (array, _, _) in inputs.items()})
    results = Together(models, providers=["cpu"]).run(feeds)
    for name, model, feed, (actual,) in zip(OPS, models, feeds, results, strict=True):
        (expected,) = _reference(model, feed)
        assert actual.dtype == expected.dtype == dtype, name
        steps = np.abs(actual.astype(np.int64) - expected.astype(np.int64))
        assert steps.max() <= 1, name
        if name not in ("sigmoid", "average_pool"):
            assert steps.max() == 0, name


@pytest.mark.parametrize("columns", [False, True], ids=["one for all", "columns"])
@pytest.mark.parametrize("signed", [False, True], ids=["u8", "i8"])
def test_integers_with_constant_zero_points(columns: bool, signed: bool) -> None:
    """MatMulInteger and ConvInteger as products of quantized tensors: every bit."""
    random = np.random.default_rng(6)
    kind = TensorProto.INT8 if signed else TensorProto.UINT8
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    low, high = (-128, 128) if signed else (0, 256)
    zeros = random.integers(low, high, 5 if columns else ()).astype(dtype)
    cases = {
        "MatMulInteger": ((2, 3, 7), (7, 5), {}),
        "ConvInteger": ((2, 4, 6, 7), (5, 4, 3, 3), {"pads": [1, 0, 1, 2], "strides": [2, 1]}),
    }
    models, feeds = [], []
    for name, (shape, weights, attributes) in cases.items():
        constants = [
            numpy_helper.from_array(random.integers(low, high, weights).astype(dtype), "w"),
            numpy_helper.from_array(np.uint8(131), "a"),
            numpy_helper.from_array(zeros, "b"),
        ]
        graph = helper.make_graph(
            [helper.make_node(name, ["x", "w", "a", "b"], ["y"], **attributes)],
            name,
            [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
            constants,
        )
        models.append(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        )
        feeds.append({"x": random.integers(0, 256, shape).astype(np.uint8)})
    results = Together(models, providers=["cpu"]).run(feeds)
    x, w = feeds[0]["x"].astype(np.int32), numpy_helper.to_array(models[0].graph.initializer[0])
    expected = (x - 131) @ (w.astype(np.int32) - zeros)
    np.testing.assert_array_equal(results[0][0], expected)
    # ONNX Runtime takes no signed filters here: both are numbers that f64 holds.
    x = feeds[1]["x"].astype(np.float64) - 131
    w = numpy_helper.to_array(models[1].graph.initializer[0]).astype(np.float64)
    w -= zeros.astype(np.float64).reshape(-1, 1, 1, 1)
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))[:, :, ::2]
    expected = np.einsum("nchwij,ocij->nohw", windows, w)
    np.testing.assert_array_equal(results[1][0], expected.astype(np.int32))


@needs_kernels
def test_an_activation_of_several_operators() -> None:
    """A GELU as exporters write it: the layer's result is read twice, and all is one kernel."""
    random = np.random.default_rng(9)
    constants = {
        "xs": np.float32(0.05),
        "z": np.uint8(120),
        "w": random.integers(-127, 128, (64, 96)).astype(np.int8),
        "ws": np.float32(0.01),
        "wz": np.int8(0),
        "s": np.float32(0.03),
        "root": np.float32(2**0.5),
        "one": np.float32(1),
        "half": np.float32(0.5),
    }
    steps = [
        ("DequantizeLinear", ["x", "xs", "z"], "xd"),
        ("DequantizeLinear", ["w", "ws", "wz"], "wd"),
        ("MatMul", ["xd", "wd"], "p"),
        ("QuantizeLinear", ["p", "s", "z"], "pq"),
        ("DequantizeLinear", ["pq", "s", "z"], "pd"),
        ("Div", ["pd", "root"], "inner"),
        ("Erf", ["inner"], "erf"),
        ("Add", ["erf", "one"], "shifted"),
        ("Mul", ["pd", "shifted"], "product"),
        ("Mul", ["product", "half"], "gelu"),
        ("QuantizeLinear", ["gelu", "s", "z"], "y"),
    ]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [output], output) for op, inputs, output in steps],
        "gelu",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [40, 64])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [40, 96])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    compiled = omb.compile(model, fallback="error")
    feeds = {"x": random.integers(0, 256, (40, 64)).astype(np.uint8)}
    (actual,) = omb.InferenceSession(compiled).run(None, feeds)
    (expected,) = _reference(model, feeds)
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 1
    assert "math.erf" not in compiled.emit("vector")  # as it is in what IREE gets to do


def test_groups_of_unknown_sizes() -> None:
    """Their sums start with what the zero points change, in one, two and three dimensions."""
    random = np.random.default_rng(8)
    models, feeds, expected = [], [], []
    for rank in (1, 2, 3):
        w = random.integers(-128, 128, (16, 8, *[2] * rank)).astype(np.int8)
        attributes = {"group": 2, "pads": [2, *[0] * (rank - 1), 1, *[0] * (rank - 1)]}
        shape = [1, 16, "s", *[3] * (rank - 1)]
        graph = helper.make_graph(
            [helper.make_node("ConvInteger", ["x", "w", "z"], ["y"], **attributes)],
            "groups",
            [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
            [numpy_helper.from_array(w, "w"), numpy_helper.from_array(np.uint8(127), "z")],
        )
        models.append(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        )
        x = random.integers(0, 256, (1, 16, 9, *[3] * (rank - 1))).astype(np.uint8)
        feeds.append({"x": x})
        expected.append(ReferenceEvaluator(models[-1]).run(None, feeds[-1]))
    for level in (0, 1):
        results = Together(models, providers=["cpu"], opt_level=level).run(feeds)
        for actual, sums in zip(results, expected, strict=True):
            np.testing.assert_array_equal(actual, sums)


def _depthwise(
    channels: int, kernel: int, zero: int, dtype: np.dtype, attributes: Mapping[str, list[int]]
) -> onnx.ModelProto:
    random = np.random.default_rng(channels)
    constants = {
        "xs": np.float32(0.05),
        "xz": np.asarray(zero, dtype),
        "w": random.integers(-128, 128, (channels, 1, kernel, kernel)).astype(np.int8),
        "ws": random.uniform(0.001, 0.02, channels).astype(np.float32),
        "wz": np.zeros(channels, np.int8),
        "ys": np.float32(0.2),
        "yz": np.asarray(zero, dtype),
        "b": random.integers(-1000, 1000, channels).astype(np.int32),
    }
    node = helper.make_node("QLinearConv", ["x", *constants], ["y"], group=channels, **attributes)
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    graph = helper.make_graph(
        [node],
        "depthwise",
        [helper.make_tensor_value_info("x", kind, [2, channels, 9, 13])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_depthwise() -> None:
    """Depthwise convolutions of bytes, with and without a padding that isn't 0: every bit."""
    same = {"pads": [1, 1, 1, 1]}
    cases = [
        (16, 3, 0, U8, same),
        (17, 3, 128, U8, same),
        (40, 3, 200, U8, {"pads": [0, 1, 1, 0], "strides": [2, 2]}),
        (3, 5, 0, I8, {"pads": [2, 2, 2, 2]}),
        (33, 3, -7, I8, {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
        (64, 1, 3, U8, {}),
    ]
    random = np.random.default_rng(8)
    models = [_depthwise(*case) for case in cases]
    feeds = [{"x": random.integers(0, 256, (2, case[0], 9, 13)).astype(case[3])} for case in cases]
    results = Together(models, providers=["cpu"]).run(feeds)
    for case, model, feed, (actual,) in zip(cases, models, feeds, results, strict=True):
        (expected,) = _reference(model, feed)
        np.testing.assert_array_equal(actual, expected, str(case))


def test_layers_share_kernels() -> None:
    """Layers that differ in scales and zero points: one kernel, the same numbers."""
    random = np.random.default_rng(4)
    constants, nodes = [], []

    def constant(array: object, dtype: np.dtype | type) -> str:
        constants.append(numpy_helper.from_array(np.asarray(array, dtype), f"c{len(constants)}"))
        return constants[-1].name

    value = "x"
    for layer, (scale, zero) in enumerate([(0.05, 120), (0.07, 131), (0.061, 127), (0.25, 90)]):
        weights = random.integers(-128, 128, (32, 32))
        operands = [constant(weights, np.int8), constant(0.01 + 0.001 * layer, np.float32)]
        parameters = [constant(scale, np.float32), constant(zero, np.uint8)]
        bias = constant(random.standard_normal(32), np.float32)
        nodes += [
            helper.make_node("QuantizeLinear", [value, *parameters], [f"q{layer}"]),
            helper.make_node("DequantizeLinear", [f"q{layer}", *parameters], [f"d{layer}"]),
            helper.make_node("DequantizeLinear", operands, [f"w{layer}"]),
            helper.make_node("MatMul", [f"d{layer}", f"w{layer}"], [f"p{layer}"]),
            helper.make_node("Add", [f"p{layer}", bias], [f"a{layer}"]),
        ]
        value = f"a{layer}"
    last = [constant(0.3, np.float32), constant(111, np.uint8)]
    nodes.append(helper.make_node("QuantizeLinear", [value, *last], ["y"]))
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 32])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [5, 32])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    compiled = omb.compile(model, target="cpu")
    assert compiled.emit("vector").count('"stream.executable"') <= 1  # none on other CPUs
    feeds = {"x": random.standard_normal((5, 32)).astype(np.float32)}
    (actual,) = omb.InferenceSession(compiled, providers=["cpu"]).run(None, feeds)
    (expected,) = _reference(model, feeds)
    # A bias is added in f32 here, with another rounding.
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 1
    assert np.mean(actual == expected) > 0.95


def test_weights_of_four_bits() -> None:
    """Blocks of weights of four bits, dequantized where they are used."""
    random = np.random.default_rng(5)
    weights = random.integers(-8, 8, (32, 10))
    scales = random.uniform(0.01, 0.1, (4, 10)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=0, block_size=8),
            helper.make_node("MatMul", ["x", "d"], ["y"]),
        ],
        "blocks",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 10])],
        [
            helper.make_tensor("w", TensorProto.INT4, [32, 10], weights.ravel().tolist()),
            numpy_helper.from_array(scales, "s"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    x = random.standard_normal((3, 32)).astype(np.float32)
    (actual,) = omb.InferenceSession(model, providers=["cpu"]).run(None, {"x": x})
    expected = x @ (weights * np.repeat(scales, 8, axis=0)).astype(np.float32)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
