"""Products in the CPU's matrix unit (Intel's AMX).

Products of bytes are exact, and compared so. Those of bf16 are compared with the exact products of
the rounded factors: their sums are rounded to f32 in another order, 1e-5 relative (norm).
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models.joined import Together, joined
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_mlir_bridge.compiler import emit, targets
from onnx_mlir_bridge.runtime import cpu_features, matrix_unit
from onnx_mlir_bridge.runtime.session import check_cpu

CPU = "sapphirerapids"
needs_unit = pytest.mark.skipif(
    not cpu_features.host_flags() >= matrix_unit.FLAGS or not matrix_unit.is_permitted(),
    reason="this machine's CPU has no AMX",
)
RANDOM = np.random.default_rng(7)


def _model(
    nodes: list[onnx.NodeProto],
    initializers: dict[str, np.ndarray],
    shape: list[int | str],
    element: int,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", element, None)],
        [numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _bytes_matmul(rows: int | str, inner: int, channels: int) -> tuple[onnx.ModelProto, np.ndarray]:
    """A product of signed bytes, y in 32 bits."""
    weights = RANDOM.integers(-128, 128, (inner, channels)).astype(np.int8)
    model = _model(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        {"w": weights},
        [rows, inner],
        onnx.TensorProto.INT8,
    )
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT32
    return model, weights


def _float_model(
    shape: list[int | str], weights: np.ndarray, operator: str, **attributes: object
) -> onnx.ModelProto:
    return _model(
        [helper.make_node(operator, ["x", "w"], ["y"], **attributes)],
        {"w": weights},
        shape,
        onnx.TensorProto.FLOAT,
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    return values.astype(ml_dtypes.bfloat16).astype(np.float64)


def _uses_matrices(model: onnx.ModelProto, **options: object) -> bool:
    """By the text of its kernels, for which IREE isn't needed."""
    text = emit(model, "vector", cpu=CPU, **options)
    return "llvm.x86.tdp" in text


# Whether products of so many bytes use the unit. 16 are 4 groups, and 68 are 17: of a prime number,
# no step takes most of a register.
WIDTHS = {64: True, 96: True, 24: True, 768: True, 2048: True, 16: False, 68: False}


@pytest.mark.parametrize("inner", WIDTHS)
def test_which_products_of_bytes_use_it(inner: int) -> None:
    model, _ = _bytes_matmul(64, inner, 32)
    assert _uses_matrices(model) == WIDTHS[inner]


def test_only_narrow_factors_use_it() -> None:
    model = _float_model([64, 64], RANDOM.random((64, 32), np.float32), "MatMul")
    assert not _uses_matrices(model)
    assert _uses_matrices(model, precision="bf16")
    assert not _uses_matrices(model, precision="f16")


@needs_unit
@examples(13)
@given(
    rows=st.integers(1, 70),
    inner=st.sampled_from([24, 28, 40, 64, 96, 160, 320]),
    channels=st.integers(1, 70),
    is_dynamic=st.booleans(),
)
def test_products_of_bytes(rows: int, inner: int, channels: int, is_dynamic: bool) -> None:
    model, weights = _bytes_matmul("rows" if is_dynamic else rows, inner, channels)
    session = omb.InferenceSession(model, providers=["cpu"])
    x = RANDOM.integers(-128, 128, (rows, inner)).astype(np.int8)
    expected = x.astype(np.int32) @ weights.astype(np.int32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], expected)


@needs_unit
def test_a_session_takes_any_number_of_rows() -> None:
    model, weights = _bytes_matmul("rows", 128, 48)
    session = omb.InferenceSession(model, providers=["cpu"])
    for rows in (1, 5, 16, 17, 31, 32, 33, 64, 100):
        for count in (rows, 1, rows):
            x = RANDOM.integers(-128, 128, (count, 128)).astype(np.int8)
            expected = x.astype(np.int32) @ weights.astype(np.int32)
            np.testing.assert_array_equal(session.run(None, {"x": x})[0], expected, f"{count} rows")


