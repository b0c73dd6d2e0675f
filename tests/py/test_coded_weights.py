"""Products with weights of few bits, which kernels compute of what is stored.

Expected is what onnx's reference evaluator gives, to 1e-5 of the largest: its weights are the same
f32, or, where zero points differ, a rounding off; sums are made in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models.targets import needs_kernels
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

pytestmark = needs_kernels

CODES = {
    "i4": ml_dtypes.int4,
    "u4": ml_dtypes.uint4,
    "i8": np.int8,
    "u8": np.uint8,
    "i2": ml_dtypes.int2,
    "u2": ml_dtypes.uint2,
}


SCALES = {
    "f32": np.float32,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f16 to f32": np.float16,
}


@dataclass(frozen=True)
class Weights:
    """A matrix of codes: [inner, channels], or the other way round; block 0: none."""

    inner: int
    channels: int
    block: int
    kind: str
    transposed: bool = False
    zeros: str = "none"  # or "one", "each"
    scales: str = "f32"  # or "f16", "bf16", of which weights are, too; "f16 to f32"

    def constants(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        dtype = CODES[self.kind]
        info = ml_dtypes.iinfo(dtype)

        def codes(shape: tuple[int, ...]) -> np.ndarray:
            return rng.integers(info.min, info.max + 1, shape).astype(np.int16).astype(dtype)

        shape, parameters = (self.inner, self.channels), (self.channels,)
        if self.block:
            parameters = (-(-self.inner // self.block), self.channels)
        if self.transposed:
            shape, parameters = shape[::-1], parameters[::-1]
        made = {
            "codes": codes(shape),
            "scales": rng.uniform(0.01, 0.02, parameters).astype(SCALES[self.scales]),
        }
        if self.zeros == "each":
            made["zeros"] = codes(parameters)
        elif self.zeros == "one":
            made["zeros"] = np.full(parameters, 1).astype(dtype)
        return made

    def nodes(self, product: str) -> list[onnx.NodeProto]:
        inner, channels = (1, 0) if self.transposed else (0, 1)
        inputs = ["codes", "scales"] + (["zeros"] if self.zeros != "none" else [])
        attributes = {"axis": channels}
        if self.block:
            attributes = {"axis": inner, "block_size": self.block}
        if self.scales == "f16 to f32":
            attributes["output_dtype"] = TensorProto.FLOAT
        rounds = self.scales in ("f16", "bf16")
        output = "narrow" if rounds else "w"
        made = [
            helper.make_node("DequantizeLinear", inputs, [output], name="weights", **attributes)
        ]
        if rounds:
            made.append(helper.make_node("Cast", ["narrow"], ["w"], to=TensorProto.FLOAT))
        if product == "Gemm":
            return [
                *made,
                helper.make_node("Gemm", ["x", "w"], ["y"], transB=int(self.transposed)),
            ]
        weights = "w"
        if self.transposed:
            made.append(helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]))
            weights = "wt"
        return [*made, helper.make_node("MatMul", ["x", weights], ["y"], name="product")]

    def model(self, rows: int | str, product: str = "MatMul") -> onnx.ModelProto:
        return small_models.model(
            self.nodes(product),
            [small_models.tensor("x", TensorProto.FLOAT, [rows, self.inner])],
            [small_models.tensor("y", TensorProto.FLOAT, [rows, self.channels])],
            self.constants(np.random.default_rng(5)),
            opset=28,
        )


def _check(model: onnx.ModelProto, feed: dict[str, np.ndarray], cpu: str = "host") -> None:
    session = omb.InferenceSession(omb.compile(model, cpu=cpu), ["cpu"], threads=1)
    (got,) = session.run(None, feed)
    (expected,) = ReferenceEvaluator(model).run(None, feed)
    scale = max(1e-3, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * scale)


def _is_decoded(model: onnx.ModelProto, cpu: str = "host") -> bool:
    """Whether a kernel reads codes: packed into panels, with their scales."""
    text = omb.compile(model, cpu=cpu).emit("vector")
    return "codes.packed" in text or ("stream.executable" in text and "xi8>" in text)


@examples(20)
@given(
    weights=st.builds(
        Weights,
        inner=st.integers(1, 6).map(lambda blocks: blocks * 32) | st.integers(1, 140),
        channels=st.integers(1, 140),
        block=st.sampled_from([0, 16, 32]),
        kind=st.sampled_from(sorted(CODES)),
        transposed=st.booleans(),
        zeros=st.sampled_from(["none", "one", "each"]),
        scales=st.sampled_from(sorted(SCALES)),
    ),
    rows=st.sampled_from([1, 2, 3, 7, 20]),
    dynamic=st.booleans(),
    product=st.sampled_from(["MatMul", "Gemm"]),
    cpu=st.sampled_from(["host", "x86-64-v3"]),
)
def test_any_weights(weights: Weights, rows: int, dynamic: bool, product: str, cpu: str) -> None:
    model = weights.model("n" if dynamic else rows, product)
    x = np.random.default_rng(6).standard_normal((rows, weights.inner)).astype(np.float32)
    _check(model, {"x": x}, cpu)


@pytest.mark.parametrize("inner", [40, 33, 1])
def test_a_last_block_that_is_short(inner: int) -> None:
    weights = Weights(inner, 24, 16, "i4", zeros="each")
    _check(weights.model("n"), {"x": np.ones((3, inner), np.float32)})


@pytest.mark.parametrize("kind", ["i4", "u8"])
def test_no_rows(kind: str) -> None:
    _check(Weights(64, 24, 32, kind).model("n"), {"x": np.ones((0, 64), np.float32)})


@pytest.mark.parametrize(
    "weights",
    [
        Weights(64, 96, 32, "i4"),
        Weights(64, 96, 32, "u4", transposed=True, zeros="each"),
        Weights(64, 96, 0, "i8"),
        Weights(70, 96, 32, "i4"),
        Weights(70, 96, 32, "u4", transposed=True, zeros="each"),
        Weights(64, 96, 32, "i4", scales="f16", zeros="each"),
        Weights(70, 96, 32, "i4", scales="bf16"),
        Weights(64, 96, 32, "i4", scales="f16 to f32"),
    ],
)
def test_kernels_read_codes(weights: Weights) -> None:
    for rows in (1, "n"):
        assert _is_decoded(weights.model(rows))


@pytest.mark.parametrize("rows", [1, "n"])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["f16", "bf16"])
def test_narrow_products(dtype: type, rows: int | str) -> None:
    """What is multiplied is widened, and summed in f32."""
    name = "f16" if dtype is np.float16 else "bf16"
    weights = Weights(70, 40, 32, "i4", zeros="each", scales=name)
    dequantize, _, product = weights.nodes("MatMul")
    product.input[1] = "narrow"
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = small_models.model(
        [dequantize, product],
        [small_models.tensor("x", kind, [rows, 70])],
        [small_models.tensor("y", kind, [rows, 40])],
        weights.constants(np.random.default_rng(5)),
        opset=28,
    )
    x = np.random.default_rng(6).standard_normal((1 if rows == 1 else 3, 70)).astype(dtype)
    constants = weights.constants(np.random.default_rng(5))
    blocks = np.arange(70) // 32
    codes = constants["codes"].astype(np.float32) - constants["zeros"].astype(np.float32)[blocks]
    wide = (codes * constants["scales"].astype(np.float32)[blocks]).astype(dtype)
    expected = x.astype(np.float32) @ wide.astype(np.float32)
    assert _is_decoded(model)
    (got,) = omb.InferenceSession(omb.compile(model), ["cpu"]).run(None, {"x": x})
    unit = float(ml_dtypes.finfo(dtype).eps)  # the result is rounded
    np.testing.assert_allclose(got.astype(np.float32), expected, rtol=unit, atol=1e-5)


def test_stored_as_they_are(tmp_path: Path) -> None:
    """Half a byte for each weight, and a scale of 4 bytes for each block."""
    weights = Weights(1024, 512, 32, "i4")
    omb.compile(weights.model("n")).save(tmp_path / "model")
    stored = (tmp_path / "model").stat().st_size
    parameters = 1024 * 512 // 2 + 1024 // 32 * 512 * 4
    assert parameters <= stored < parameters + (256 << 10)  # its parts are aligned to 64 KiB


@pytest.mark.parametrize("kind", ["i4", "u4", "i8"])
@pytest.mark.parametrize("zeros", ["none", "each"])
def test_table_that_a_product_shares(kind: str, zeros: str) -> None:
    """As language models have it: rows of the table, and the product with all of them."""
    table = Weights(64, 100, 32, kind, transposed=True, zeros=zeros)
    dequantize, transpose, product = table.nodes("MatMul")
    product.input[0] = "embedded"
    model = small_models.model(
        [dequantize, transpose, helper.make_node("Gather", ["w", "i"], ["embedded"]), product],
        [small_models.tensor("i", TensorProto.INT64, ["n"])],
        [small_models.tensor("y", TensorProto.FLOAT, ["n", 100])],
        table.constants(np.random.default_rng(5)),
        opset=28,
    )
    _check(model, {"i": np.array([3, -1, 99, 0])})
    # Only what was gathered is dequantized.
    assert "tensor<100x64xf32>" not in omb.compile(model).emit("vector")


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "block"])
def test_gathered_along_any_axis(axis: int, granularity: str) -> None:
    rng = np.random.default_rng(8)
    shapes = {"tensor": (), "channel": (8,), "block": (10, 2)}
    attributes = {"tensor": {}, "channel": {"axis": -1}, "block": {"axis": 1, "block_size": 4}}
    model = small_models.model(
        [
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], **attributes[granularity]),
            helper.make_node("Gather", ["d", "i"], ["y"], axis=axis),
        ],
        [small_models.tensor("i", TensorProto.INT64, [2, 1])],
        [small_models.tensor("y", TensorProto.FLOAT, None)],
        {
            "q": rng.integers(-8, 8, (10, 8)).astype(np.int8).astype(ml_dtypes.int4),
            "s": rng.uniform(0.1, 1, shapes[granularity]).astype(np.float32),
            "z": rng.integers(-8, 8, shapes[granularity]).astype(np.int8).astype(ml_dtypes.int4),
        },
        opset=28,
    )
    _check(model, {"i": np.array([[1], [-2]])})


@pytest.mark.parametrize("zeros", [[199] * 40, [*range(160, 200)]])
def test_scales_whose_products_with_zero_points_are_no_numbers(zeros: list[int]) -> None:
    """(code - zero point) * scale is one, zero point * scale isn't."""
    model = small_models.model(
        Weights(32, 40, 0, "u8", zeros="each").nodes("MatMul"),
        [small_models.tensor("x", TensorProto.FLOAT, [2, 32])],
        [small_models.tensor("y", TensorProto.FLOAT, [2, 40])],
        {
            "codes": np.full((32, 40), 200, np.uint8),
            "scales": np.full(40, 3e36, np.float32),
            "zeros": np.array(zeros, np.uint8),
        },
        opset=28,
    )
    _check(model, {"x": np.full((2, 32), 1e-3, np.float32)})
