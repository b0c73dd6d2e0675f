"""What IREE computes wrongly or refuses on Vulkan unless this project works around it."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import onnx_mlir_bridge as omb
import pytest
from models import reference
from models.targets import GPU_TOLERANCE, needs_vulkan
from onnx import parser
from onnx_mlir_bridge.runtime import devices

pytestmark = needs_vulkan

# Reductions that are broadcast over other loops than the last: see omb-isolate-broadcasts. Of odd
# sizes, for which IREE distributes loops over threads one by one.
BROADCASTS = {
    "of columns": """(float[7,33] x) => (float[7,33] y) <int64[1] axes = {0}> {
        m = ReduceMax<keepdims=1>(x, axes)  y = Sub(x, m) }""",
    "of columns, dynamic": """(float[a,b] x) => (float[a,b] y) <int64[1] axes = {0}> {
        m = ReduceMax<keepdims=1>(x, axes)  y = Sub(x, m) }""",
    "after an elementwise op": """(float[7,33] x) => (float[7,33] y) <int64[1] axes = {0}> {
        s = ReduceSum<keepdims=1>(x, axes)  t = Tanh(s)  y = Sub(x, t) }""",
    "in the middle": """(float[5,9,33] x) => (float[5,9,33] y) <int64[1] axes = {1}> {
        m = ReduceMax<keepdims=1>(x, axes)  y = Sub(x, m) }""",
    "of rows, over new ones": """(float[33,7] x, float[5,33] z) => (float[5,33] y)
        <int64[1] axes = {1}> { m = ReduceMax<keepdims=0>(x, axes)  y = Sub(z, m) }""",
    "of rows, transposed": """(float[13,33,7] x, float[33,13,3] z) => (float[33,13,3] y)
        <int64[1] axes = {2}, int64[1] last = {2}> {
        m = ReduceMax<keepdims=0>(x, axes)  t = Transpose<perm=[1,0]>(m)
        u = Unsqueeze(t, last)  y = Sub(z, u) }""",
    "of a convolution": """(float[1,3,13,13] x, float[5,3,3,3] w, float[3,5,11,11] z)
        => (float[3,5,11,11] y) { c = Conv(x, w)  y = Add(c, z) }""",
    "softmax": "(float[3,4,5] x) => (float[3,4,5] y) { y = Softmax<axis=0>(x) }",
    "softmax, transposed": """(float[5,9,33] x) => (float[9,33,5] y) {
        s = Softmax(x)  y = Transpose<perm=[1,2,0]>(s) }""",
    "norm": "(float[7,33] x) => (float[7,33] y) { y = LpNormalization<axis=0>(x) }",
}

EMPTY = np.zeros((0, 3), np.float32)


def _model(graph: str):
    return parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> g {graph}')


def _run(graph: str, **inputs: np.ndarray) -> list[np.ndarray]:
    return omb.InferenceSession(_model(graph), providers=["vulkan"]).run(None, inputs)


@pytest.mark.parametrize("case", BROADCASTS)
def test_reductions_are_broadcast(case: str) -> None:
    model = _model(BROADCASTS[case])
    random = np.random.default_rng(3)
    inputs = {
        value.name: random.standard_normal(
            [dim.dim_value or 17 for dim in value.type.tensor_type.shape.dim], np.float32
        )
        for value in model.graph.input
    }
    expected = reference.onnxruntime_outputs(model, inputs)
    actual = omb.InferenceSession(model, providers=["vulkan"]).run(None, inputs)
    reference.assert_agree(["y"], actual, expected, GPU_TOLERANCE)


@pytest.mark.parametrize("size", [5, 100])
def test_elements_picked_by_value(size: int) -> None:
    """The sizes aren't known, so that they may be as large as an index of 32 bits."""
    x = np.arange(size, dtype=np.float32) % 3
    (y,) = _run("(float[n] x) => (int64[1,k] y) { y = NonZero(x) }", x=x)
    np.testing.assert_array_equal(y, np.array(np.nonzero(x)))


def test_boxes_of_several_classes() -> None:
    corner = np.array([0, 0.1, 5, 5.1, 9, 9.1], np.float32)
    boxes = np.stack([corner, corner, corner + 1, corner + 1], axis=1)[None]
    scores = np.array([[[0.1, 0.9, 0.3, 0.4, 0.8, 0.2], [0.5, 0.6, 0.7, 0.1, 0.2, 0.9]]], "f4")
    (y,) = _run(
        """(float[1,6,4] boxes, float[1,2,6] scores) => (int64[k,3] y)
            <int64[1] most = {2}, float[1] overlap = {0.5}>
            { y = NonMaxSuppression(boxes, scores, most, overlap) }""",
        boxes=boxes,
        scores=scores,
    )
    np.testing.assert_array_equal(y, [[0, 0, 1], [0, 0, 4], [0, 1, 5], [0, 1, 2]])


def test_empty_tensors_of_known_sizes() -> None:
    (y,) = _run("(float[0,3] x) => (float[0,3] y) { y = Relu(x) }", x=EMPTY)
    assert y.shape == (0, 3)
    graph = "(float[0,3] x) => (float[3] y) <int64[1] a = {0}> { y = ReduceSum<keepdims=0>(x, a) }"
    np.testing.assert_array_equal(_run(graph, x=EMPTY)[0], np.zeros(3, np.float32))


