"""Which nodes of a model are compiled, and which run on the host.

The host gets a node that no device can run, by one of these:

- a value that it or its subgraphs use is of a type that devices lack: strings, maps;
- the lowerings say that they have no way for it, with the reason;
- compiled code can't take an input of it, or give an output: the rank isn't known before the run.

Operators aren't listed anywhere: what gains a lowering is compiled. Moving a node changes what is
between host and device, so this is repeated until everything else compiles. Nodes that are wrong,
rather than unsupported, are errors as ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx

from onnx_mlir_bridge import importer
from onnx_mlir_bridge.compiler import diagnostics, pipeline, source
from onnx_mlir_bridge.compiler.parts import DevicePart, HostNode, HostPart, PlacedModel
from onnx_mlir_bridge.compiler.source import Source
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import PreparedModel
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.compositions.body import UnsupportedError
from onnx_mlir_bridge.importer.segments import Graph, Segment, serialized
from onnx_mlir_bridge.importer.string_labels import separate_labels
from onnx_mlir_bridge.importer.types import held_type, scope_types
from onnx_mlir_bridge.runtime import host
from onnx_mlir_bridge.runtime.signature import Signature, TensorInfo

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.compiler.source import ModelSource
    from onnx_mlir_bridge.compiler.targets import Target
    from onnx_mlir_bridge.importer import ImportedModel, ValueInfo
    from onnx_mlir_bridge.importer.load import LoadedModel


Stage = Callable[[str], None]


def place(
    model: ModelSource | PreparedModel,
    options: CompileOptions,
    target: Target,
    stage: Stage = lambda name: None,
) -> PlacedModel:
    """The parts of a model; with the fallback "error", and of a module, a single one.

    `model`: one that was prepared may be changed. `options`, `target`: how it is compiled, and for
    what. `stage` is called with the name of each stage of the work. OmbError, which names the node,
    where a node is wrong, or neither can be compiled nor run on the host.
    """
    from onnx_mlir_bridge._mlir import ir

    passes = pipeline.lowering(options, target)
    if isinstance(model, ir.Module):
        whole = source.of_module(model)
        stage("Lowering to linalg")
        return _single(whole, passes)
    if isinstance(model, PreparedModel):
        prepared = model
    else:
        stage("Importing")
        prepared = importer.prepare(model)
    if options.fallback == "error":
        module = importer.emit_module(prepared.loaded, source.lowered_operators())
        whole = source.of_import(prepared.imported(module, prepared.loaded))
        stage("Lowering to linalg")
        return _single(whole, passes)
    return _Placer(prepared, passes, stage).place()


def _single(whole: Source, passes: str) -> PlacedModel:
    part = DevicePart(whole, passes)
    return PlacedModel(whole.signature, whole.metadata, whole.warnings, (part,))


_ROWS = ("CastMap", "DictVectorizer")
"""What gives one row: see runtime/host_operators.py."""


class _Placer:
    def __init__(self, prepared: PreparedModel, passes: str, stage: Stage) -> None:
        separate_labels(prepared.loaded)
        self._prepared = prepared
        self._passes = passes
        self._stage = stage
        self._graph = Graph(prepared.loaded)
        for node in self._graph.nodes:
            # onnx infers no rank for them.
            if node.op_type in _ROWS and node.domain == "ai.onnx.ml":
                self._graph.refine(node.output[0], (1, None))
        self._twins = _twins(self._graph.nodes)
        self._reasons: dict[int, str] = {}
        """Why a node runs on the host, by its number."""
        self._lowered_parts: dict[tuple[tuple[int, ...], tuple[str, ...]], DevicePart] = {}
        """By their nodes and outputs: moving a node changes only some of the parts."""

    def place(self) -> PlacedModel:
        for number, node in enumerate(self._graph.nodes):
            if lacking := _lacking_type(node, self._graph.types):
                self._reasons[number] = f"works on {lacking}, which no device has"
        while True:
            self._settle_boundaries()
            placed = self._as_one() if self._is_one() else self._in_parts()
            if placed is not None:
                return placed
            self._stage("Importing")

    # --- what is passed between parts ---------------------------------------------------------

    def _settle_boundaries(self) -> None:
        """Moves nodes to the host until compiled code can pass all that both pass to each other."""
        changed = True
        while changed:
            changed = False
            for number in range(len(self._graph.nodes)):
                if number not in self._reasons and (why := self._why_not_passed(number)):
                    self._reasons[number] = why
                    changed = True

    def _why_not_passed(self, number: int) -> str:
        """Why compiled code can't take an input of a node, or give an output; "" if it can."""
        graph = self._graph
        for name in graph.uses[number]:
            maker = graph.makers.get(name)
            is_passed = not graph.is_constant(name) if maker is None else maker in self._reasons
            if is_passed and (why := self._why_unfit("input", name)):
                return why
        for name in filter(None, graph.nodes[number].output):
            users = graph.users.get(name, ())
            is_passed = name in graph.outputs or any(user in self._reasons for user in users)
            if is_passed and (why := self._why_unfit("output", name)):
                return why
        return ""

    def _why_unfit(self, kind: str, name: str) -> str:
        """Why a value can't be an input or output of compiled code; "" if it can."""
        info = importer.value_info(self._graph.value(name))
        try:
            source.tensor_info(kind, name, info.type, info.shape or ())
        except OmbError as error:
            return str(error)
        # The lowerings may find an output's rank, and say so if they don't.
        if kind == "input" and info.shape is None:
            return f"takes '{name}', whose rank isn't known before the run"
        return ""

    def _is_one(self) -> bool:
        """Whether the model is compiled as it is."""
        ends = [("input", v) for v in self._graph.inputs]
        ends += [("output", v) for v in self._graph.outputs]
        return not self._reasons and not any(self._why_unfit(*end) for end in ends)

    # --- parts --------------------------------------------------------------------------------

    def _as_one(self) -> PlacedModel | None:
        """The model as a single part; None where a node was moved to the host."""
        whole = self._prepared.loaded
        copy = replace(whole, proto=self._graph.live(), warnings=list(whole.warnings))
        part = self._lowered(range(len(self._graph.nodes)), self._prepared, copy)
        return part and PlacedModel(
            part.signature, part.source.metadata, part.source.warnings, (part,)
        )

    def _in_parts(self) -> PlacedModel | None:
        """The model cut into parts; None where a node was moved to the host."""
        segments: list[Segment] = []
        compiled: dict[int, DevicePart] = {}
        for number, segment in enumerate(self._graph.cut(self._reasons)):
            segments.append(segment)
            if not segment.on_host:
                part = self._device_part(segment)
                if part is None:
                    return None
                compiled[number] = part
        parts = tuple(compiled.get(n) or self._host_part(s) for n, s in enumerate(segments))
        whole = self._prepared.loaded
        # Also verifies the nodes that run on the host.
        imported = self._prepared.imported(importer.emit_module(whole), whole)
        metadata = source.metadata(imported)
        return PlacedModel(_signature(imported, parts), metadata, imported.warnings, parts)

    def _device_part(self, segment: Segment) -> DevicePart | None:
        """A part that is compiled; None where a node of it was moved to the host."""
        graph = segment.loaded.proto.graph
        key = (segment.nodes, tuple(value.name for value in graph.output))
        if key in self._lowered_parts:
            return self._lowered_parts[key]
        for value in graph.input:
            if why := self._why_unfit("input", value.name):
                users = set(self._graph.users[value.name]).intersection(segment.nodes)
                self._reasons.update(dict.fromkeys(users, why))
                return None
        declared = tuple(map(importer.value_info, graph.output))
        part = self._lowered(
            segment.nodes, replace(self._prepared, declared=declared), segment.loaded
        )
        if part is not None:
            self._lowered_parts[key] = part
            for info, value in zip(part.signature.outputs, declared, strict=True):
                if value.shape is None and not info.containers:
                    self._graph.refine(info.name, info.dims)
        return part

    def _lowered(
        self, numbers: Sequence[int], prepared: PreparedModel, loaded: LoadedModel
    ) -> DevicePart | None:
        """Some nodes, lowered; None where one of them was moved to the host."""
        try:
            module = importer.emit_module(loaded, source.lowered_operators())
            self._stage("Lowering to linalg")
            linalg = pipeline.to_linalg(module.operation, self._passes)
        except UnsupportedError as error:
            if not self._move(numbers, [(error.node, error.why)]):
                raise
            return None
        except diagnostics.LoweringError as error:
            unsupported = [p for p in error.problems if diagnostics.is_unsupported(p[1])]
            if not self._move(numbers, unsupported):
                raise
            return None
        imported = prepared.imported(module, loaded)
        return DevicePart(source.of_import(imported), self._passes, linalg)

    def _move(self, numbers: Sequence[int], unsupported: Iterable[tuple[str, str]]) -> bool:
        """Moves nodes, named with their reasons, to the host; whether they were found."""
        owners = _owners({number: self._graph.nodes[number] for number in numbers})
        found = False
        for name, message in unsupported:
            for number in _owner(owners, name):
                found = True
                for twin in self._twins[number]:
                    self._reasons.setdefault(twin, message)
        return found

    def _host_part(self, segment: Segment) -> HostPart:
        graph = segment.loaded.proto.graph
        nodes = tuple(self._host_node(number) for number in segment.nodes)
        model = serialized(segment.loaded)
        try:
            host.evaluator(model)
        except OmbError:
            self._complain_of_host(segment)
            raise
        signature = Signature(
            tuple(_on_host("input", importer.value_info(value)) for value in graph.input),
            tuple(_on_host("output", importer.value_info(value)) for value in graph.output),
        )
        return HostPart(signature, model, nodes)

    def _complain_of_host(self, segment: Segment) -> None:
        """LoweringError, if onnx's evaluator has no way for one of the nodes."""
        problems = []
        for number in segment.nodes:
            node = self._host_node(number)
            try:
                host.evaluator(serialized(self._graph.model([number])))
            except OmbError as error:
                problems.append((node.name, f"{node.reason}; and on the host: {error}"))
        if problems:
            raise diagnostics.LoweringError(problems)

    def _host_node(self, number: int) -> HostNode:
        node = self._graph.nodes[number]
        operators = Counter(map(_operator, _with_nested(node)))
        return HostNode(graphs.describe_node(node), self._reasons[number], operators)


