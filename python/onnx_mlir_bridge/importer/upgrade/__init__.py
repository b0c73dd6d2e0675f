"""Brings a model of any opset to the newest, node by node.

Not by onnx's version converter: that one drops functions, loses names, copies every weight, and
knows no way for a number of operators. Here a node whose operator has not changed since stays as
it is; one with an adapter is rewritten in place; nothing else of the model is touched.
"""

from __future__ import annotations

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, defs

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer import types
from onnx_mlir_bridge.importer.check import ONNX_DOMAINS, newest_opset, opset_versions
from onnx_mlir_bridge.importer.functions import OPSET_TAG
from onnx_mlir_bridge.importer.load import LoadedModel
from onnx_mlir_bridge.importer.upgrade import (
    attributes_to_inputs,
    control_flow,
    elementwise,
    machine_learning,
    normalization,
    pooling,
    resize,
)
from onnx_mlir_bridge.importer.upgrade.registry import (
    IGNORED_ATTRIBUTE,
    Rewrite,
    Scope,
    adapter_for,
    incompatibility,
    newest_version,
)

# Importing the families registers their adapters.
FAMILIES = (
    attributes_to_inputs,
    control_flow,
    elementwise,
    machine_learning,
    normalization,
    pooling,
    resize,
)


def upgrade(loaded: LoadedModel, found: dict[str, TypeProto] | None = None) -> None:
    """Brings `loaded.proto`, whose functions are inlined, to the newest opsets, in place.

    `found`: types that are known of values outside of subgraphs. Operators of other domains stay.
    OmbError, naming the node, for what has no equivalent there (outputs that only training has,
    attributes that a rewrite needs but can't know).
    """
    model = loaded.proto
    opsets = opset_versions(model)
    upgrader = _Upgrader(loaded, opsets)
    if any(
        n.domain in ONNX_DOMAINS and upgrader.since(n) != newest_version(n.domain, n.op_type)
        for n in graphs.each_node(model.graph)
    ):
        types.infer_if_possible(loaded)
        upgrader.graph(model.graph, found or {}, {})
    for node in graphs.each_node(model.graph):
        for index in reversed(range(len(node.metadata_props))):
            if node.metadata_props[index].key == OPSET_TAG:
                del node.metadata_props[index]
    _set_newest(model)


def _set_newest(model: ModelProto) -> None:
    from onnx import IR_VERSION

    others = {d: v for d, v in opset_versions(model).items() if d not in ONNX_DOMAINS}
    del model.opset_import[:]
    for domain, version in others.items():
        model.opset_import.add(domain=domain, version=version)
    for domain in ONNX_DOMAINS:
        model.opset_import.add(domain=domain, version=newest_opset(domain))
    model.ir_version = IR_VERSION


class _Upgrader:
    def __init__(self, loaded: LoadedModel, opsets: dict[str, int]) -> None:
        self._loaded = loaded
        self._opsets = opsets
        self._names = graphs.FreshNames(loaded.proto)
        self._versions: dict[tuple[str, str, int], int] = {}
        self._used = {o.name for o in loaded.proto.graph.output}
        for graph in graphs.each_graph(loaded.proto.graph):
            self._used.update(o.name for o in graph.output)
            for node in graph.node:
                self._used.update(node.input)

    def since(self, node: NodeProto) -> int:
        """The version of the schema that the node was written for."""
        version = self._opsets.get(node.domain)
        for entry in node.metadata_props:
            if entry.key == OPSET_TAG:
                version = int(entry.value)
        if version is None:
            version = newest_opset(node.domain)
        key = (node.domain, node.op_type, version)
        if key not in self._versions:
            self._versions[key] = defs.get_schema(node.op_type, version, node.domain).since_version
        return self._versions[key]

    def graph(
        self,
        graph: GraphProto,
        outer_types: dict[str, TypeProto],
        outer_constants: dict[str, TensorProto],
    ) -> None:
        """Upgrades the nodes of `graph` and of its subgraphs."""
        known = dict(outer_types)
        for value in (*graph.input, *graph.value_info, *graph.output):
            if types.is_typed(value.type):
                known[value.name] = value.type
        constants = dict(outer_constants)
        for tensor in graph.initializer:
            constants[tensor.name] = tensor
            known[tensor.name] = types.tensor_type(tensor)
        for node in graph.node:
            value = graphs.attribute(node, "value") if node.op_type == "Constant" else None
            if value is not None and value.HasField("t"):
                constants[node.output[0]] = value.t
        scope = Scope(known, constants, self._used, self._names, self._loaded.payloads.array)

        changed = False
        nodes: list[NodeProto] = []
        for node in graph.node:
            for inner in graphs.subgraphs(node):
                self.graph(inner, known, constants)
            new = self._node(node, scope)
            changed |= new is not None
            nodes.extend([node] if new is None else new)
        if changed:
            copies = [NodeProto.FromString(n.SerializeToString()) for n in nodes]
            del graph.node[:]
            graph.node.extend(copies)

    def _node(self, node: NodeProto, scope: Scope) -> list[NodeProto] | None:
        """What replaces `node`; None where it stays."""
        if node.domain not in ONNX_DOMAINS:
            return None
        since = self.since(node)
        if since == newest_version(node.domain, node.op_type):
            return None
        adapter = adapter_for(node.domain, node.op_type, since)
        if adapter is None:
            why = incompatibility(node.domain, node.op_type, since)
            if why is not None:
                raise OmbError(
                    f"the node '{graphs.describe_node(node)}' of version {since} can't be brought "
                    f"to opset {newest_opset(node.domain)}: {why}"
                )
            graphs.pop_attribute(node, IGNORED_ATTRIBUTE)
            return None
        copy = NodeProto()
        copy.CopyFrom(node)
        graphs.pop_attribute(copy, IGNORED_ATTRIBUTE)
        rewrite = Rewrite(copy, since, scope)
        adapter(rewrite)
        return [*rewrite.nodes, rewrite.node] if rewrite.keep else rewrite.nodes
