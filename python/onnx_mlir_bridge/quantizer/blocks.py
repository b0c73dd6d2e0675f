"""Weight-only quantization: constants of MatMul, Gemm and Gather as integers, in blocks.

A DequantizeLinear in front of the node makes floats of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from onnx_mlir_bridge.quantizer.layers import Exclusion, Layer, attribute, find_layers, is_op
from onnx_mlir_bridge.quantizer.model import Model, clone
from onnx_mlir_bridge.quantizer.options import QuantizeOptions
from onnx_mlir_bridge.quantizer.weights import quantize_blocks


@dataclass(frozen=True)
class Place:
    """A weight: the number of its node, and which input it is. axis: of the blocks."""

    number: int
    name: str
    kind: str
    position: int
    axis: int


def find_weights(model: Model, excluded: Exclusion, options: QuantizeOptions) -> list[Place]:
    """The weights of the nodes that aren't excluded, in the model's order."""
    found = _weights(model, excluded)
    if options.has_blocks:
        return found
    # A scale for each channel, without blocks, is one for each index of one axis.
    return [p for p in found if model.constants[_name(model, p)].ndim == 2]


def _name(model: Model, place: Place) -> str:
    return model.nodes[place.number].input[place.position]


def _weights(model: Model, excluded: Exclusion) -> list[Place]:
    layers = {layer.number: layer for layer in find_layers(model, excluded)}
    found = []
    for number, node in enumerate(model.nodes):
        name = node.name or next(iter(node.output), "")
        if number in layers:
            axis = _axis(model, node, layers[number])
            if axis is not None:
                place = Place(number, name, node.op_type, layers[number].weight, axis)
                found.append(place)
        elif is_op(node, "Gather") and not excluded.covers(node):
            table = model.constants.get(node.input[0])
            if table is not None and table.dtype == np.float32 and table.ndim > 1 and table.size:
                found.append(Place(number, name, "Gather", 0, table.ndim - 1))
    return found


def _axis(model: Model, node: NodeProto, layer: Layer) -> int | None:
    """The axis along which products are summed up; None for what isn't a weight here."""
    if layer.weight is None or layer.kind not in ("MatMul", "Gemm"):
        return None
    rank = model.constants[node.input[layer.weight]].ndim
    if rank < 2:
        return None
    if layer.kind == "MatMul":
        return rank - 2 if layer.weight == 1 else rank - 1
    if layer.weight == 1:
        return 1 if attribute(node, "transB", 0) else 0
    return 0 if attribute(node, "transA", 0) else 1


def quantized(model: Model, places: list[Place], options: QuantizeOptions) -> Model:
    """A copy of the model with some weights as integers."""
    made = model.copy()
    by_number = {place.number: place for place in places}
    dequantized: dict[tuple[str, int], str] = {}
    nodes: list[NodeProto] = []
    for number, original in enumerate(made.nodes):
        node = clone(original)
        place = by_number.get(number)
        if place is not None:
            key = node.input[place.position], place.axis
            if key not in dequantized:
                added, dequantized[key] = _dequantize(made, *key, options)
                nodes.append(added)
            node.input[place.position] = dequantized[key]
        nodes.append(node)
    made.nodes = nodes
    return made


def _dequantize(
    model: Model, name: str, axis: int, options: QuantizeOptions
) -> tuple[NodeProto, str]:
    array = model.constants[name]
    block = min(options.block_size or array.shape[axis], array.shape[axis])
    found = quantize_blocks(
        array, axis, block, options.bits, symmetric=options.symmetric, signed=options.signed
    )
    scale, zero = found.scale, found.zero
    more = {"axis": axis, "block_size": block}
    if not options.block_size and array.ndim == 2:
        # For each channel one scale: an axis says that without blocks.
        scale = scale.reshape(-1)
        zero = None if zero is None else zero.reshape(-1)
        more = {"axis": 1 - axis}
    inputs = [
        model.add_constant(f"{name}_quantized", found.values),
        model.add_constant(f"{name}_scale", scale),
    ]
    if zero is not None:
        inputs.append(model.add_constant(f"{name}_zero_point", zero))
    result = model.names.new(f"{name}_dequantized")
    node = helper.make_node(
        "DequantizeLinear", inputs, [result], name=f"{result}/DequantizeLinear", **more
    )
    return node, result