def test_empty_tensors_of_which_only_the_type_counts() -> None:
    graph = "(float[3] x, int32[n] like) => (int32[3] y) { y = CastLike(x, like) }"
    ones = np.ones(3, np.float32)
    np.testing.assert_array_equal(_run(graph, x=ones, like=np.zeros(0, np.int32))[0], ones)


def test_other_empty_tensors_are_refused() -> None:
    session = omb.InferenceSession(
        _model("(float[n,3] x) => (float[n,3] y) { y = Relu(x) }"), providers=["vulkan"]
    )
    for _ in range(2):  # nor does the refusal break the session
        with pytest.raises(omb.OmbError, match=r"'x' has no elements, \(0, 3\); Vulkan devices"):
            session.run(None, {"x": EMPTY})
        ones = np.ones((2, 3), np.float32)
        np.testing.assert_array_equal(session.run(None, {"x": ones})[0], ones)


def test_small_constants_of_bf16() -> None:
    """IREE 3.13 makes SPIR-V of bf16 that a kernel loads, not of those that it holds."""
    graph = """(bfloat16[2,3] x) => (bfloat16[2,3] y) <bfloat16[3] bits = {16256, 16384, 49280}>
        { y = Add(x, bits) }"""
    x = np.arange(6).reshape(2, 3).astype(ml_dtypes.bfloat16)
    (actual,) = _run(graph, x=x)
    np.testing.assert_array_equal(actual, x + np.array([1, 2, -4], ml_dtypes.bfloat16))


def test_lost_device_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that gives up spoils a device for the rest of its time, not for the process's."""
    graph = "(float[3] x) => (float[3] y) { y = Neg(x) }"
    x = np.ones(3, np.float32)
    first = omb.InferenceSession(_model(graph), providers=["vulkan"])
    before = devices._opened["vulkan", 0]
    executable = first._plan.segments[0]._executable
    lost = "[vkWaitSemaphores] VK_ERROR_DEVICE_LOST"

    class Lost:
        def invoke(self, *_: object) -> None:
            raise RuntimeError(f"{lost}; while invoking")

    def lose() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(executable, "_context", Lost())
            with pytest.raises(omb.OmbError, match=f"{re.escape(lost)}; .*make a new session"):
                first.run(None, {"x": x})

    lose()
    assert ("vulkan", 0) not in devices._opened
    np.testing.assert_array_equal(_run(graph, x=x)[0], -x)
    after = devices._opened["vulkan", 0]
    assert after is not before
    lose()  # tells of the first device again, not of the second
    assert devices._opened["vulkan", 0] is after


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8, np.uint16])
def test_narrow_integers_are_extended(dtype: type) -> None:
    """Several are loaded as a number of 32 bits; others alone, where sizes are odd."""
    random = np.random.default_rng(4)
    limits = np.iinfo(dtype)
    name = np.dtype(dtype).name
    for rows, inner, columns in ((6, 32, 32), (9, 16, 40), (3, 33, 7)):
        x = random.integers(limits.min, limits.max, (rows, inner), dtype, endpoint=True)
        w = random.integers(-9, 9, (inner, columns)).astype(np.int32)
        (wide, product) = _run(
            f"""({name}[{rows},{inner}] x, int32[{inner},{columns}] w)
            => (int32[{rows},{inner}] wide, int32[{rows},{columns}] product)
            {{ wide = Cast<to=6>(x)  product = MatMul(wide, w) }}""",
            x=x,
            w=w,
        )
        np.testing.assert_array_equal(wide, x)
        np.testing.assert_array_equal(product, x.astype(np.int32) @ w)


def test_products_of_bytes() -> None:
    """Some are integer dot products."""
    random = np.random.default_rng(5)
    sizes = (6, 32, 32), (9, 16, 40), (16, 32, 10), (1, 3, 5), (18, 64, 64), (100, 256, 96)
    for rows, inner, columns in sizes:
        x = random.integers(-128, 128, (rows, inner)).astype(np.int8)
        w = random.integers(-128, 128, (inner, columns)).astype(np.int8)
        (y,) = _run(
            f"""(int8[{rows},{inner}] x, int8[{inner},{columns}] w)
            => (int32[{rows},{columns}] y) {{ y = MatMulInteger(x, w) }}""",
            x=x,
            w=w,
        )
        np.testing.assert_array_equal(y, x.astype(np.int32) @ w.astype(np.int32))


@pytest.mark.parametrize("pads", ["", ", pads=[0, 1, 1, 2]"], ids=["whole", "padded"])
@pytest.mark.parametrize("pool", ["AveragePool", "LpPool"])
def test_windows_of_bytes(pool: str, pads: str) -> None:
    """Of images of unknown size; the windows go over the ends of what is loaded at once."""
    graph = f"""(int8[n,4,h,19] x) => (float[a,b,c,d] y) <float s = {{0.5}}, int8 z = {{3}}> {{
        f = DequantizeLinear(x, s, z)  y = {pool}<kernel_shape=[2, 3]{pads}>(f) }}"""
    x = np.random.default_rng(6).integers(-128, 128, (2, 4, 5, 19)).astype(np.int8)
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 22]> g {graph}')
    (expected,) = reference.onnxruntime_outputs(model, {"x": x})
    np.testing.assert_allclose(_run(graph, x=x)[0], expected, rtol=GPU_TOLERANCE)