@needs_unit
@pytest.mark.parametrize("rows", [1, 18, 49, 197])
def test_products_of_bf16(rows: int) -> None:
    sizes = (12, 44, 64, 768)
    weights = [RANDOM.standard_normal((inner, 50)).astype(np.float32) for inner in sizes]
    xs = [RANDOM.standard_normal((rows, inner)).astype(np.float32) for inner in sizes]
    models = [_float_model(list(x.shape), w, "MatMul") for x, w in zip(xs, weights, strict=True)]
    session = Together(models, providers=["cpu"], precision="bf16")
    results = session.run([{"x": x} for x in xs])
    for inner, x, w, (result,) in zip(sizes, xs, weights, results, strict=True):
        expected = _rounded(x) @ _rounded(w)
        error = np.linalg.norm(result - expected)
        assert error <= 1e-5 * np.linalg.norm(expected), f"sums of {inner}"


@needs_unit
def test_what_is_beyond_a_tile_does_no_harm() -> None:
    """Rows after the last, of which a register has some, are no numbers of anybody's."""
    weights = RANDOM.standard_normal((64, 16)).astype(np.float32)
    session = omb.InferenceSession(
        _float_model(["rows", 64], weights, "MatMul"), providers=["cpu"], precision="bf16"
    )
    x = np.full((40, 64), np.nan, np.float32)
    assert np.isnan(session.run(None, {"x": x})[0]).all()
    x = RANDOM.standard_normal((19, 64)).astype(np.float32)
    assert np.isfinite(session.run(None, {"x": x})[0]).all()


def _convolved(x: np.ndarray, weights: np.ndarray, **attributes: object) -> np.ndarray:
    """By the reference implementation in f64."""
    model = _float_model(list(x.shape), weights, "Conv", **attributes)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights.astype(np.float64), "w"))
    return ReferenceEvaluator(model).run(None, {"x": x.astype(np.float64)})[0]


