"""The layers of a model: nodes that multiply by weights, and which of their inputs are what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from onnx import NodeProto, helper

from onnx_mlir_bridge.errors import OmbError, describe_node
from onnx_mlir_bridge.quantizer.model import Model

CONTRACTIONS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Layer:
    """A node that multiplies. Positions are those of its inputs.

    number: of the node in the model. data: what varies. weight: None where all varies. bias: None
    where there is none that is constant, or where another node adds it.
    """

    number: int
    name: str
    kind: str
    output: str
    data: tuple[int, ...]
    weight: int | None
    bias: int | None


def attribute(node: NodeProto, name: str, default: object) -> object:
    """The value of an attribute."""
    for each in node.attribute:
        if each.name == name:
            return helper.get_attribute_value(each)
    return default


def is_op(node: NodeProto, *op_types: str) -> bool:
    """Whether a node is of one of some operators of the standard."""
    return node.domain == "" and node.op_type in op_types


class Exclusion:
    """Which nodes stay float."""

    def __init__(self, patterns: Sequence[str], op_types: Sequence[str]) -> None:
        self._patterns = {pattern: False for pattern in patterns}
        self._op_types = frozenset(op_types)

    def covers(self, node: NodeProto) -> bool:
        """Whether a node stays float."""
        name = node.name or next(iter(node.output), "")
        found = node.op_type in self._op_types
        for pattern in self._patterns:
            if fnmatchcase(name, pattern):
                self._patterns[pattern] = found = True
        return found

    def check(self, nodes: Sequence[NodeProto]) -> None:
        """OmbError for a pattern or an operator that isn't in the model."""
        for node in nodes:
            self.covers(node)
        for pattern, is_used in self._patterns.items():
            if not is_used:
                raise OmbError(
                    f"no node has the name '{pattern}' that is excluded; any ONNX viewer shows "
                    "names, and * stands for any characters"
                )
        for op_type in sorted(self._op_types - {node.op_type for node in nodes}):
            raise OmbError(f"the model has no operator '{op_type}', which is excluded")


def find_layers(model: Model, excluded: Exclusion) -> list[Layer]:
    """The layers that aren't excluded, whose operands are float32, in the model's order."""
    found = []
    for number, node in enumerate(model.nodes):
        if is_op(node, *CONTRACTIONS) and not excluded.covers(node):
            layer = _layer(model, number, node)
            if layer is not None:
                found.append(layer)
    return found


def _layer(model: Model, number: int, node: NodeProto) -> Layer | None:
    if not all(model.is_float(name) for name in node.input[:2]):
        return None
    is_constant = [name in model.constants for name in node.input[:2]]
    if all(is_constant):
        return None
    weight = is_constant.index(True) if any(is_constant) else None
    if node.op_type.startswith("Conv") and weight != 1:
        return None  # no runtime has kernels of integers for these
    if weight is not None and model.constants[node.input[weight]].size == 0:
        return None
    data = tuple(i for i in (0, 1) if i != weight)
    bias = None
    if weight == 1 and node.op_type != "MatMul" and len(node.input) > 2 and node.input[2]:
        value = model.constants.get(node.input[2])
        if value is not None and value.size == channels(node, model.constants[node.input[1]]):
            bias = 2
    return Layer(
        number=number,
        name=node.name or node.output[0],
        kind=node.op_type,
        output=node.output[0],
        data=data,
        weight=weight,
        bias=bias,
    )


def describe(model: Model, layer: Layer) -> str:
    """How messages name a layer."""
    return describe_node(model.nodes[layer.number])


def channel_axis(node: NodeProto, weight: int, rank: int) -> int | None:
    """The axis of a weight with its output channels; None where it takes one scale."""
    if weight == 0 or rank < 2:
        return None
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    return rank - 1


def channels(node: NodeProto, weight: np.ndarray) -> int:
    """How many output channels a layer has, whose weight is its second input."""
    axis = channel_axis(node, 1, weight.ndim)
    count = 1 if axis is None else weight.shape[axis]
    return count * (groups(node) if node.op_type == "ConvTranspose" else 1)


def groups(node: NodeProto) -> int:
    """The number of groups of a convolution; 1 for others."""
    return int(attribute(node, "group", 1)) if node.op_type.startswith("Conv") else 1


def to_canonical(node: NodeProto, weight: np.ndarray) -> np.ndarray:
    """A weight as [group, output channel, input channel, the rest]; of products, rank 2."""
    if node.op_type == "Conv":
        group = groups(node)
        return weight.reshape(group, weight.shape[0] // group, weight.shape[1], -1)
    if node.op_type == "ConvTranspose":
        group = groups(node)
        parts = weight.reshape(group, weight.shape[0] // group, weight.shape[1], -1)
        return parts.transpose(0, 2, 1, 3)
    is_transposed = node.op_type == "Gemm" and attribute(node, "transB", 0)
    return (weight if is_transposed else weight.T)[None, :, :, None]


def from_canonical(node: NodeProto, parts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of `shape` that to_canonical() gives `parts` for."""
    if node.op_type == "Conv":
        return parts.reshape(shape)
    if node.op_type == "ConvTranspose":
        return parts.transpose(0, 2, 1, 3).reshape(shape)
    matrix = parts[0, :, :, 0]
    is_transposed = node.op_type == "Gemm" and attribute(node, "transB", 0)
    return matrix if is_transposed else matrix.T


def scale_channels(
    node: NodeProto, weight: np.ndarray, factors: np.ndarray, is_output: bool
) -> np.ndarray:
    """A weight times a factor for each of its output or input channels."""
    parts = to_canonical(node, weight)
    shape = (parts.shape[0], -1, 1, 1) if is_output else (parts.shape[0], 1, -1, 1)
    scaled = (parts * factors.reshape(shape)).astype(weight.dtype)
    return from_canonical(node, scaled, weight.shape)
