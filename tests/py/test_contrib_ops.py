"""Operators of com.microsoft, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from import_support import run_in_onnxruntime
from models.joined import Together
from onnx import TensorProto, helper

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is what they are compared to")

MS = "com.microsoft"


class Case:
    """One node: its operands (None for absent ones), which of them are constants, its outputs."""

    # Whether the last dimensions of inputs stay static when the others are dynamic.
    static_width = False
    rtol, atol, steps = 1e-5, 1e-5, 0

    def __init__(self, op, operands, outputs=1, constants=(), domain=MS, opset=17, **attributes):
        self.operands = [None if x is None else np.asarray(x) for x in operands]
        # The outputs that are compared; a tuple names some of several.
        self.outputs = tuple(range(outputs)) if isinstance(outputs, int) else outputs
        self.constants = constants
        self.node = helper.make_node(
            op,
            ["" if x is None else f"in{i}" for i, x in enumerate(operands)],
            [f"out{i}" if i in self.outputs else "" for i in range(max(self.outputs) + 1)],
            domain=domain,
            **attributes,
        )
        self.opset = opset

    @property
    def inputs(self):
        return {
            f"in{i}": x
            for i, x in enumerate(self.operands)
            if x is not None and i not in self.constants
        }

    def model(self, expected=None, dynamic=False):
        def info(name, value, prefix):
            dims = [f"{prefix}{size}" if size > 1 else size for size in value.shape]
            if self.static_width and dims:
                dims[-1] = value.shape[-1]
            element = helper.np_dtype_to_tensor_dtype(value.dtype)
            return helper.make_tensor_value_info(name, element, dims if dynamic else value.shape)

        names = [name for name in self.node.output if name]
        outputs = [onnx.ValueInfoProto(name=name) for name in names]
        if expected is not None:
            outputs = [
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim
                )
                for name, value in zip(names, expected, strict=True)
            ]
        graph = helper.make_graph(
            [self.node],
            "g",
            [info(name, value, "size") for name, value in self.inputs.items()],
            outputs,
            [onnx.numpy_helper.from_array(self.operands[i], f"in{i}") for i in self.constants],
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def within(self, rtol=1e-5, atol=1e-5, steps=0):
        """Other tolerances. steps: how far quantized results may be off, where .5 is rounded."""
        self.rtol, self.atol, self.steps = rtol, atol, steps
        return self

    def compare(self, actual, expected):
        which = helper.printable_node(self.node)
        for mine, theirs in zip(actual, expected, strict=True):
            assert mine.dtype == theirs.dtype, which
            assert mine.shape == theirs.shape, which
            if mine.dtype in (np.int8, np.uint8) and self.steps:
                off = np.abs(mine.astype(int) - theirs.astype(int))
                assert off.max(initial=0) <= self.steps, which
                assert (off > 0).mean() < 0.05, which
            else:
                np.testing.assert_allclose(
                    mine.astype(np.float64),
                    theirs.astype(np.float64),
                    self.rtol,
                    self.atol,
                    err_msg=which,
                )


def check(*cases, dynamic=True):
    """That each computes what ONNX Runtime does; all are compiled as one.

    dynamic: whether the models' sizes are names. What the operators are composed of is tested with
    known sizes elsewhere, so that one model is enough for most.
    """
    expected = [run_in_onnxruntime(case.model(), case.inputs) for case in cases]
    models = [case.model(right, dynamic) for case, right in zip(cases, expected, strict=True)]
    actual = Together(models).run([case.inputs for case in cases])
    for case, mine, right in zip(cases, actual, expected, strict=True):
        case.compare(mine, right)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def floats(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def test_activations(rng):
    x, bias = floats(rng, 2, 3, 8), floats(rng, 8)
    check(
        Case("Gelu", [x]),
        Case("BiasGelu", [x, bias]),
        # ONNX Runtime's tanh is an approximation.
        Case("FastGelu", [x]).within(rtol=1e-4),
        Case("FastGelu", [x, bias]).within(rtol=1e-4),
        Case("QuickGelu", [x]),
        Case("QuickGelu", [x], alpha=0.7),
    )


def test_fused_matmul(rng):
    cases = []
    for batch in [(), (2,), (2, 3)]:
        a, b = floats(rng, *batch, 4, 5), floats(rng, *batch, 5, 6)
        at, bt = np.ascontiguousarray(a.swapaxes(-1, -2)), np.ascontiguousarray(b.swapaxes(-1, -2))
        cases += [
            Case("FusedMatMul", [a, b], alpha=0.5),
            Case("FusedMatMul", [at, b], transA=1),
            Case("FusedMatMul", [at, bt], transA=1, transB=1, alpha=2.0),
        ]
    check(*cases)


def test_fused_matmul_of_batches_behind(rng):
    a, b = floats(rng, 4, 2, 3, 5), floats(rng, 2, 3, 5, 6)
    at, bt = floats(rng, 5, 2, 3, 4), floats(rng, 6, 2, 3, 5)
    check(
        Case("FusedMatMul", [a, b], transBatchA=1),
        Case("FusedMatMul", [at, bt], transBatchA=1, transA=1, transBatchB=1, transB=1),
    )


def test_skip_layer_normalization(rng):
    x, skip = floats(rng, 2, 3, 8), floats(rng, 2, 3, 8)
    gamma, beta, bias = floats(rng, 8), floats(rng, 8), floats(rng, 8)
    check(
        Case("SkipLayerNormalization", [x, skip, gamma]).within(atol=1e-4),
        Case("SkipLayerNormalization", [x, skip, gamma, beta, bias], (0, 3), epsilon=1e-3),
        Case("SkipLayerNormalization", [x, skip[0], gamma, beta], (0, 3)).within(atol=1e-4),
        Case("SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], (0, 3)),
        Case("SkipSimplifiedLayerNormalization", [x, skip, gamma], epsilon=1e-2),
    )


def test_layer_normalizations_of_the_default_domain(rng):
    x, scale, bias = floats(rng, 2, 3, 8), floats(rng, 8), floats(rng, 8)
    check(
        Case("SimplifiedLayerNormalization", [x, scale], domain="", epsilon=1e-2),
        Case("SimplifiedLayerNormalization", [x, scale], 2, domain=""),
    )
    check(Case("LayerNormalization", [x, scale, bias], domain="", opset=14))


def test_embed_layer_normalization(rng):
    ids = rng.integers(0, 10, (2, 4)).astype(np.int32)
    kinds = rng.integers(0, 2, (2, 4)).astype(np.int32)
    words, places, segments = floats(rng, 10, 8), floats(rng, 6, 8), floats(rng, 2, 8)
    gamma, beta = floats(rng, 8), floats(rng, 8)
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)
    positions = np.array([[1, 2, 3, 4], [0, 1, 2, 3]], np.int32)
    operands = [
        [ids, kinds, words, places, segments, gamma, beta, mask],
        [ids, None, words, places, None, gamma, beta],
        [ids, kinds, words, places, segments, gamma, beta, None, positions],
    ]
    check(
        *(
            Case("EmbedLayerNormalization", some, outputs).within(atol=1e-4)
            for some, outputs in zip(operands, (2, 2, 3), strict=True)
        )
    )


def test_rotary_embedding(rng):
    cos, sin = floats(rng, 10, 4), floats(rng, 10, 4)
    positions = np.array([[1, 2, 3], [4, 5, 6]], np.int64)
    x, heads, part = floats(rng, 2, 3, 16), floats(rng, 2, 4, 3, 8), floats(rng, 2, 3, 32)
    two = {"num_heads": 2, "rotary_embedding_dim": 8}
    check(
        Case("RotaryEmbedding", [x, positions, cos, sin]),
        Case("RotaryEmbedding", [x, positions, cos, sin], interleaved=1),
        Case("RotaryEmbedding", [x, np.array([2], np.int64), cos, sin]),
        Case("RotaryEmbedding", [heads, positions, cos, sin]),
        Case("RotaryEmbedding", [part, positions, cos, sin], **two),
    )


MASKS = {
    "none": None,
    "raw": np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32),
    "three": np.array(np.tril(np.ones((2, 4, 4))), np.int32),
    "ends": np.array([3, 2], np.int32),
    "ends_and_starts": np.array([4, 3, 1, 0], np.int32),
}


@pytest.mark.parametrize("dynamic", [False, True])
def test_attention(rng, dynamic):
    x, weights, bias = floats(rng, 2, 4, 8), floats(rng, 8, 24), floats(rng, 24)
    cases = [
        Case("Attention", [x, weights, bias, mask], num_heads=2, unidirectional=causal)
        for name, mask in MASKS.items()
        for causal in (0, 1)
        # Dynamic sizes don't tell [2 * batch] from [batch].
        if not (dynamic and name == "ends_and_starts")
    ]
    check(*(case.within(atol=1e-4) for case in cases), dynamic=dynamic)


def test_attention_with_a_past_and_a_bias(rng):
    x, weights, bias = floats(rng, 2, 3, 8), floats(rng, 8, 24), floats(rng, 24)
    past, extra = floats(rng, 2, 2, 2, 5, 4), floats(rng, 2, 2, 3, 3)
    cases = [
        Case("Attention", [x, weights, bias, None, None, extra], num_heads=2),
        Case("Attention", [x, weights, bias, None, past], 2, num_heads=2),
        Case("Attention", [x, weights, bias, None, past], 2, num_heads=2, unidirectional=1),
    ]
    check(*(case.within(atol=1e-4) for case in cases))


def test_attention_of_different_widths(rng):
    x, weights, bias = floats(rng, 2, 3, 8), floats(rng, 8, 28), floats(rng, 28)
    sizes = {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 12]}
    check(Case("Attention", [x, weights, bias], scale=0.3, **sizes).within(atol=1e-4))


def test_multi_head_attention(rng):
    q, k, v = floats(rng, 2, 3, 8), floats(rng, 2, 4, 8), floats(rng, 2, 4, 12)
    bias, extra = floats(rng, 28), floats(rng, 1, 2, 3, 4)
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.int32)
    check(
        Case("MultiHeadAttention", [q, k, v], num_heads=2),
        Case("MultiHeadAttention", [q, k, v, bias, mask], num_heads=2).within(atol=1e-4),
        Case("MultiHeadAttention", [q, k, v, None, None, extra], num_heads=2, scale=0.2),
        Case("MultiHeadAttention", [q, q, q], num_heads=2, unidirectional=1),
    )


def test_multi_head_attention_of_packed_and_past_values(rng):
    q = floats(rng, 2, 3, 8)
    k, v = floats(rng, 2, 2, 4, 4), floats(rng, 2, 2, 4, 4)
    past_k, past_v = floats(rng, 2, 2, 5, 4), floats(rng, 2, 2, 5, 4)
    operands = [q, q, q, None, None, None, past_k, past_v]
    check(
        Case("MultiHeadAttention", [q, k, v], num_heads=2),
        Case("MultiHeadAttention", operands, 3, num_heads=2),
    )


def test_multi_head_attention_of_packed_values(rng):
    """ONNX Runtime has no such kernel for the CPU: compared to the same values, not packed."""
    q, k, v = (floats(rng, 2, 3, 8) for _ in range(3))
    expected = run_in_onnxruntime(
        Case("MultiHeadAttention", [q, k, v], num_heads=2).model(),
        {"in0": q, "in1": k, "in2": v},
    )
    parts = [x.reshape(2, 3, 2, 4) for x in (q, k, v)]
    cases = [
        Case("MultiHeadAttention", operands, num_heads=2)
        for operands in ([np.stack(parts, 3)], [q, np.stack(parts[1:], 3)])
    ]
    session = Together([case.model(expected) for case in cases])
    for case, actual in zip(cases, session.run([case.inputs for case in cases]), strict=True):
        case.compare(actual, expected)


def gqa(rng, batch, queries, past, ends, capacity=0, packed=False, sink=False, extra=False, **more):
    """A case with 4 heads of queries and 2 of keys, of 16 elements; ends: all lengths, less 1."""
    heads, groups, size = 4, 2, 16
    q = floats(rng, batch, queries, heads * size)
    k, v = floats(rng, batch, queries, groups * size), floats(rng, batch, queries, groups * size)
    if packed:
        q, k, v = np.concatenate([q, k, v], -1), None, None
    total = past + queries
    cache = [floats(rng, batch, groups, capacity or past, size) for _ in range(2)]
    cos, sin = floats(rng, 32, size // 2), floats(rng, 32, size // 2)
    operands = [
        q,
        k,
        v,
        *cache,
        np.array(ends, np.int32),
        np.array(total, np.int32),
        cos,
        sin,
        None,
    ]
    operands.append(floats(rng, batch, heads, queries, total) if extra else None)
    operands.append(floats(rng, heads) if sink else None)
    while operands[-1] is None:
        operands.pop()
    case = Case(
        "GroupQueryAttention",
        operands,
        3,
        constants=(6, 7, 8),
        num_heads=heads,
        kv_num_heads=groups,
        **more,
    )
    case.static_width = True
    return case


def test_group_query_attention_of_a_prompt(rng):
    check(
        gqa(rng, 2, 5, 0, [4, 4]),
        gqa(rng, 1, 5, 0, [4], do_rotary=1, packed=True),
        gqa(rng, 2, 5, 0, [4, 4], do_rotary=1, rotary_interleaved=1, scale=0.3),
        gqa(rng, 1, 6, 0, [5], local_window_size=2, softcap=5.0),
    )


def test_group_query_attention_of_a_token(rng):
    check(
        gqa(rng, 2, 1, 6, [6, 6], do_rotary=1),
        gqa(rng, 1, 1, 6, [6], local_window_size=3),
        gqa(rng, 1, 3, 6, [8], do_rotary=1),
        gqa(rng, 2, 1, 6, [6, 6], extra=True),
    )


def test_group_query_attention_with_a_sink(rng):
    check(gqa(rng, 2, 5, 0, [4, 4], smooth_softmax=1), gqa(rng, 2, 1, 6, [6, 6], sink=True))


def test_group_query_attention_with_a_longer_cache(rng):
    """Both write to the cache; what lies behind the total length is nobody's."""
    case = gqa(rng, 2, 1, 6, [6, 4], capacity=10, do_rotary=1)
    case.outputs = (0,)
    expected = run_in_onnxruntime(case.model(), case.inputs)
    actual = omb.InferenceSession(case.model(expected)).run(None, case.inputs)
    np.testing.assert_allclose(actual[0], expected[0], rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(actual[1:], expected[1:], strict=True):
        for index, length in enumerate([7, 5]):
            np.testing.assert_allclose(
                mine[index, :, :length], theirs[index, :, :length], 1e-5, 1e-5
            )


def matmul_nbits(rng, bits, zeros, k, constants=(1, 2)):
    n, size = 6, 16
    blocks = -(-k // size)
    a = floats(rng, 2, 3, k)
    b = rng.integers(0, 256, (n, blocks, size * bits // 8)).astype(np.uint8)
    scales = rng.uniform(0.01, 0.1, (n, blocks)).astype(np.float32)
    zero = None
    if zeros == "packed":
        zero = rng.integers(0, 256, (n, -(-blocks * bits // 8))).astype(np.uint8)
    elif zeros == "float":
        zero = rng.uniform(0, 3, (n, blocks)).astype(np.float32)
    operands = [a, b, scales, zero, None, floats(rng, n)]
    case = Case("MatMulNBits", operands, constants=constants, K=k, N=n, block_size=size, bits=bits)
    return case.within(rtol=1e-4, atol=1e-4)


# ONNX Runtime has no kernel for 8 bits with zero points that are floats.
ZEROS = {
    bits: ("none", "packed", "float") if bits < 8 else ("none", "packed") for bits in (2, 4, 8)
}


@pytest.mark.parametrize("bits", ZEROS)
def test_matmul_nbits(rng, bits):
    check(*(matmul_nbits(rng, bits, zeros, 32) for zeros in ZEROS[bits]), dynamic=False)
    check(*(matmul_nbits(rng, bits, zeros, 40) for zeros in ZEROS[bits]), dynamic=True)


def test_matmul_nbits_of_weights_that_are_no_constants(rng):
    check(*(matmul_nbits(rng, 4, zeros, 40, ()) for zeros in ZEROS[4]), dynamic=False)


@pytest.mark.parametrize(
    ("shapes", "attributes", "message"),
    [
        (((6, 2, 8), (6, 2)), {"block_size": 0}, "N 6, K 32 and block_size 0; they are at least 1"),
        (((6, 2, 8), (6, 2)), {"block_size": -16}, "block_size -16; they are at least 1"),
        (((6, 2, 8), (6, 2)), {"block_size": 3}, "block_size 3; .* a block is whole bytes"),
        (((6, 2, 7), (6, 2)), {}, "has 84 numbers of uint8 as input 1; .* 6 times 32 numbers"),
        (((6, 2, 8), (6, 3)), {}, "has 18 scales; 6 rows of 2 blocks have 12"),
    ],
)
def test_malformed_matmul_nbits(rng, shapes, attributes, message):
    b, scales = np.zeros(shapes[0], np.uint8), np.ones(shapes[1], np.float32)
    attributes = {"K": 32, "N": 6, "block_size": 16, "bits": 4, **attributes}
    case = Case("MatMulNBits", [floats(rng, 2, 32), b, scales], constants=(1, 2), **attributes)
    with pytest.raises(omb.OmbError, match=message):
        omb.import_model(case.model([np.ones((2, 6), np.float32)]))


def quantized(rng, *shape, dtype=np.uint8):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def scale(value):
    return np.array(value, np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_quantized_elementwise(rng, dtype):
    zero = np.array(3, dtype)
    a, b = quantized(rng, 2, 3, 8, dtype=dtype), quantized(rng, 8, dtype=dtype)
    cases = []
    for op in ("QLinearAdd", "QLinearMul"):
        operands = [a, scale(0.1), zero, b, scale(0.07), zero, scale(0.2)]
        cases += [Case(op, [*operands, zero]), Case(op, operands)]
    for op in ("QLinearSigmoid", "QLinearLeakyRelu"):
        cases.append(Case(op, [a, scale(0.1), zero, scale(0.01), zero], constants=(1, 2, 3, 4)))
    check(*(case.within(steps=1) for case in cases))


def test_quantize_and_dequantize(rng):
    cases = []
    for dtype in (np.uint8, np.int8, np.uint16, np.int16):
        info = np.iinfo(dtype)
        # Beyond the range on both sides, and halves.
        x = np.round(floats(rng, 2, 3, 4) * info.max) / 2
        numbers = rng.integers(info.min, info.max, (2, 3, 4)).astype(dtype)
        by_row = rng.uniform(0.5, 2, 3).astype(np.float32)
        zeros = rng.integers(info.min, info.max, 3).astype(dtype)
        for step, zero in ((scale(0.5), zeros[0]), (by_row, zeros)):
            for constants in ((1, 2), ()):
                cases.append(Case("QuantizeLinear", [x, step, zero], constants=constants))
                cases.append(Case("DequantizeLinear", [numbers, step, zero], constants=constants))
    cases.append(Case("QuantizeLinear", [x, by_row[:2], zeros[:2]], constants=(1, 2), axis=0))
    check(*cases)


def test_quantized_concat(rng):
    zero = np.array(3, np.uint8)
    a, b = quantized(rng, 2, 3, 4), quantized(rng, 2, 5, 4)
    case = Case(
        "QLinearConcat",
        [scale(0.1), zero, a, scale(0.2), zero, b, scale(0.05), np.array(9, np.uint8)],
        constants=(0, 1, 3, 4, 6, 7),
        axis=1,
    )
    check(case.within(steps=1))


def test_quantized_softmax(rng):
    x = quantized(rng, 2, 3, 8)
    operands = [x, scale(0.1), np.array(3, np.uint8), scale(1 / 256), np.array(0, np.uint8)]
    cases = [Case("QLinearSoftmax", operands, constants=(1, 2, 3, 4), axis=1) for _ in range(2)]
    for case, opset in zip(cases, (11, 13), strict=True):
        case.node.attribute.append(helper.make_attribute("opset", opset))
    check(*(case.within(steps=1) for case in cases))


def test_quantized_pools(rng):
    window = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
    cases = []
    for dtype in (np.uint8, np.int8):
        zero = np.array(3, dtype)
        x = quantized(rng, 2, 8, 5, 6, dtype=dtype)
        operands = [x, scale(0.1), zero, scale(0.067), zero]
        for last in (0, 1):
            cases.append(Case("QLinearGlobalAveragePool", operands, channels_last=last))
            if dtype == np.uint8:
                cases.append(Case("QLinearAveragePool", operands, channels_last=last, **window))
    check(*(case.within(steps=1) for case in cases))


def test_qgemm(rng):
    cases = []
    for columns in (False, True):
        a, b = quantized(rng, 4, 6), quantized(rng, 5, 6, dtype=np.int8)
        b_scale = rng.uniform(0.01, 0.1, 5).astype(np.float32) if columns else scale(0.05)
        b_zero = np.zeros(5, np.int8) if columns else np.array(0, np.int8)
        c = rng.integers(-100, 100, 5).astype(np.int32)
        base = [a, scale(0.1), np.array(7, np.uint8), b, b_scale, b_zero]
        stored = [*base, c, scale(0.9), np.array(9, np.uint8)]
        cases += [
            Case("QGemm", base, transB=1),
            Case("QGemm", [*base, c], transB=1),
            Case("QGemm", stored, transB=1).within(steps=1),
        ]
    check(*cases)


def test_matmul_of_integers_to_floats(rng):
    cases = []
    for columns in (False, True):
        a, b = quantized(rng, 2, 4, 6), quantized(rng, 6, 5, dtype=np.int8)
        b_scale = rng.uniform(0.01, 0.1, 5).astype(np.float32) if columns else scale(0.05)
        b_zero = quantized(rng, 5, dtype=np.int8) if columns else np.array(2, np.int8)
        a_zero, bias = np.array(7, np.uint8), floats(rng, 5)
        operands = [a, b, scale(0.1), b_scale, a_zero, b_zero, bias]
        x = floats(rng, 2, 4, 6)
        cases += [
            Case("MatMulIntegerToFloat", operands),
            Case("MatMulIntegerToFloat", operands[:4]),
            Case("DynamicQuantizeMatMul", [x, b, b_scale, b_zero, bias]),
            Case("DynamicQuantizeMatMul", [x, b, b_scale]),
        ]
    check(*cases)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (Case("FusedMatMul", [np.ones((2, 2), np.float32)]), "needs the input 'B'"),
        (Case("Gelu", [np.ones(2, np.float32)], other=1), "attribute 'other', which isn't supp"),
        (Case("NoSuchOp", [np.ones(2, np.float32)]), "NoSuchOp.*not part of ONNX.*register_op"),
        (
            Case("RotaryEmbedding", [np.ones((1, 1, 2), np.float32)] * 4, scale=2.0),
            "has a scale, which isn't supported",
        ),
    ],
)  # fmt: skip
def test_errors_name_the_node(case, message):
    model = case.model([np.ones(2, np.float32)])
    with pytest.raises(omb.OmbError, match=message):
        omb.import_model(model)


def test_shapes_follow(rng):
    """The declared rank of an output isn't needed: it is inferred through the compositions."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length", 8])
    nodes = [
        helper.make_node("QuickGelu", ["x"], ["y"], domain=MS),
        helper.make_node("SkipLayerNormalization", ["x", "y", "gamma"], ["z"], domain=MS),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [x],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(floats(rng, 8), "gamma")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    session = omb.InferenceSession(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    assert list(session.get_outputs()[0].shape) == ["batch", "length", 8]


def test_fused_activations(rng):
    a, b, c = floats(rng, 3, 4), floats(rng, 5, 4), floats(rng, 5)
    activations = {
        "Relu": {},
        "Tanh": {},
        "LeakyRelu": {"activation_alpha": 0.3},
        "HardSigmoid": {"activation_alpha": 0.3, "activation_beta": 0.4},
    }
    products = [
        Case("FusedGemm", [a, b, c], transB=1, alpha=0.5, activation=name, **parameters)
        for name, parameters in activations.items()
    ]
    x, w, bias = floats(rng, 2, 3, 6, 6), floats(rng, 4, 3, 3, 3), floats(rng, 4)
    z = floats(rng, 2, 4, 4, 4)
    clip = {"activation": "Clip", "activation_params": [-0.5, 0.7]}
    check(
        *products,
        Case("FusedConv", [x, w, bias], constants=(1, 2), activation="Sigmoid").within(atol=1e-4),
        Case("FusedConv", [x, w, bias, z], constants=(1, 2), **clip).within(atol=1e-4),
    )


@pytest.mark.parametrize("name", ["bert_like", "vit_like", "gpt2_like"])
def test_what_the_runtimes_optimizer_writes(name, tmp_path, rng):
    """Transformers whose operators ONNX Runtime has fused run as it runs them."""
    from models import transformers

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        getattr(transformers, name)().SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    optimized = onnx.load(tmp_path / "optimized.onnx")
    assert MS in {node.domain for node in optimized.graph.node}
    inputs = {}
    for value in session.get_inputs():
        shape = [d if isinstance(d, int) else 4 for d in value.shape]
        whole = "int" in value.type
        inputs[value.name] = rng.integers(0, 2, shape) if whole else floats(rng, *shape)
    expected = session.run(None, inputs)
    actual = omb.InferenceSession(optimized).run(None, inputs)
    for mine, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
