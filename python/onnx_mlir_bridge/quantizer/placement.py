"""Where pairs of QuantizeLinear and DequantizeLinear go in a model.

A value that a quantized node makes has a pair, and all that take it take what is dequantized. Of a
value that a float node makes, only the quantized nodes that take it get it through a pair. The
result of a node is the one behind what is folded into it: the Add of a bias to a MatMul, and a Relu
or a Clip. Outputs of the model stay as they are, unless they are asked for.

Quantized are the layers; Add and Mul of two quantized values, Concat and the average pools of
quantized ones; and what moves elements of one, which keeps its scale and zero point.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from onnx import NodeProto

from onnx_mlir_bridge.quantizer.layers import Exclusion, Layer, find_layers, is_op
from onnx_mlir_bridge.quantizer.model import Index, Model

MOVES = (
    "DepthToSpace",
    "Flatten",
    "Identity",
    "MaxPool",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
SUMS = ("Add", "Mul")
POOLS = ("AveragePool", "GlobalAveragePool")

Input = tuple[int, int]
"""The number of a node, and which of its inputs."""


@dataclass(frozen=True)
class Step:
    """A quantized node that isn't a layer. result: its own output, or what is folded into it."""

    number: int
    name: str
    kind: str
    data: tuple[int, ...]
    result: str


@dataclass
class Plan:
    """What is quantized.

    results: of each layer, by its own output, what is behind all that is folded into it. produced:
    values whose every reader takes the dequantized one. edges: of other values, the inputs of
    quantized nodes. sources: of each of these, the value that tells its range.
    """

    layers: list[Layer]
    steps: list[Step] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    produced: set[str] = field(default_factory=set)
    edges: dict[str, list[Input]] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        """The value whose range a quantized value takes."""
        while name in self._parents:
            name = self._parents[name]
        return name

    def follow(self, name: str, leader: str) -> None:
        """Gives a value the range of another one."""
        self._parents[name] = leader

    def is_free(self, name: str) -> bool:
        """Whether a value has a range of its own, that no other one takes."""
        return name not in self._parents and name not in self._parents.values()

    def observed(self) -> list[str]:
        """The values whose ranges are needed."""
        names = [*self.edges, *sorted(self.produced)]
        return list(dict.fromkeys(self.source(name) for name in names))


def plan(model: Model, excluded: Exclusion, quantize_outputs: bool) -> Plan:
    """Decides what is quantized. `quantize_outputs`: the model's outputs too."""
    found = Plan(find_layers(model, excluded))
    index = Index(model)
    layers = {layer.number: layer for layer in found.layers}
    kept = frozenset() if quantize_outputs else _outputs(model, index)
    for number, node in enumerate(model.nodes):
        if number in layers:
            _place_layer(model, index, found, layers[number], node, kept)
        elif not excluded.covers(node):
            _place_step(model, index, found, number, node, kept)
    return found


def _outputs(model: Model, index: Index) -> frozenset[str]:
    """The model's outputs, and the values of which they are the elements."""
    found = set(model.outputs)
    for node in reversed(model.nodes):
        if is_op(node, *MOVES) and node.output[0] in found and index.only_consumer(node.input[0]):
            found.add(node.input[0])
    return frozenset(found)


def _place_layer(
    model: Model,
    index: Index,
    found: Plan,
    layer: Layer,
    node: NodeProto,
    kept: frozenset[str],
) -> None:
    for position in layer.data:
        if node.input[position] not in found.produced:
            found.edges.setdefault(node.input[position], []).append((layer.number, position))
    result = _tail(model, index, node)
    found.results[layer.output] = result
    if result not in kept:
        found.produced.add(result)


def _place_step(
    model: Model, index: Index, found: Plan, number: int, node: NodeProto, kept: frozenset[str]
) -> None:
    data = _data_inputs(model, node)
    if not data or any(node.input[position] not in found.produced for position in data):
        return
    if any(node.output[1:]):
        return  # indices of a MaxPool
    is_move = is_op(node, *MOVES)
    result = node.output[0] if is_move else _tail(model, index, node)
    if result in kept or not model.is_float(result):
        return
    found.produced.add(result)
    if is_move:
        found.follow(result, node.input[0])
        return
    found.steps.append(Step(number, node.name or node.output[0], node.op_type, data, result))
    if node.op_type == "Concat" and result == node.output[0]:
        # One rounding, not two: what nobody else takes is rounded as the result is.
        for position in data:
            name = node.input[position]
            if index.only_consumer(name) and found.is_free(name):
                found.follow(name, result)


def _data_inputs(model: Model, node: NodeProto) -> tuple[int, ...]:
    """Which inputs of a node that may be quantized are values; () for a node that may not."""
    if is_op(node, *MOVES, *POOLS):
        return (0,)
    if is_op(node, *SUMS, "Concat"):
        positions = tuple(range(len(node.input)))
        if any(node.input[position] in model.constants for position in positions):
            return ()
        return positions
    return ()


def _tail(model: Model, index: Index, node: NodeProto) -> str:
    """The value behind what is folded into a node."""
    name = node.output[0]
    if is_op(node, "MatMul"):
        name = _behind_bias(model, index, name)
    found = index.only_consumer(name)
    if found is None:
        return name
    follower, position = found
    is_clamp = is_op(follower, "Relu") or (
        is_op(follower, "Clip")
        and position == 0
        and all(bound in model.constants for bound in follower.input[1:] if bound)
    )
    return follower.output[0] if is_clamp else name


def bias_add(model: Model, index: Index, name: str) -> tuple[NodeProto, int] | None:
    """The Add of a constant to the last axis of a MatMul's result, and which input that is."""
    found = index.only_consumer(name)
    if found is None or not is_op(found[0], "Add"):
        return None
    node, position = found
    value = model.constants.get(node.input[1 - position])
    if value is None or value.ndim == 0 or value.size != value.shape[-1] or not value.size:
        return None
    return node, 1 - position


def _behind_bias(model: Model, index: Index, name: str) -> str:
    found = bias_add(model, index, name)
    return found[0].output[0] if found else name
