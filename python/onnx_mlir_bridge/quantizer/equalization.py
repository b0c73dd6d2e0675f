"""Cross-layer equalization: channels of consecutive layers get ranges alike (Nagel et al., 2019).

Where nothing between two layers changes when its input is multiplied by a positive number, but for
its result being multiplied by it, a channel may be divided by any in the first layer and multiplied
in the second. The number that is taken makes the channel's largest weights in the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx_mlir_bridge.quantizer.layers import (
    Exclusion,
    Layer,
    find_layers,
    is_op,
    scale_channels,
    to_canonical,
)
from onnx_mlir_bridge.quantizer.model import Index, Model
from onnx_mlir_bridge.quantizer.placement import bias_add

_HOMOGENEOUS = ("AveragePool", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Relu")
_MAX_ROUNDS = 40
_CONVERGED = 1e-3
_SMALLEST = 1e-8


@dataclass(frozen=True)
class _Link:
    """Two layers; bias: of the first one, the node and the input that has it."""

    first: Layer
    second: Layer
    bias: tuple[int, int] | None


def equalize(model: Model, excluded: Exclusion) -> int:
    """Evens out what can be, in place; how many pairs of layers that is."""
    layers = find_layers(model, excluded)
    links = _links(model, layers)
    _own_constants(model, links)
    for _ in range(_MAX_ROUNDS):
        if max((_even_out(model, link) for link in links), default=0.0) < _CONVERGED:
            break
    return len(links)


def _links(model: Model, layers: list[Layer]) -> list[_Link]:
    index = Index(model)
    by_number = {layer.number: layer for layer in layers}
    found = []
    for layer in layers:
        node = model.nodes[layer.number]
        if not _has_channels(model, layer):
            continue
        has_bias = len(node.input) > 2 and bool(node.input[2])
        if has_bias and layer.bias is None:
            continue
        bias = (layer.number, layer.bias) if layer.bias is not None else None
        name = layer.output
        if layer.kind == "MatMul":
            added = bias_add(model, index, name)
            if added is not None:
                number = index.consumers[name][0][0]
                size = model.constants[node.input[1]].shape[1]
                if model.constants[added[0].input[added[1]]].shape != (size,):
                    continue
                bias, name = (number, added[1]), added[0].output[0]
        second = _behind(model, index, by_number, name, layer)
        if second is not None:
            found.append(_Link(layer, second, bias))
    return found


def _has_channels(model: Model, layer: Layer) -> bool:
    if layer.weight != 1:
        return False
    rank = model.constants[model.nodes[layer.number].input[1]].ndim
    return layer.kind.startswith("Conv") or rank == 2


def _behind(
    model: Model, index: Index, layers: dict[int, Layer], name: str, first: Layer
) -> Layer | None:
    """The layer that alone takes a value, through operators that positive factors pass."""
    while True:
        taker = index.only_consumer(name)
        if taker is None:
            return None
        node, position = taker
        number = index.consumers[name][0][0]
        second = layers.get(number)
        if second is not None:
            if not _has_channels(model, second) or position != 0:
                return None
            # A channel is axis 1 for convolutions, the last one for products.
            same = first.kind.startswith("Conv") == second.kind.startswith("Conv")
            if second.kind == "Gemm" and any(
                each.name == "transA" and each.i for each in node.attribute
            ):
                return None
            return second if same else None
        is_pool = is_op(node, "AveragePool", "GlobalAveragePool", "MaxPool")
        if not is_op(node, *_HOMOGENEOUS) or (is_pool and not first.kind.startswith("Conv")):
            return None
        if any(node.output[1:]):
            return None
        name = node.output[0]


def _own_constants(model: Model, links: list[_Link]) -> None:
    """Gives each layer constants that no other node has."""
    places = {(layer.number, 1) for link in links for layer in (link.first, link.second)}
    places |= {link.bias for link in links if link.bias is not None}
    for number, position in sorted(places):
        node = model.nodes[number]
        value = model.constants[node.input[position]]
        node.input[position] = model.add_constant(node.input[position], np.array(value))


def _even_out(model: Model, link: _Link) -> float:
    """One step; the largest relative change."""
    first, second = model.nodes[link.first.number], model.nodes[link.second.number]
    made, taken = model.constants[first.input[1]], model.constants[second.input[1]]
    ours = np.abs(to_canonical(first, made)).max(axis=(2, 3)).reshape(-1).astype(np.float64)
    theirs = np.abs(to_canonical(second, taken)).max(axis=(1, 3)).reshape(-1).astype(np.float64)
    if ours.shape != theirs.shape:
        return 0.0  # what is between them isn't as it seems: a model that onnx would refuse
    is_used = (ours > _SMALLEST) & (theirs > _SMALLEST)
    factor = np.ones_like(ours)
    factor[is_used] = np.sqrt(theirs[is_used] / ours[is_used])
    model.constants[first.input[1]] = scale_channels(first, made, factor, is_output=True)
    model.constants[second.input[1]] = scale_channels(second, taken, 1 / factor, is_output=False)
    if link.bias is not None:
        number, position = link.bias
        node = model.nodes[number]
        bias = model.constants[node.input[position]]
        scaled = bias.reshape(-1).astype(np.float64) * factor
        model.constants[node.input[position]] = scaled.reshape(bias.shape).astype(bias.dtype)
    return float(np.abs(np.log(factor)).max(initial=0.0))
