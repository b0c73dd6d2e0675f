"""BERT-, ViT- and GPT-2-like models: everything the real ones contain, two small layers of it.

They differ on purpose in how they write the same thing (GELU by Erf, by the Gelu operator or by
Tanh; layer normalization as one operator or as nine; shapes by Reshape's 0 and -1 or by Shape and
Concat), because exporters do.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import onnx

from .graph import BOOL, FLOAT, INT64, Graph

HIDDEN = 64
HEADS = 4
LAYERS = 2
VOCABULARY = 200
POSITIONS = 64

LayerNorm = Literal["operator", "decomposed"]


def _linear(g: Graph, x: str, inputs: int, outputs: int) -> str:
    return g.op("Add", g.op("MatMul", x, g.weight(inputs, outputs)), g.bias(outputs))


def _layer_norm(g: Graph, x: str, how: LayerNorm) -> str:
    scale, bias = g.scale(HIDDEN), g.bias(HIDDEN)
    if how == "operator":
        return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)
    axes = g.ints(-1)
    centered = g.op("Sub", x, g.op("ReduceMean", x, axes))
    variance = g.op("ReduceMean", g.op("Pow", centered, g.constant(2.0)), axes)
    deviation = g.op("Sqrt", g.op("Add", variance, g.constant(1e-5)))
    normal = g.op("Div", centered, deviation)
    return g.op("Add", g.op("Mul", normal, scale), bias)


def _gelu_erf(g: Graph, x: str) -> str:
    erf = g.op("Erf", g.op("Div", x, g.constant(math.sqrt(2.0))))
    product = g.op("Mul", x, g.op("Add", erf, g.constant(1.0)))
    return g.op("Mul", product, g.constant(0.5))


def _gelu_tanh(g: Graph, x: str) -> str:
    cubic = g.op("Mul", g.op("Pow", x, g.constant(3.0)), g.constant(0.044715))
    inner = g.op("Mul", g.op("Add", x, cubic), g.constant(math.sqrt(2.0 / math.pi)))
    half = g.op("Mul", x, g.constant(0.5))
    return g.op("Mul", half, g.op("Add", g.op("Tanh", inner), g.constant(1.0)))


def _split_heads(g: Graph, x: str) -> str:
    """[batch, sequence, hidden] -> [batch, heads, sequence, head]; 0 copies a dimension."""
    parts = g.op("Reshape", x, g.ints(0, 0, HEADS, HIDDEN // HEADS))
    return g.op("Transpose", parts, perm=[0, 2, 1, 3])


def _attend(g: Graph, q: str, k: str, v: str, mask: str | None) -> str:
    """Softmax(q kᵀ / sqrt(head) + mask) v, the heads joined again: [batch, sequence, hidden]."""
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = g.op("Div", scores, g.constant(math.sqrt(HIDDEN // HEADS)))
    if mask is not None:
        scores = g.op("Add", scores, mask)
    context = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
    joined = g.op("Transpose", context, perm=[0, 2, 1, 3])
    return g.op("Reshape", joined, g.ints(0, 0, HIDDEN))


def _self_attention(g: Graph, x: str, mask: str | None) -> str:
    q, k, v = (_split_heads(g, _linear(g, x, HIDDEN, HIDDEN)) for _ in range(3))
    return _linear(g, _attend(g, q, k, v, mask), HIDDEN, HIDDEN)


def bert_like(layer_norm: LayerNorm = "operator") -> onnx.ModelProto:
    """Encoder over token ids with an attention mask; batch and sequence dynamic.

    input_ids, attention_mask, token_type_ids: int64 [batch, sequence]
    -> last_hidden_state [batch, sequence, 64], pooler_output [batch, 64]
    """
    g = Graph(f"bert_{layer_norm}")
    dims = ("batch", "sequence")
    ids = g.input("input_ids", INT64, dims)
    mask = g.input("attention_mask", INT64, dims)
    kinds = g.input("token_type_ids", INT64, dims)

    with g.scope("embeddings"):
        sequence = g.op("Gather", g.op("Shape", ids), g.constant(1, np.int64), axis=0)
        end = g.op("Unsqueeze", sequence, g.ints(0))
        numbers = g.constant(np.arange(POSITIONS)[None], np.int64)
        positions = g.op("Slice", numbers, g.ints(0), end, g.ints(1), g.ints(1))
        x = g.op("Gather", g.weight(VOCABULARY, HIDDEN, std=1.0), ids)
        x = g.op("Add", x, g.op("Gather", g.weight(2, HIDDEN, std=1.0), kinds))
        x = g.op("Add", x, g.op("Gather", g.weight(POSITIONS, HIDDEN, std=1.0), positions))
        x = _layer_norm(g, x, layer_norm)
        visible = g.op("Cast", g.op("Unsqueeze", mask, g.ints(1, 2)), to=FLOAT)
        hidden = g.op("Sub", g.constant(1.0), visible)
        # Not the lowest float: adding a score to that is not portable (x + lowest may be -inf).
        additive = g.op("Mul", hidden, g.constant(-10000.0))

    for layer in range(LAYERS):
        with g.scope(f"layer.{layer}"):
            x = _layer_norm(g, g.op("Add", _self_attention(g, x, additive), x), layer_norm)
            wide = _gelu_erf(g, _linear(g, x, HIDDEN, 4 * HIDDEN))
            narrow = _linear(g, wide, 4 * HIDDEN, HIDDEN)
            x = _layer_norm(g, g.op("Add", narrow, x), layer_norm)

    with g.scope("pooler"):
        first = g.op("Gather", x, g.constant(0, np.int64), axis=1)
        pooled = g.op("Gemm", first, g.weight(HIDDEN, HIDDEN), g.bias(HIDDEN), transB=1)
        pooled = g.op("Tanh", pooled)
    g.output(x, "last_hidden_state", FLOAT, [*dims, HIDDEN])
    g.output(pooled, "pooler_output", FLOAT, ["batch", HIDDEN])
    return g.model()


def vit_like() -> onnx.ModelProto:
    """Vision transformer: patch embedding by Conv, class token, pre-norm layers; batch dynamic.

    pixel_values: float [batch, 3, 32, 32] -> logits [batch, 10]
    """
    patch, side = 8, 32
    g = Graph("vit")
    pixels = g.input("pixel_values", FLOAT, ["batch", 3, side, side])
    with g.scope("embeddings"):
        x = g.op(
            "Conv",
            pixels,
            g.weight(HIDDEN, 3, patch, patch),
            g.bias(HIDDEN),
            kernel_shape=[patch, patch],
            strides=[patch, patch],
        )
        x = g.op("Transpose", g.op("Reshape", x, g.ints(0, HIDDEN, -1)), perm=[0, 2, 1])
        batch = g.op("Shape", pixels, start=0, end=1)
        shape = g.op("Concat", batch, g.ints(1, HIDDEN), axis=0)
        token = g.op("Expand", g.weight(1, 1, HIDDEN, std=1.0), shape)
        x = g.op("Concat", token, x, axis=1)
        x = g.op("Add", x, g.weight(1, (side // patch) ** 2 + 1, HIDDEN, std=0.5))
    for layer in range(LAYERS):
        with g.scope(f"layer.{layer}"):
            attended = _self_attention(g, _layer_norm(g, x, "operator"), None)
            x = g.op("Add", attended, x)
            wide = _linear(g, _layer_norm(g, x, "operator"), HIDDEN, 4 * HIDDEN)
            wide = g.op("Gelu", wide, approximate="none")
            x = g.op("Add", _linear(g, wide, 4 * HIDDEN, HIDDEN), x)
    with g.scope("classifier"):
        x = g.op("Gather", _layer_norm(g, x, "operator"), g.constant(0, np.int64), axis=1)
        logits = g.op("Gemm", x, g.weight(HIDDEN, 10), g.bias(10))
    g.output(logits, "logits", FLOAT, ["batch", 10])
    return g.model()


def _causal_mask(g: Graph, ids: str, past: str | None) -> tuple[str, str]:
    """(positions of the tokens [sequence], additive mask [sequence, past + sequence])."""
    zero, one = g.constant(0, np.int64), g.constant(1, np.int64)
    sequence = g.op("Squeeze", g.op("Shape", ids, start=1, end=2), g.ints(0))
    seen = zero if past is None else g.op("Squeeze", g.op("Shape", past, start=2, end=3), g.ints(0))
    total = g.op("Add", seen, sequence)
    queries = g.op("Range", seen, total, one)
    keys = g.op("Range", zero, total, one)
    visible = g.op("GreaterOrEqual", g.op("Unsqueeze", queries, g.ints(1)), keys)
    visible = g.op("Cast", visible, to=BOOL)
    lowest = g.constant(np.finfo(np.float32).min)
    return queries, g.op("Where", visible, g.constant(0.0), lowest)


def _project(g: Graph, x: str, inputs: int, outputs: int) -> str:
    """GPT-2's Conv1D: the tokens flattened into rows, one Gemm, and the shape restored."""
    leading = g.op("Shape", x, start=0, end=2)
    rows = g.op("Reshape", x, g.ints(-1, inputs))
    rows = g.op("Gemm", rows, g.weight(inputs, outputs), g.bias(outputs))
    return g.op("Reshape", rows, g.op("Concat", leading, g.ints(outputs), axis=0))


