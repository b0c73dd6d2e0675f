"""What makes a float model fit to be quantized, and leaves what it computes as it is.

Constants behind operators that only rearrange them are computed; factors of Gemm, and what scales
and shifts the channels of a layer (BatchNormalization, Mul, Add), go into its weight and bias: what
is rounded is then what the layer multiplies by.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

from onnx_mlir_bridge.quantizer.layers import (
    Exclusion,
    Layer,
    attribute,
    channels,
    find_layers,
    is_op,
    scale_channels,
)
from onnx_mlir_bridge.quantizer.model import Index, Model

_REARRANGES = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_COMPUTES = ("Add", "Div", "Mul", "Sqrt", "Sub")


def fold_constants(model: Model) -> None:
    """Computes the floats that depend on constants alone, in place."""
    nodes = []
    for node in model.nodes:
        foldable = is_op(node, *_REARRANGES, *_COMPUTES) and all(
            name in model.constants for name in node.input if name
        )
        if foldable and node.output[0] not in model.outputs:
            value = _evaluated(model, node)
            if value is not None:
                model.constants[node.output[0]] = value
                continue
        nodes.append(node)
    model.nodes = nodes


def _evaluated(model: Model, node: NodeProto) -> np.ndarray | None:
    """The value of a node of constants, if it is a tensor of float32."""
    if node.op_type == "Cast" and attribute(node, "to", 0) != TensorProto.FLOAT:
        return None
    arrays = {name: model.constants[name] for name in node.input if name}
    if node.op_type in _COMPUTES and any(a.dtype != np.float32 for a in arrays.values()):
        return None
    if any(array.dtype.kind not in "fiub" for array in arrays.values()):
        return None
    with np.errstate(all="ignore"):
        (value,) = ReferenceEvaluator(
            helper.make_model(
                helper.make_graph(
                    [node],
                    "constant",
                    [helper.make_empty_tensor_value_info(name) for name in arrays],
                    [helper.make_empty_tensor_value_info(node.output[0])],
                ),
                opset_imports=[helper.make_opsetid("", model.opset)],
            )
        ).run(None, arrays)
    return value if value.dtype == np.float32 else None


def fold_factors(model: Model) -> None:
    """Multiplies constant weights and biases of Gemm by its alpha and beta, in place."""
    for layer in find_layers(model, Exclusion((), ())):
        node = model.nodes[layer.number]
        if layer.kind != "Gemm" or layer.weight != 1:
            continue
        for name, position in (("alpha", 1), ("beta", 2)):
            factor = np.float32(attribute(node, name, 1.0))
            if factor == 1 or len(node.input) <= position:
                continue
            value = model.constants.get(node.input[position])
            if value is None:
                continue
            node.input[position] = model.add_constant(node.input[position], value * factor)
            kept = [each for each in node.attribute if each.name != name]
            del node.attribute[:]
            node.attribute.extend(kept)


def fold_channels(model: Model, excluded: Exclusion) -> None:
    """Moves factors and sums of channels into the layer before them, in place."""
    changed = True
    while changed:
        index = Index(model)
        dropped: set[int] = set()
        for layer in find_layers(model, excluded):
            node = model.nodes[layer.number]
            if layer.weight != 1 or layer.kind == "MatMul":
                continue
            if len(node.input) > 2 and node.input[2] and layer.bias is None:
                continue  # a bias that varies, or isn't one of channels
            found = index.only_consumer(layer.output)
            number = index.consumers[layer.output][0][0] if found else None
            if found is None or number in dropped:
                continue
            follower, position = found
            factors = _channel_factors(model, layer, follower, position)
            if factors is None:
                continue
            node.name = layer.name  # which it may have from the output that it loses
            _apply(model, layer, *factors)
            node.output[0] = follower.output[0]
            dropped.add(number)
        changed = bool(dropped)
        model.nodes = [node for i, node in enumerate(model.nodes) if i not in dropped]


def _channel_factors(
    model: Model, layer: Layer, follower: NodeProto, position: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """What `follower` multiplies the channels of a layer by, and adds to them."""
    node = model.nodes[layer.number]
    weight = model.constants[node.input[1]]
    count = channels(node, weight)
    if is_op(follower, "BatchNormalization") and position == 0:
        values = [model.constants.get(name) for name in follower.input[1:5]]
        if any(v is None or v.shape != (count,) for v in values) or len(follower.output) > 1:
            return None
        if attribute(follower, "training_mode", 0) or attribute(follower, "spatial", 1) != 1:
            return None
        scale, bias, mean, variance = (value.astype(np.float64) for value in values)
        factor = scale / np.sqrt(variance + attribute(follower, "epsilon", 1e-5))
        return factor, bias - mean * factor
    if not is_op(follower, "Add", "Mul"):
        return None
    value = model.constants.get(follower.input[1 - position])
    rank = 2 if layer.kind == "Gemm" else weight.ndim
    if value is None or value.dtype != np.float32 or value.ndim > rank:
        return None
    shape = (1,) * (rank - value.ndim) + value.shape
    if any(size != 1 for axis, size in enumerate(shape) if axis != 1) or shape[1] not in (1, count):
        return None
    values = np.broadcast_to(value.reshape(-1).astype(np.float64), (count,))
    if follower.op_type == "Mul":
        return values, np.zeros(count)
    return np.ones(count), values


def _apply(model: Model, layer: Layer, factor: np.ndarray, shift: np.ndarray) -> None:
    node = model.nodes[layer.number]
    weight = model.constants[node.input[1]]
    bias = np.zeros(factor.shape)
    if layer.bias is not None:
        bias = model.constants[node.input[2]].reshape(-1).astype(np.float64)
    if (factor != 1).any():
        scaled = scale_channels(node, weight, factor, is_output=True)
        node.input[1] = model.add_constant(node.input[1], scaled)
    set_bias(model, node, bias * factor + shift)


def set_bias(model: Model, node: NodeProto, bias: np.ndarray) -> None:
    """Gives a Conv, ConvTranspose or Gemm a bias, in place."""
    had = len(node.input) > 2 and node.input[2]
    hint = node.input[2] if had else f"{node.output[0]}_bias"
    name = model.add_constant(hint, bias.astype(np.float32))
    del node.input[2:]
    node.input.append(name)


def prepare(model: Model, excluded: Exclusion) -> Model:
    """A model to quantize, which computes what the one given does."""
    prepared = model.copy()
    fold_constants(prepared)
    fold_factors(prepared)
    fold_channels(prepared, excluded)
    return prepared
