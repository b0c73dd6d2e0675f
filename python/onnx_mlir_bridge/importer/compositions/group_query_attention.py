"""GroupQueryAttention of com.microsoft: heads of queries share keys, which a cache holds.

Operator: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md. Sequence b of
the batch has seqlens_k[b] + 1 positions in all, of which the last ones are new. If all that the
batch has is new (total_sequence_length is the queries' length), the new ones start at 0 in every
sequence, and padding follows them.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.attention import (
    from_heads,
    lowest,
    scale_of,
    to_heads,
)
from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes
from onnx_mlir_bridge.importer.compositions.rotary import rotate

_OPERANDS = (
    "query key? value? past_key? past_value? seqlens_k total_sequence_length cos_cache? sin_cache? "
    "position_ids? attention_bias? head_sink? k_scale? v_scale? q_norm_weight? k_norm_weight? "
    "query_seqlens?"
)


@dataclass
class _Lengths:
    """start: [batch, 1], where the new positions begin. ends: [batch, 1]. total: [1]."""

    start: Value
    ends: Value
    total: Value


def _unsupported(call: Call) -> None:
    """OmbError for what changes the layout or the type of the cache."""
    for name in ("k_quant_type", "v_quant_type"):
        if call.attribute(name, "NONE") != "NONE":
            raise call.fail("has a quantized cache, which isn't supported")
    call.ignore("kv_cache_bit_width")
    if call.attribute("sliding_window_cache", 0):
        raise call.fail("has a sliding_window_cache, which isn't supported")
    if call.attribute("qk_output", 0):
        raise call.fail("has qk_output, which isn't supported")


def _lengths(call: Call, lengths: Value, total: Value, queries: Value) -> _Lengths:
    ends = lengths.cast(TensorProto.INT64).reshape(-1, 1) + 1
    total = total.cast(TensorProto.INT64).reshape(1)
    start = (ends - queries).where(total > queries, 0)
    return _Lengths(start, ends, total)


def _cached(call: Call, past: Value | None, new: Value, at: _Lengths) -> Value:
    """The cache with the new keys or values, long enough for all of them."""
    if past is None:
        return new
    zero = call.ints([0])
    missing = (at.total - past.size(2)).op("Max", zero)
    rest = call.scalar(0, new).expand(new.size(0), new.size(1), missing, new.size(3))
    room = call.concat(2, past, rest)
    filled = room.op("TensorScatter", new, at.start.squeeze(1), axis=2)
    filled.element = new.element
    return filled


def _bias(call: Call, at: _Lengths, q: Value, k: Value, extra: Value | None) -> Value:
    """[batch or 1, heads or 1, queries, positions]: what is seen, and the bias of the model."""
    causal, window = call.attribute("causal", 1), call.attribute("local_window_size", -1)
    queries = call.positions(0, q.size(2)).unsqueeze(0) + at.start
    places = call.positions(0, k.size(2)).unsqueeze(0, 1)
    if causal:
        own = queries.unsqueeze(-1)
        hide = places > own
        if window > 0:
            hide = hide | (places <= own - window)
    else:
        hide = (places >= at.ends.unsqueeze(-1)).op("Expand", call.sizes(1, q.size(2), 1))
    hide = hide.unsqueeze(1)
    if extra is None:
        return lowest(call, q).where(hide, 0)
    # The model's bias ends at the total length; a longer cache is hidden from there on.
    missing = k.size(2) - extra.size(3)
    rest = call.scalar(0, q).expand(extra.size(0), extra.size(1), extra.size(2), missing)
    return lowest(call, q).where(hide, call.concat(3, extra, rest))


def _with_sink(
    call: Call, q: Value, k: Value, v: Value, bias: Value, sink: Value | None, softcap: float
) -> Value:
    """Attention where one more score, without a value, takes part in every softmax."""
    heads, groups = call.required("num_heads"), call.required("kv_num_heads")
    scale = scale_of(call)
    k, v = (_repeated(call, x, heads // groups) for x in (k, v))
    if scale is None:
        factor = q.size(3).cast(TensorProto.FLOAT).op("Sqrt").op("Reciprocal").cast_like(q)
    else:
        factor = call.scalar(scale, q)
    scores = (q @ k.transpose(0, 1, 3, 2)) * factor
    if softcap:
        scores = (scores / softcap).op("Tanh") * softcap
    scores = scores + bias
    extra = call.scalar(0, q) if sink is None else sink.reshape(1, heads, 1, 1)
    extra = extra.expand(q.size(0), heads, q.size(2), 1)
    shares = call.concat(3, scores, extra).op("Softmax", axis=-1)
    return shares.slice(3, 0, k.size(2)) @ v


def _repeated(call: Call, x: Value, times: int) -> Value:
    """Every head `times` times in a row."""
    wide = x.unsqueeze(2).op("Expand", call.ints([1, 1, times, 1, 1]))
    return wide.op("Reshape", call.sizes(x.size(0), x.size(1) * times, x.size(2), x.size(3)))


@composes("com.microsoft", "GroupQueryAttention")
def group_query_attention(call: Call) -> list[Value | None]:
    """Attention of new positions to those of the cache and themselves."""
    operands = call.operands(_OPERANDS)
    query, key, value, past_k, past_v, lengths, total, cos, sin, places, extra, sink = operands[:12]
    q_norm, k_norm = operands[14:16]
    heads, groups = call.required("num_heads"), call.required("kv_num_heads")
    epsilon = call.attribute("qk_norm_epsilon", 1e-6)
    q_epsilon = call.attribute("q_norm_epsilon", epsilon)
    k_epsilon = call.attribute("k_norm_epsilon", epsilon)
    softcap = call.attribute("softcap", 0.0)
    smooth = call.attribute("smooth_softmax", -1) == 1
    scale, rotary = scale_of(call), call.attribute("do_rotary", 0)
    interleaved = call.attribute("rotary_interleaved", 0)
    call.ignore("kv_quant_type")
    _unsupported(call)
    if operands[16] is not None:
        raise call.fail("has query_seqlens, which isn't supported")
    if (past_k is None) != (past_v is None):
        raise call.fail("has one of past_key and past_value without the other")
    if key is None:
        width = query.size(2) // (heads + 2 * groups)
        query, key, value = query.split(2, width * heads, width * groups, width * groups)
    elif value is None:
        raise call.fail("has a key without a value")
    q, k, v = to_heads(query, heads), to_heads(key, groups), to_heads(value, groups)
    if q_norm is not None and k_norm is not None:
        q = q.op("RMSNormalization", q_norm, axis=-1, epsilon=q_epsilon)
        k = k.op("RMSNormalization", k_norm, axis=-1, epsilon=k_epsilon)
        q.element = k.element = v.element
    at = _lengths(call, lengths, total, q.size(2))
    if rotary:
        if cos is None or sin is None:
            raise call.fail("has do_rotary, but no cos_cache and sin_cache")
        if places is None:
            places = at.start + call.positions(0, q.size(2)).unsqueeze(0)
        places = places.expand(q.size(0), q.size(2))
        width = _rotary_width(call, heads)
        q, k = (rotate(x, cos, sin, places, interleaved, width) for x in (q, k))
    k, v = _cached(call, past_k, k, at), _cached(call, past_v, v, at)
    bias = _bias(call, at, q, k, extra)
    if smooth or sink is not None:
        result = _with_sink(call, q, k, v, bias, sink, softcap)
    else:
        result = q.op("Attention", k, v, bias, scale=scale, softcap=softcap)
    return [from_heads(result), k, v]


def _rotary_width(call: Call, heads: int) -> int:
    """How many elements of a head are rotated; 0 for all of them."""
    half = call.shape(7)[1]
    hidden = call.shape(0)[2]
    if half is None or hidden is None:
        return 0
    packed = len(call.node.input) < 2 or not call.node.input[1]
    size = hidden // (heads + 2 * call.required("kv_num_heads") if packed else heads)
    return 0 if 2 * half == size else 2 * half
