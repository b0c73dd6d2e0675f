"""RotaryEmbedding of com.microsoft, by the standard's.

Operator: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

import numpy as np

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


def rotate(
    x: Value, cos: Value, sin: Value, positions: Value, interleaved: int, width: int = 0
) -> Value:
    """Rotates [batch, heads, sequence, head size] by the angles of positions [batch, sequence].

    width: how many elements of a head are rotated, 0 for all of them.
    """
    if interleaved:
        return _rotate_pairs(x, cos, sin, positions, width)
    result = x.op("RotaryEmbedding", cos, sin, positions, rotary_embedding_dim=width)
    result.element = x.element
    return result


def _rotate_pairs(x: Value, cos: Value, sin: Value, positions: Value, width: int) -> Value:
    """Neighbors are a pair.

    Not by the standard's operator, and without a Concat of pairs: IREE fails on strides and on
    insertions of single elements where sizes are dynamic.
    """
    part = x.slice(3, 0, width) if width else x
    pairs = part.reshape(0, 0, 0, -1, 2)
    first, second = pairs.slice(4, 0, 1), pairs.slice(4, 1, 2)
    # [batch, 1, sequence, pairs, 1]
    cosine, sine = (table.op("Gather", positions, axis=0).unsqueeze(1, 4) for table in (cos, sin))
    real = first * cosine - second * sine
    is_first = x.body.constant(np.array([True, False]))
    turned = real.where(is_first, first * sine + second * cosine).reshape(0, 0, 0, -1)
    return turned.op("Concat", x.slice(3, width, None), axis=3) if width else turned


@composes("com.microsoft", "RotaryEmbedding")
def rotary_embedding(call: Call) -> Value:
    """Positions are given for every element, or the first one's is."""
    x, positions, cos, sin = call.operands("input position_ids cos_cache sin_cache")
    interleaved = call.attribute("interleaved", 0)
    heads, width = call.attribute("num_heads", 0), call.attribute("rotary_embedding_dim", 0)
    if call.attribute("is_packed_batching", 0):
        raise call.fail("has is_packed_batching, which isn't supported")
    if call.attribute("scale", 1.0) != 1.0:
        raise call.fail("has a scale, which isn't supported")
    flat = call.rank(0) == 3
    batch, length = x.size(0), x.size(1 if flat else 2)
    if call.rank(1) == 1:
        positions = (positions + call.positions(0, length)).unsqueeze(0).expand(batch, length)
    if not flat:
        return rotate(x, cos, sin, positions, interleaved, width)
    if width and not heads:
        raise call.fail("has rotary_embedding_dim, but no num_heads")
    split = x.reshape(0, 0, heads, -1) if heads else x.reshape(0, 0, -1, cos.size(1) * 2)
    rotated = rotate(split.transpose(0, 2, 1, 3), cos, sin, positions, interleaved, width)
    return rotated.transpose(0, 2, 1, 3).op("Reshape", x.shape(), allowzero=1)
