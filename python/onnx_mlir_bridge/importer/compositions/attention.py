"""Attention and MultiHeadAttention of com.microsoft, by the standard's Attention.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. Heads are
the second dimension inside: [batch, heads, sequence, head size]. What a mask hides gets
`mask_filter_value` added to its score, so that a row with everything hidden is still a number.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes

_FILTER = -10000.0


def to_heads(x: Value, heads: int) -> Value:
    """[batch, sequence, hidden] -> [batch, heads, sequence, head size]."""
    return x.reshape(0, 0, heads, -1).transpose(0, 2, 1, 3)


def from_heads(x: Value) -> Value:
    """[batch, heads, sequence, head size] -> [batch, sequence, hidden]."""
    return x.transpose(0, 2, 1, 3).reshape(0, 0, -1)


def scale_of(call: Call) -> float | None:
    """The factor of the scores, None for 1 / sqrt(head size)."""
    return call.attribute("scale", 0.0) or None


def lowest(call: Call, like: Value) -> Value:
    """The lowest finite number of a floating-point type."""
    number = {
        TensorProto.FLOAT16: float(np.finfo(np.float16).min),
        TensorProto.BFLOAT16: -3.3895313892515355e38,
        TensorProto.DOUBLE: float(np.finfo(np.float64).min),
    }.get(like.element or 0, float(np.finfo(np.float32).min))
    return call.scalar(number, like)


def _hidden(call: Call, hide: Value, like: Value, value: float) -> Value:
    """`value` where a boolean holds, 0 elsewhere."""
    return call.scalar(value, like).where(hide, 0)


def _causal(call: Call, queries: Value, total: Value, like: Value) -> Value:
    """A bias [queries, total] that hides what comes after each of the last `queries` positions."""
    own = (call.positions(0, queries) + (total - queries)).unsqueeze(1)
    return lowest(call, like).where(call.positions(0, total).unsqueeze(0) > own, 0)


def padding_bias(
    call: Call, index: int, mask: Value, batch: Value, total: Value, like: Value, value: float
) -> Value:
    """The bias of a mask of 1 (seen) and 0, or of how many positions are seen.

    Its shape is [batch, total], [batch, queries, total], or [batch] or [2 * batch], where ends are
    followed by starts.
    """
    rank = call.rank(index)
    if rank == 3:
        return _hidden(call, (mask > 0).op("Not"), like, value).unsqueeze(1)
    if rank == 2:
        return _hidden(call, (mask > 0).op("Not"), like, value).unsqueeze(1, 2)
    if rank != 1:
        raise call.fail(f"has a mask of rank {rank}; those of rank 1, 2 and 3 are supported")
    places = call.positions(0, total).unsqueeze(0)
    ends = mask.cast(TensorProto.INT64).slice(0, 0, batch).unsqueeze(-1)
    hide = places >= ends
    if _has_starts(call, index):
        starts = mask.cast(TensorProto.INT64).slice(0, batch, batch * 2).unsqueeze(-1)
        hide = hide | (places < starts)
    return _hidden(call, hide, like, value).unsqueeze(1, 2)


def _has_starts(call: Call, index: int) -> bool:
    """Whether a mask of rank 1 has [2 * batch] elements, not [batch]."""
    (length,), batch = call.shape(index), call.shape(0)[0]
    if length is not None and batch is not None:
        if length not in (batch, 2 * batch):
            raise call.fail(f"has a mask of {length} elements for a batch of {batch}")
        return length == 2 * batch
    names = [call.type(i).tensor_type.shape.dim[0].dim_param for i in (index, 0)]
    if names[0] and names[0] == names[1]:
        return False
    raise call.fail(
        "has a mask of rank 1 whose size isn't known to be that of the batch or twice that; "
        "declare the same dimension for both"
    )


def _sum(*biases: Value | None) -> Value | None:
    """The sum of what there is."""
    total = None
    for bias in biases:
        if bias is not None:
            total = bias if total is None else total + bias
    return total


def attend(
    call: Call,
    q: Value,
    k: Value,
    v: Value,
    bias: Value | None,
    scale: float | None,
    causal: bool = False,
) -> Value:
    """softmax(q @ k' * scale + bias) @ v; causal: also in the order of positions."""
    queries, total = q.size(2), k.size(2)
    order = _causal(call, queries, total, q) if causal else None
    bias = _sum(bias, order)
    if bias is not None:
        bias = bias.expand(1, 1, queries, total)
    result = q.op("Attention", k, v, bias, scale=scale)
    result.element = q.element
    return result


@composes("com.microsoft", "Attention")
def attention(call: Call) -> list[Value | None]:
    """Attention of a sequence to itself, with the projections of the input."""
    x, weights, bias, mask, past, extra, past_length = call.operands(
        "input weights bias? mask_index? past? attention_bias? past_sequence_length?"
    )
    heads = call.required("num_heads")
    widths = call.attribute("qkv_hidden_sizes")
    scale = scale_of(call)
    value = call.attribute("mask_filter_value", _FILTER)
    causal = call.attribute("unidirectional", 0)
    call.ignore("rotary_embedding_dim")
    if call.attribute("do_rotary", 0):
        raise call.fail("has do_rotary, which isn't supported; use RotaryEmbedding")
    if call.attribute("past_present_share_buffer", 0) or past_length is not None:
        raise call.fail("shares the buffer of past and present, which isn't supported")
    projected = x @ weights
    if bias is not None:
        projected = projected + bias
    parts: list[Value | int] = list(widths) if widths else [weights.size(1) // 3] * 3
    q, k, v = (to_heads(part, heads) for part in projected.split(-1, *parts))
    present = None
    if past is not None:
        past_k, past_v = (part.squeeze(0) for part in past.split(0, 1, 1))
        k, v = call.concat(2, past_k, k), call.concat(2, past_v, v)
    if call.wants(1):
        present = call.concat(0, k.unsqueeze(0), v.unsqueeze(0))
    hidden = None
    if mask is not None:
        hidden = padding_bias(call, 3, mask, x.size(0), k.size(2), q, value)
    result = attend(call, q, k, v, _sum(hidden, extra), scale, bool(causal))
    return [from_heads(result), present]


def _unpacked(packed: Value, count: int) -> list[Value]:
    """[batch, sequence, heads, count, size] -> `count` times [batch, heads, sequence, size]."""
    parts = packed.split(3, *[1] * count)
    return [part.squeeze(3).transpose(0, 2, 1, 3) for part in parts]


def _projections(
    call: Call, heads: int, query: Value, key: Value | None, value: Value | None, bias: Value | None
) -> tuple[Value, Value, Value]:
    """Queries, keys and values with the heads in front, and their bias added."""
    if key is None:
        if call.rank(0) != 5:
            raise call.fail("has no key, and its query isn't packed (of rank 5)")
        q, k, v = _unpacked(query, 3)
    else:
        q = to_heads(query, heads)
        key_rank = call.rank(1)
        if key_rank == 5:
            k, v = _unpacked(key, 2)
        elif value is None:
            raise call.fail("has a key without a value")
        elif key_rank == 4:
            k, v = key, value
        else:
            k, v = to_heads(key, heads), to_heads(value, heads)
    if bias is None:
        return q, k, v
    width = q.size(3) * heads
    parts = bias.split(0, width, width, bias.size(0) - width * 2)
    biases = [part.reshape(heads, 1, -1) for part in parts]
    if key is not None and call.rank(1) == 4:
        # Keys and values of rank 4 are projected, and biased, already.
        return q + biases[0], k, v
    return q + biases[0], k + biases[1], v + biases[2]


@composes("com.microsoft", "MultiHeadAttention")
def multi_head_attention(call: Call) -> list[Value | None]:
    """Attention of queries to keys and values, which may follow those of the past."""
    query, key, value, bias, mask, extra, past_k, past_v, past_length, beams = call.operands(
        "query key? value? bias? key_padding_mask? attention_bias? past_key? past_value? "
        "past_sequence_length? cache_indirection?"
    )
    heads, scale = call.required("num_heads"), scale_of(call)
    filtered = call.attribute("mask_filter_value", _FILTER)
    causal = call.attribute("unidirectional", 0)
    if past_length is not None or beams is not None:
        raise call.fail("shares the buffer of past and present, which isn't supported")
    q, k, v = _projections(call, heads, query, key, value, bias)
    if (past_k is None) != (past_v is None):
        raise call.fail("has one of past_key and past_value without the other")
    if past_k is not None:
        k, v = call.concat(2, past_k, k), call.concat(2, past_v, v)
    hidden = None
    if mask is not None:
        hidden = padding_bias(call, 4, mask, query.size(0), k.size(2), q, filtered)
    result = attend(call, q, k, v, _sum(hidden, extra), scale, bool(causal))
    return [from_heads(result), k, v]