def gpt2_like(past: bool = False) -> onnx.ModelProto:
    """Causal decoder with tied embeddings; batch and sequence dynamic.

    input_ids: int64 [batch, sequence] -> logits [batch, sequence, 200]
    With ``past`` also past.I.key, past.I.value: float [batch, 4, past, 16] (past may be 0), and as
    outputs present.I.key, present.I.value [batch, 4, past + sequence, 16].
    """
    g = Graph("gpt2_past" if past else "gpt2")
    ids = g.input("input_ids", INT64, ["batch", "sequence"])
    cache_dims = ["batch", HEADS, "past", HIDDEN // HEADS]
    caches = [
        tuple(g.input(f"past.{i}.{part}", FLOAT, cache_dims) for part in ("key", "value"))
        for i in range(LAYERS if past else 0)
    ]
    positions, mask = _causal_mask(g, ids, caches[0][0] if past else None)
    embedding = g.weight(VOCABULARY, HIDDEN, std=0.5)
    places = g.op("Gather", g.weight(POSITIONS, HIDDEN, std=0.5), positions)
    x = g.op("Add", g.op("Gather", embedding, ids), places)

    for layer in range(LAYERS):
        with g.scope(f"h.{layer}"):
            joined = _project(g, _layer_norm(g, x, "operator"), HIDDEN, 3 * HIDDEN)
            parts = g.ops("Split", joined, outputs=3, axis=2, num_outputs=3)
            q, k, v = (_split_heads(g, part) for part in parts)
            if past:
                key, value = caches[layer]
                k = g.op("Concat", key, k, axis=2)
                v = g.op("Concat", value, v, axis=2)
                present_dims = ["batch", HEADS, "total", HIDDEN // HEADS]
                g.output(k, f"present.{layer}.key", FLOAT, present_dims)
                g.output(v, f"present.{layer}.value", FLOAT, present_dims)
            x = g.op("Add", _project(g, _attend(g, q, k, v, mask), HIDDEN, HIDDEN), x)
            wide = _gelu_tanh(g, _project(g, _layer_norm(g, x, "operator"), HIDDEN, 4 * HIDDEN))
            x = g.op("Add", _project(g, wide, 4 * HIDDEN, HIDDEN), x)

    x = _layer_norm(g, x, "operator")
    logits = g.op("MatMul", x, g.op("Transpose", embedding, perm=[1, 0]))
    g.output(logits, "logits", FLOAT, ["batch", "sequence", VOCABULARY])
    return g.model()
