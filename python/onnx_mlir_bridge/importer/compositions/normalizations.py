"""Layer normalizations that ONNX Runtime's graph optimizer and its model builder write.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


def _statistics(call: Call, x: Value, axis: int, epsilon: float, mean: bool) -> list[Value | None]:
    """The mean (None unless it is asked for) and 1 / deviation of `x` from `axis` on, in f32."""
    wide = x.cast(TensorProto.DOUBLE if x.element == TensorProto.DOUBLE else TensorProto.FLOAT)
    axes = range(axis, 0) if axis < 0 else range(axis, call.rank(0))
    center = wide.mean(*axes) if mean else None
    offset = wide if center is None else wide - center
    deviation = ((offset * offset).mean(*axes) + epsilon).op("Sqrt")
    return [center, deviation.op("Reciprocal")]


@composes("com.microsoft", "LayerNormalization")
def layer_normalization(call: Call) -> list[Value]:
    """The standard's, which models of before opset 17 already have in the default domain."""
    x, scale, bias = call.operands("X Scale B?")
    return call.emit_many(
        "LayerNormalization",
        x,
        scale,
        bias,
        count=max(len(call.node.output), 1),
        axis=call.attribute("axis", -1),
        epsilon=call.attribute("epsilon", 1e-5),
        stash_type=call.attribute("stash_type", 1),
    )


@composes("com.microsoft", "SimplifiedLayerNormalization")
def simplified_layer_normalization(call: Call) -> list[Value | None]:
    """RMSNormalization; the second output is 1 / deviation."""
    x, scale = call.operands("X scale")
    axis = call.attribute("axis", -1)
    epsilon = call.attribute("epsilon", 1e-5)
    stash = call.attribute("stash_type", 1)
    result = x.op("RMSNormalization", scale, axis=axis, epsilon=epsilon, stash_type=stash)
    inverse = None
    if call.wants(1):
        inverse = _statistics(call, x, axis, epsilon, mean=False)[1]
    return [result, inverse]


def _skip(call: Call, x: Value, skip: Value, bias: Value | None) -> Value:
    """The sum that is normalized; `skip` broadcasts over the batch."""
    total = x + skip
    return total if bias is None else total + bias


@composes("com.microsoft", "SkipLayerNormalization")
def skip_layer_normalization(call: Call) -> list[Value | None]:
    """LayerNormalization of a sum, which is the fourth output."""
    x, skip, gamma, beta, bias = call.operands("input skip gamma beta? bias?")
    epsilon = call.attribute("epsilon", 1e-12)
    total = _skip(call, x, skip, bias)
    result = total.op("LayerNormalization", gamma, beta, axis=-1, epsilon=epsilon)
    mean = inverse = None
    if call.wants(1) or call.wants(2):
        mean, inverse = _statistics(call, total, -1, epsilon, mean=True)
    return [result, mean, inverse, total]


@composes("com.microsoft", "SkipSimplifiedLayerNormalization")
def skip_simplified_layer_normalization(call: Call) -> list[Value | None]:
    """RMSNormalization of a sum, which is the fourth output."""
    x, skip, gamma, bias = call.operands("input skip gamma bias?")
    epsilon = call.attribute("epsilon", 1e-12)
    total = _skip(call, x, skip, bias)
    result = total.op("RMSNormalization", gamma, axis=-1, epsilon=epsilon)
    inverse = None
    if call.wants(2):
        inverse = _statistics(call, total, -1, epsilon, mean=False)[1]
    return [result, None, inverse, total]


@composes("com.microsoft", "EmbedLayerNormalization")
def embed_layer_normalization(call: Call) -> list[Value | None]:
    """The sum of word, position and segment embeddings, normalized; and how long sequences are."""
    ids, segments, words, places, kinds, gamma, beta, mask, positions = call.operands(
        "input_ids segment_ids? word_embedding position_embedding segment_embedding? gamma beta "
        "mask? position_ids?"
    )
    epsilon = call.attribute("epsilon", 1e-12)
    mask_index_type = call.attribute("mask_index_type", 1 if mask is not None else 0)
    if positions is None:
        place = places.slice(0, 0, ids.size(1))
    else:
        place = places.op("Gather", positions, axis=0)
    total = words.op("Gather", ids, axis=0) + place
    if segments is not None:
        if kinds is None:
            raise call.fail("has segment_ids, but no segment_embedding")
        total = total + kinds.op("Gather", segments, axis=0)
    result = total.op("LayerNormalization", gamma, beta, axis=-1, epsilon=epsilon)
    lengths = None
    if call.wants(1):
        if mask is None or mask_index_type == 0:
            zero = call.scalar(0, TensorProto.INT32)
            lengths = zero.expand(ids.size(0))
        else:
            lengths = mask.cast(TensorProto.INT32).sum(1, keepdims=False)
    return [result, lengths, total]