CONVOLUTIONS = {
    "1x1": (7, 1, {}),
    "1x1, stride": (14, 1, {"strides": [2, 2]}),
    "3x3, no padding": (9, 3, {}),
    "3x3, narrow image": (7, 3, {"pads": [1, 1, 1, 1]}),
    "3x3, one register": (14, 3, {"pads": [1, 1, 1, 1]}),
    "3x3, two registers": (28, 3, {"pads": [1, 1, 1, 1]}),
    "3x3, odd width": (19, 3, {"pads": [1, 1, 1, 1]}),
    "3x3, stride": (15, 3, {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "3x3, dilation": (12, 3, {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "5x5, one side": (11, 5, {"pads": [0, 1, 3, 2]}),
    "one row": (1, 3, {"pads": [1, 1, 1, 1]}),
}


@needs_unit
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_of_bf16(name: str) -> None:
    """Of one image and of three, compiled as one."""
    size, taps, attributes = CONVOLUTIONS[name]
    weights = RANDOM.standard_normal((40, 32, taps, taps)).astype(np.float32)
    xs = [RANDOM.standard_normal((n, 32, size, size + 2)).astype(np.float32) for n in (1, 3)]
    models = [_float_model(list(x.shape), weights, "Conv", **attributes) for x in xs]
    for model in models:
        assert _uses_matrices(model, precision="bf16")
    session = Together(models, providers=["cpu"], precision="bf16")
    for x, (result,) in zip(xs, session.run([{"x": x} for x in xs]), strict=True):
        expected = _convolved(_rounded(x), _rounded(weights), **attributes)
        error = np.linalg.norm(result - expected)
        assert error <= 1e-5 * np.linalg.norm(expected), f"{len(x)} images"


def _bytes_convolution(name: str, weights: np.ndarray, zero_point: int) -> onnx.ModelProto:
    size, _, attributes = CONVOLUTIONS[name]
    model = _model(
        [helper.make_node("ConvInteger", ["x", "w", "z"], ["y"], **attributes)],
        {"w": weights, "z": np.int8(zero_point)},
        [2, 32, size, size],
        onnx.TensorProto.INT8,
    )
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT32
    return model


@needs_unit
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_of_bytes(name: str) -> None:
    """Padding is the zero point: zeros where 128 is added to each byte, or another number."""
    size, taps, attributes = CONVOLUTIONS[name]
    weights = RANDOM.integers(-128, 128, (24, 32, taps, taps)).astype(np.int8)
    zero_points = (-128, 3)
    models = [_bytes_convolution(name, weights, zero_point) for zero_point in zero_points]
    for model in models:
        assert _uses_matrices(model)
    x = RANDOM.integers(-128, 128, (2, 32, size, size)).astype(np.int8)
    results = Together(models, providers=["cpu"]).run([{"x": x}, {"x": x}])
    for zero_point, (result,) in zip(zero_points, results, strict=True):
        expected = _convolved(x.astype(np.float64) - zero_point, weights, **attributes)
        np.testing.assert_array_equal(result, expected, f"zero point {zero_point}")


@needs_unit
def test_convolutions_of_any_number_of_images() -> None:
    weights = RANDOM.standard_normal((24, 32, 3, 3)).astype(np.float32)
    pads = {"pads": [1, 1, 1, 1]}
    model = _float_model(["images", 32, 9, 7], weights, "Conv", **pads)
    session = omb.InferenceSession(model, providers=["cpu"], precision="bf16")
    for images in (2, 0, 1, 5):
        x = RANDOM.standard_normal((images, 32, 9, 7)).astype(np.float32)
        result = session.run(None, {"x": x})[0]
        assert result.shape == (images, 24, 9, 7)
        if images:
            expected = _convolved(_rounded(x), _rounded(weights), **pads)
            assert np.linalg.norm(result - expected) <= 1e-5 * np.linalg.norm(expected)


def test_what_needs_it_says_so() -> None:
    """On every machine, IREE takes the kernels of all these products."""
    models = [_bytes_matmul(64, inner, 32)[0] for inner in WIDTHS]
    description = omb.compile(joined(models), target="cpu", cpu=CPU).description
    assert "amx_int8" in description.features
    model = _float_model([64, 64], RANDOM.random((64, 32), np.float32), "MatMul")
    description = omb.compile(model, target="cpu", cpu=CPU, precision="bf16").description
    assert "amx_bf16" in description.features


def test_a_refusal_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = _bytes_matmul(64, 64, 32)
    description = omb.compile(model, target="cpu", cpu="x86-64").description
    needs = dataclasses.replace(description, features=("amx_int8", "amx_tile"))
    monkeypatch.setattr(cpu_features, "host_flags", lambda: frozenset(needs.features))
    monkeypatch.setattr(matrix_unit, "is_permitted", lambda: False)
    with pytest.raises(omb.OmbError, match="Linux refuses this process the registers of AMX"):
        check_cpu(needs)


def test_a_host_that_refuses_it_is_compiled_for_without(monkeypatch: pytest.MonkeyPatch) -> None:
    features = ("avx512f", "avx512bw", "avx512vnni", "avx512bf16", "amx-tile", "amx-int8")
    monkeypatch.setattr(targets, "_llvm_features", lambda cpu: features)
    monkeypatch.setattr(matrix_unit, "is_permitted", lambda: False)
    refused = targets.resolve("cpu", "host", "generic", "sm_80")
    assert refused.vector_unit is not None and not refused.vector_unit.matrix_bytes
    assert matrix_unit.FLAGS.isdisjoint(refused.features)
    assert refused.notices == ("compiled without AMX, whose registers Linux refuses this process",)
    monkeypatch.setattr(matrix_unit, "is_permitted", lambda: True)
    permitted = targets.resolve("cpu", "host", "generic", "sm_80")
    assert permitted.vector_unit is not None and permitted.vector_unit.matrix_bytes
    assert not permitted.notices


@needs_unit
def test_other_programs_are_permitted_too() -> None:
    """What was permitted ends where another program is started, unless that asks itself."""
    ask = (  # ARCH_GET_XCOMP_PERM
        "import ctypes; held = ctypes.c_uint64(); "
        "ctypes.CDLL(None).syscall(158, 0x1022, ctypes.byref(held)); print(held.value >> 18 & 1)"
    )

    def held(environment: dict[str, str]) -> str:
        command = [sys.executable, "-c", ask]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert held(dict(os.environ)) == "0"
    assert held(matrix_unit.environment()) == "1"
