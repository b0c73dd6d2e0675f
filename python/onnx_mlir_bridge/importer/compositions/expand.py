"""Replaces composed operators in a model by their bodies.

A walk in topological order: what stands before a composed node is inferred, piece by piece, so that
its builder knows the types of its operands; what it becomes is walked in turn.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from onnx import FunctionProto, GraphProto, NodeProto, TensorProto, TypeProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer import types as typing
from onnx_mlir_bridge.importer.check import opset_versions
from onnx_mlir_bridge.importer.compositions import registry
from onnx_mlir_bridge.importer.compositions.body import Call, Scope
from onnx_mlir_bridge.importer.compositions.registry import Composition
from onnx_mlir_bridge.importer.functions import MAX_EXPANDED_NODES, OPSET_TAG, Inliner
from onnx_mlir_bridge.importer.tensors import constant_tensor

if TYPE_CHECKING:
    from onnx_mlir_bridge.importer.load import LoadedModel

_MAX_DEPTH = 32
"""Compositions of compositions; deeper ones are taken to contain themselves."""

Types = dict[str, TypeProto]
Constants = dict[str, TensorProto]


def body_of(
    composition: Composition, node: NodeProto, scope: Scope
) -> tuple[NodeProto, FunctionProto]:
    """A function for a node, and the call of it that takes the node's place."""
    call = Call(node, scope)
    results = composition.build(call)
    function = results if isinstance(results, FunctionProto) else call.function(results)
    replacement = NodeProto.FromString(node.SerializeToString())
    replacement.input.extend(call.captured)
    return replacement, function


def expand(loaded: LoadedModel, *, late: bool) -> Types:
    """Expands the operators that no dialect has, in place.

    `loaded`: a model without functions. `late`: those that look at the graph around them, else all
    others. Returns the types that were found, of values outside of subgraphs. OmbError, naming the
    node, for one that can't be composed.
    """
    model = loaded.proto
    walk = _Walk(loaded, late)
    if not any(walk.is_composed(node) for node in graphs.each_node(model.graph)):
        return {}
    walk.graph(model.graph, {}, {}, [])
    return walk.types


class _Walk:
    def __init__(self, loaded: LoadedModel, late: bool) -> None:
        self._loaded = loaded
        self._late = late
        self._opsets = opset_versions(loaded.proto)
        self._inliner = Inliner(graphs.FreshNames(loaded.proto), self._opsets)
        self._emitted = 0
        self.types: Types = {}

    def is_composed(self, node: NodeProto) -> bool:
        """Whether this walk expands the node."""
        if node.domain in ("", "ai.onnx.ml") and not registry.is_custom(node.domain, node.op_type):
            return False
        found = registry.find(node.domain, node.op_type)
        return found is not None and found.late == self._late

    def graph(
        self,
        graph: GraphProto,
        outer_types: Types,
        outer_constants: Constants,
        outer_nodes: list[NodeProto],
    ) -> None:
        """Expands the nodes of `graph` and of its subgraphs."""
        piece = _Piece(self._loaded, self._opsets, graph, outer_types, outer_constants)
        done: list[NodeProto] = []
        work = deque((node, 0) for node in graph.node)
        while work:
            node, depth = work.popleft()
            self._emitted += 1
            if self._emitted > MAX_EXPANDED_NODES:
                raise OmbError(f"the model's operators expand to more than {MAX_EXPANDED_NODES}")
            inner = [n for g in graphs.subgraphs(node) for n in graphs.each_node(g)]
            if any(self.is_composed(n) for n in inner):
                piece.infer()
                for subgraph in graphs.subgraphs(node):
                    self.graph(
                        subgraph, piece.types, piece.constants, [*reversed(done), *outer_nodes]
                    )
            if self.is_composed(node):
                if depth >= _MAX_DEPTH:
                    raise OmbError(
                        f"the operator '{node.op_type}' of the domain '{node.domain}' is composed "
                        "of itself, directly or through others"
                    )
                piece.infer()
                body = self._body(node, piece, done, outer_nodes)
                work.extendleft((n, depth + 1) for n in reversed(body))
            else:
                done.append(node)
                piece.add(node)
        piece.infer()
        copies = [NodeProto.FromString(node.SerializeToString()) for node in done]
        del graph.node[:]
        graph.node.extend(copies)
        if graph is self._loaded.proto.graph:
            self.types = piece.types

    def _body(
        self,
        node: NodeProto,
        piece: _Piece,
        done: list[NodeProto],
        outer_nodes: list[NodeProto],
    ) -> list[NodeProto]:
        composition = registry.find(node.domain, node.op_type)
        assert composition is not None
        scope = Scope(piece.types, piece.array, done, outer_nodes, self._opsets.get(node.domain, 1))
        call, function = body_of(composition, node, scope)
        return self._inliner.body(call, function)


class _Piece:
    """What is known of a graph's values, and the nodes of which it isn't known yet."""

    def __init__(
        self,
        loaded: LoadedModel,
        opsets: dict[str, int],
        graph: GraphProto,
        outer_types: Types,
        outer_constants: Constants,
    ) -> None:
        self._loaded = loaded
        self._opsets = opsets
        self._nodes: list[NodeProto] = []
        # What the model claims about inner values holds only where inference finds nothing.
        claimed = (*graph.value_info, *graph.output)
        self._claims = {v.name: v.type for v in claimed if typing.is_typed(v.type)}
        self.types = dict(outer_types)
        self.types.update((v.name, v.type) for v in graph.input if typing.is_typed(v.type))
        self.types.update((t.name, typing.tensor_type(t)) for t in graph.initializer)
        self.constants = dict(outer_constants)
        self.constants.update((t.name, t) for t in graph.initializer)

    def add(self, node: NodeProto) -> None:
        """The next node of the graph, which isn't composed."""
        constant = constant_tensor(node)
        if constant is not None:
            self.constants[node.output[0]] = constant
            self.types[node.output[0]] = typing.tensor_type(constant)
        else:
            self._nodes.append(node)

    def array(self, name: str) -> np.ndarray | None:
        """The value of a constant."""
        tensor = self.constants.get(name)
        return None if tensor is None else self._loaded.payloads.array(tensor)

    def infer(self) -> None:
        """Finds the types of what the nodes so far produce."""
        run: list[NodeProto] = []
        opset = None
        for node in self._nodes:
            own = self._opset(node)
            if run and own != opset:
                self._infer_run(run, opset)
                run = []
            run.append(node)
            opset = own
        if run:
            self._infer_run(run, opset)
        self._nodes = []

    def _opset(self, node: NodeProto) -> tuple[str, int | None]:
        for entry in node.metadata_props:
            if entry.key == OPSET_TAG:
                return node.domain, int(entry.value)
        return "", self._opsets.get("")

    def _infer_run(self, nodes: list[NodeProto], opset: tuple[str, int | None] | None) -> None:
        opsets = dict(self._opsets)
        if opset is not None and opset[1] is not None:
            opsets[opset[0]] = opset[1]
        found = typing.infer_nodes(nodes, self.types, self.constants, opsets, self._loaded.payloads)
        for node in nodes:
            for name in node.output:
                known = found.get(name) or self._claims.get(name)
                if name and known is not None:
                    self.types[name] = known
