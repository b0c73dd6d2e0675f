"""Cuts a graph into segments, each of them for a device or for the host.

Segments run one after the other, and there are as few of them as can be. For, whichever kind comes
first, a node can't run before the segment of the number

    level(node) = max over the producers p of its inputs: level(p), + 1 if p is of the other kind

(without producers: 0 if its kind comes first, else 1). To run each node in the segment of its level
respects all dependences, so the largest level is also enough. The kind that comes first is the one
that needs fewer segments; devices, where both need as many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.load import LoadedModel
from onnx_mlir_bridge.importer.tensors import each_tensor
from onnx_mlir_bridge.importer.types import scope_types


@dataclass(frozen=True)
class Segment:
    """A part of a model: its nodes, by their numbers in the Graph, and a model of them alone."""

    on_host: bool
    nodes: tuple[int, ...]
    loaded: LoadedModel


def partition(
    needs: Sequence[Collection[int]], on_host: Collection[int]
) -> list[tuple[bool, list[int]]]:
    """The fewest segments: whether each is the host's, and its nodes.

    `needs`: for each node, in topological order, the nodes whose values it uses. `on_host`: those
    that run on the host.
    """
    levels = _levels(needs, on_host, host_first=False)
    other = _levels(needs, on_host, host_first=True)
    host_first = len(set(other)) < len(set(levels))
    segments: dict[int, list[int]] = {}
    for node, level in enumerate(other if host_first else levels):
        segments.setdefault(level, []).append(node)
    return [((level % 2 == 0) == host_first, segments[level]) for level in sorted(segments)]


def _levels(
    needs: Sequence[Collection[int]], on_host: Collection[int], host_first: bool
) -> list[int]:
    levels: list[int] = []
    for node, producers in enumerate(needs):
        mine = node in on_host
        after = (levels[p] + (mine != (p in on_host)) for p in producers)
        levels.append(max(after, default=int(mine != host_first)))
    return levels


class Graph:
    """The top level of a prepared model's graph.

    nodes: those that outputs depend on. Constants aren't among them: each segment gets a copy of
    the ones that it uses. uses: the values that each node takes. makers, users: of each value, the
    node that makes it and the nodes that take it. types: of all values.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._proto: GraphProto = loaded.proto.graph
        self._initializers = {t.name: t for t in self._proto.initializer}
        self._constants = {n.output[0]: n for n in self._proto.node if _is_constant(n)}
        self.types = scope_types(self._proto, {})
        self.inputs = [value.name for value in self._proto.input]
        self.outputs = [value.name for value in self._proto.output]
        self.nodes, self.uses = self._live_nodes()
        self.makers = {name: n for n, node in enumerate(self.nodes) for name in node.output if name}
        self.users: dict[str, list[int]] = {}
        for number, values in enumerate(self.uses):
            for value in values:
                self.users.setdefault(value, []).append(number)

    def _live_nodes(self) -> tuple[list[NodeProto], list[list[str]]]:
        wanted = set(self.outputs)
        live = []
        for node in reversed(self._proto.node):
            if not _is_constant(node) and not wanted.isdisjoint(filter(None, node.output)):
                uses = [*filter(None, node.input), *sorted(graphs.captured_values(node))]
                live.append((node, uses))
                wanted.update(uses)
        return [node for node, _ in reversed(live)], [uses for _, uses in reversed(live)]

    def live(self) -> ModelProto:
        """A copy of the model without the nodes and constants that no output depends on.

        The lowerings need have no way for them.
        """
        model = ModelProto()
        model.CopyFrom(self._loaded.proto)
        used = {*self.outputs, *(value for uses in self.uses for value in uses)}
        nodes, tensors = model.graph.node, model.graph.initializer
        for index in reversed(range(len(nodes))):
            if used.isdisjoint(filter(None, nodes[index].output)):
                del nodes[index]
        for index in reversed(range(len(tensors))):
            if tensors[index].name not in used:
                del tensors[index]
        return model

    def is_constant(self, name: str) -> bool:
        """Whether a value is an initializer, or made by a Constant."""
        return name in self._initializers or name in self._constants

    def value(self, name: str) -> ValueInfoProto:
        """A value with its type."""
        value = ValueInfoProto(name=name)
        value.type.CopyFrom(self.types[name])
        return value

    def refine(self, name: str, shape: Sequence[int | str | None]) -> None:
        """Notes what was found out of the shape of a value, for what is cut from now on."""
        element = self.types[name].tensor_type.elem_type
        self.types[name] = helper.make_tensor_type_proto(element, shape)

    def cut(self, on_host: Collection[int]) -> Iterator[Segment]:
        """The fewest segments with which the nodes of these numbers run on the host."""
        needs = [{self.makers[v] for v in uses if v in self.makers} for uses in self.uses]
        parts = partition(needs, on_host)
        # Outputs that no node makes: the host's evaluator gives them, whatever their types.
        constants = [name for name in self.outputs if self.is_constant(name)]
        if constants and not any(host for host, _ in parts):
            parts.append((True, []))
        for host, numbers in parts:
            yield Segment(host, tuple(numbers), self.model(numbers, constants * host))
            constants = [] if host else constants

    def _is_needed(self, value: str, inside: Collection[int]) -> bool:
        """Whether a value is needed outside of the segment that makes it."""
        return value in self.outputs or any(n not in inside for n in self.users.get(value, ()))

    def model(self, numbers: Sequence[int], constants: Sequence[str] = ()) -> LoadedModel:
        """A model of the nodes of these numbers, which gives what is needed of them elsewhere.

        `constants`: what it gives besides.
        """
        inside = set(numbers)
        made = [v for number in numbers for v in self.nodes[number].output if v]
        given = [*(v for v in made if self._is_needed(v, inside)), *constants]
        used = dict.fromkeys([*(v for n in numbers for v in self.uses[n]), *given])
        inner = {*made, *(v for v in used if self.is_constant(v))}
        model = ModelProto(ir_version=self._loaded.proto.ir_version)
        model.opset_import.extend(self._loaded.proto.opset_import)
        graph = model.graph
        graph.name = self._proto.name
        graph.initializer.extend(self._initializers[v] for v in used if v in self._initializers)
        graph.node.extend(self._constants[v] for v in used if v in self._constants)
        graph.node.extend(self.nodes[n] for n in numbers)
        graph.input.extend(self.value(v) for v in used if v not in inner)
        graph.output.extend(map(self.value, given))
        hidden = inner.difference(given, self._initializers)
        graph.value_info.extend(self.value(v) for v in sorted(hidden))
        return LoadedModel(model, self._loaded.payloads)


def _is_constant(node: NodeProto) -> bool:
    return node.op_type == "Constant" and not node.domain


def serialized(loaded: LoadedModel) -> bytes:
    """The bytes of a model, with all its tensors; OmbError where ONNX can't hold so many."""
    model = ModelProto()
    model.CopyFrom(loaded.proto)

    def restore(tensor: TensorProto) -> None:
        if loaded.payloads.has(tensor):
            data = loaded.payloads.buffer(tensor).tobytes()
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.raw_data = data

    each_tensor(model, restore)
    try:
        return model.SerializeToString()
    except ValueError as error:
        raise OmbError(
            f"the part of the model that runs on the host can't be serialized ({error}); its "
            "weights must have less than 2 GiB"
        ) from None