def _on_host(kind: str, value: ValueInfo) -> TensorInfo:
    return source.tensor_info(kind, value.name, value.type, value.shape, on_host=True)


def _signature(imported: ImportedModel, parts: Sequence[DevicePart | HostPart]) -> Signature:
    """A model's inputs and outputs, the latter as the parts know them where they know more."""
    known = {info.name: info for part in parts for info in part.signature.outputs}
    outputs = []
    for value in imported.outputs:
        info = _on_host("output", value)
        outputs.append(known.get(value.name, info) if info.dims is None else info)
    return Signature(tuple(_on_host("input", v) for v in imported.inputs), tuple(outputs))


def _with_nested(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    return [node, *(n for graph in graphs.subgraphs(node) for n in graphs.each_node(graph))]


def _operator(node: onnx.NodeProto) -> str:
    return f"ml.{node.op_type}" if node.domain == "ai.onnx.ml" else node.op_type


def _lacking_type(node: onnx.NodeProto, outer: dict[str, onnx.TypeProto]) -> str:
    """What the node or its subgraphs work on that devices lack, in a word; "" for nothing."""
    for name in (*node.input, *node.output):
        if name in outer and (lacking := _lacking(outer[name])):
            return lacking
    for graph in graphs.subgraphs(node):
        types = scope_types(graph, outer)
        for inner in graph.node:
            if lacking := _lacking_type(inner, types):
                return lacking
    return ""


def _lacking(value_type: onnx.TypeProto) -> str:
    held = held_type(value_type)
    if held.HasField("map_type"):
        return "maps"
    return "strings" if held.tensor_type.elem_type == onnx.TensorProto.STRING else ""


def _twins(nodes: Sequence[onnx.NodeProto]) -> list[list[int]]:
    """For each node, those that compute the same: the passes merge them, and name only one."""
    firsts: dict[bytes, int] = {}
    members: dict[int, list[int]] = {}
    same: dict[str, str] = {}
    twins = []
    for number, node in enumerate(nodes):
        key = onnx.NodeProto(op_type=node.op_type, domain=node.domain, attribute=node.attribute)
        key.input.extend(same.get(value, value) for value in node.input)
        first = firsts.setdefault(key.SerializeToString(), number)
        same.update(
            (mine, theirs)
            for mine, theirs in zip(node.output, nodes[first].output, strict=False)
            if mine and theirs
        )
        twins.append(members.setdefault(first, []))
        twins[-1].append(number)
    return twins


def _owners(nodes: Mapping[int, onnx.NodeProto]) -> dict[str, set[int]]:
    """The names by which diagnostics may name a node -> the nodes.

    What an operator's function is made of is named behind the node or, where that has no name, the
    operator: such nodes aren't told apart.
    """
    owners: dict[str, set[int]] = {}
    for number, node in nodes.items():
        for inner in _with_nested(node):
            for name in (graphs.describe_node(inner), inner.name or inner.op_type):
                owners.setdefault(name, set()).add(number)
    return owners


def _owner(owners: Mapping[str, set[int]], name: str) -> set[int]:
    while name:
        if name in owners:
            return owners[name]
        name = name.rpartition("/")[0]
    return set()
