"""Model-local functions, inlined; operators that the standard defines by functions, expanded.

A node that comes from a function whose opset is not the model's carries that opset as a tag
(OPSET_TAG, in metadata_props), which the opset upgrade reads and removes.

Functions: onnx docs/IR.md, "Functions" (IR version 8 and later; overloads from 10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TypeProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.tensors import constant_tensor

if TYPE_CHECKING:
    import numpy as np

    from onnx_mlir_bridge.importer.load import LoadedModel

OPSET_TAG = "omb.opset"

MAX_EXPANDED_NODES = 1_000_000
"""A model that inlining makes larger than this is refused."""

_MAX_EXPANSION_ROUNDS = 16

_Key = tuple[str, str, str]


def _key(node: NodeProto) -> _Key:
    return (node.domain, node.op_type, node.overload)


def _nested_nodes(nodes: Iterable[NodeProto], depth: int = 0) -> Iterable[tuple[NodeProto, int]]:
    """All nodes with how many subgraphs they are in."""
    for node in nodes:
        yield node, depth
        for inner in graphs.subgraphs(node):
            yield from _nested_nodes(inner.node, depth + 1)


def _callees_first(functions: dict[_Key, FunctionProto]) -> list[_Key]:
    """The functions, each after those that it calls. OmbError for recursion."""
    calls = {
        key: sorted({_key(n) for n, _ in _nested_nodes(f.node) if _key(n) in functions})
        for key, f in functions.items()
    }
    order: list[_Key] = []
    state: dict[_Key, int] = {}  # 1: being visited, 2: done
    for root in functions:
        stack = [(root, iter(calls[root]))] if root not in state else []
        if stack:
            state[root] = 1
        while stack:
            key, rest = stack[-1]
            callee = next(rest, None)
            if callee is None:
                stack.pop()
                state[key] = 2
                order.append(key)
            elif state.get(callee) == 1:
                raise OmbError(
                    f"the function '{callee[1]}' of the domain '{callee[0]}' calls itself, "
                    "directly or through others; ONNX does not allow recursion"
                )
            elif callee not in state:
                state[callee] = 1
                stack.append((callee, iter(calls[callee])))
    return order


def _check_growth(
    model: ModelProto, functions: dict[_Key, FunctionProto], order: list[_Key]
) -> None:
    """OmbError where inlining would make too many nodes, or nest subgraphs too deeply."""
    size: dict[_Key, int] = {}
    depth: dict[_Key, int] = {}

    def measure(nodes: Iterable[NodeProto]) -> tuple[int, int]:
        total = deepest = 0
        for node, level in _nested_nodes(nodes):
            total += size.get(_key(node), 1)
            deepest = max(deepest, level + depth.get(_key(node), 0))
        return total, deepest

    for key in order:
        size[key], depth[key] = measure(functions[key].node)
    total, deepest = measure(model.graph.node)
    if total > MAX_EXPANDED_NODES:
        raise OmbError(
            f"the model's functions expand to {total:.3g} nodes, more than {MAX_EXPANDED_NODES}; "
            "is it a decompression bomb?"
        )
    if deepest > graphs.MAX_SUBGRAPH_DEPTH:
        raise OmbError(
            f"the model's functions nest subgraphs {deepest} levels deep, more than "
            f"{graphs.MAX_SUBGRAPH_DEPTH}; flatten its control flow"
        )


class Inliner:
    """Replaces calls of functions by their bodies."""

    def __init__(self, names: graphs.FreshNames, opsets: dict[str, int]) -> None:
        self._names = names
        self._opsets = opsets

    def body(self, call: NodeProto, function: FunctionProto) -> list[NodeProto]:
        """The nodes that do what `call` does.

        Formal names become those of the call, inner ones fresh; references to attributes become
        the call's attributes or the function's defaults.
        """
        where = f"the node '{graphs.describe_node(call)}'"
        if len(call.input) > len(function.input) or len(call.output) > len(function.output):
            raise OmbError(
                f"{where} calls the function '{function.name}' with {len(call.input)} inputs and "
                f"{len(call.output)} outputs; it has {len(function.input)} and "
                f"{len(function.output)}"
            )
        prefix = call.name or call.op_type
        renamed = {"": ""}
        for index, formal in enumerate(function.input):
            renamed[formal] = call.input[index] if index < len(call.input) else ""
        passed_on = []
        for index, formal in enumerate(function.output):
            actual = call.output[index] if index < len(call.output) else ""
            if formal in function.input:
                passed_on.append((renamed[formal], actual))
            else:
                renamed[formal] = actual or self._names.new(f"{prefix}/{formal}")
        attributes = {a.name: a for a in function.attribute_proto}
        attributes.update((a.name, a) for a in call.attribute)
        missing = [name for name in function.attribute if name not in attributes]
        tags = {
            e.domain: e.version
            for e in function.opset_import
            if self._opsets.get(e.domain) != e.version
        }
        nodes = [
            _Instance(self._names, prefix, renamed, attributes, set(missing), tags).node(n)
            for n in function.node
        ]
        for source, target in passed_on:
            if target and source:
                nodes.append(NodeProto(op_type="Identity", input=[source], output=[target]))
        return nodes


class _Instance:
    """One copy of a function's body."""

    def __init__(
        self,
        names: graphs.FreshNames,
        prefix: str,
        renamed: dict[str, str],
        attributes: dict[str, AttributeProto],
        missing: set[str],
        tags: dict[str, int],
    ) -> None:
        self._names = names
        self._prefix = prefix
        self._renamed = renamed
        self._attributes = attributes
        self._missing = missing
        self._tags = tags

    def _rename(self, name: str) -> str:
        new = self._renamed.get(name)
        if new is None:
            new = self._renamed[name] = self._names.new(f"{self._prefix}/{name}")
        return new

    def node(self, original: NodeProto) -> NodeProto:
        node = NodeProto()
        node.CopyFrom(original)
        node.name = f"{self._prefix}/{node.name or node.op_type}"
        node.input[:] = [self._rename(name) for name in node.input]
        node.output[:] = [self._rename(name) for name in node.output]
        if node.domain in self._tags and not any(p.key == OPSET_TAG for p in node.metadata_props):
            node.metadata_props.add(key=OPSET_TAG, value=str(self._tags[node.domain]))
        kept = []
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                actual = self._attributes.get(attribute.ref_attr_name)
                if actual is None:
                    continue
                name = attribute.name
                attribute = AttributeProto()
                attribute.CopyFrom(actual)
                attribute.name = name
            elif attribute.type == AttributeProto.GRAPH:
                self._graph(attribute.g)
            kept.append(attribute)
        if len(kept) != len(original.attribute) or any(a.ref_attr_name for a in original.attribute):
            copies = [AttributeProto.FromString(a.SerializeToString()) for a in kept]
            del node.attribute[:]
            node.attribute.extend(copies)
        return node

    def _graph(self, graph: GraphProto) -> None:
        for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            value.name = self._rename(value.name)
        for sparse in graph.sparse_initializer:
            sparse.values.name = self._rename(sparse.values.name)
        nodes = [self.node(n) for n in graph.node]
        del graph.node[:]
        graph.node.extend(nodes)


def replace_nodes(
    graph: GraphProto | FunctionProto, replacement: dict[int, list[NodeProto]]
) -> None:
    """Replaces the nodes at some places of `graph` by others."""
    if not replacement:
        return
    nodes: list[NodeProto] = []
    for index, node in enumerate(graph.node):
        new = replacement.get(index)
        if new is None:
            new = [NodeProto.FromString(node.SerializeToString())]
        nodes.extend(new)
    del graph.node[:]
    graph.node.extend(nodes)


def _inline_into(
    graph: GraphProto | FunctionProto, functions: dict[_Key, FunctionProto], inliner: Inliner
) -> None:
    replacement = {}
    for index, node in enumerate(graph.node):
        # Subgraphs first: what is inlined has no calls left.
        for inner in graphs.subgraphs(node):
            _inline_into(inner, functions, inliner)
        function = functions.get(_key(node))
        if function is not None:
            replacement[index] = inliner.body(node, function)
    replace_nodes(graph, replacement)


def inline_functions(model: ModelProto, opsets: dict[str, int]) -> None:
    """Inlines all model-local functions of `model`, in place, and drops their definitions.

    `opsets`: the model's opsets by domain. OmbError for recursion and for functions that expand
    to more than MAX_EXPANDED_NODES nodes.
    """
    if not model.functions:
        return
    functions = {(f.domain, f.name, f.overload): f for f in model.functions}
    order = _callees_first(functions)
    _check_growth(model, functions, order)
    names = graphs.FreshNames(model)
    for key in order:
        function = functions[key]
        own = {e.domain: e.version for e in function.opset_import}
        _inline_into(function, functions, Inliner(names, own))
    _inline_into(model.graph, functions, Inliner(names, opsets))
    del model.functions[:]


def standard_function(
    node: NodeProto, input_types: list[TypeProto | None], opset: int
) -> FunctionProto | None:
    """The standard's definition of `node` by a function, for these inputs; None if it has none."""
    schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
    if versions:
        if any(t is None for t in input_types):
            return None
        body = schema.get_context_dependent_function_with_opset_version(
            max(versions),
            node.SerializeToString(),
            [t.SerializeToString() for t in input_types if t is not None],
        )
        return FunctionProto.FromString(body) if body else None
    versions = [v for v in schema.function_opset_versions if v <= opset]
    if not versions:
        return None
    return FunctionProto.FromString(schema.get_function_with_opset_version(max(versions)))


def with_defaults(node: NodeProto) -> NodeProto:
    """A copy of `node` with all attributes that have defaults, for a function body's references."""
    copy = NodeProto()
    copy.CopyFrom(node)
    present = {attribute.name for attribute in node.attribute}
    schema = onnx.defs.get_schema(node.op_type, domain=node.domain)
    copy.attribute.extend(
        a.default_value
        for name, a in schema.attributes.items()
        if name not in present and a.default_value.type
    )
    return copy


class _Expander:
    """Replaces operators by their standard function bodies."""

    def __init__(self, loaded: LoadedModel, keep: frozenset[str]) -> None:
        model = loaded.proto
        self._payloads = loaded.payloads
        self._keep = keep
        self._opsets = {e.domain: e.version for e in model.opset_import}
        self._inliner = Inliner(graphs.FreshNames(model), self._opsets)
        self.expanded: list[str] = []
        self.waiting = False

    def graph(self, graph: GraphProto, outer: dict[str, TypeProto], patient: bool) -> None:
        """Expands the nodes of `graph` and its subgraphs, once.

        `patient`: compositions wait until the ranks of their operands are known; that some do is
        noted.
        """
        from onnx_mlir_bridge.importer.compositions import registry
        from onnx_mlir_bridge.importer.compositions.body import Scope
        from onnx_mlir_bridge.importer.compositions.expand import body_of
        from onnx_mlir_bridge.importer.types import scope_types

        types = scope_types(graph, outer)
        replacement = {}
        for index, node in enumerate(graph.node):
            for inner in graphs.subgraphs(node):
                self.graph(inner, types, patient)
            name = f"ml.{node.op_type}" if node.domain == "ai.onnx.ml" else node.op_type
            if name in self._keep:
                continue
            # An absent input has an empty type.
            known = [types.get(name) if name else TypeProto() for name in node.input]
            # What is composed here is done better than by the standard.
            composition = registry.find(node.domain, node.op_type)
            if composition is None:
                function = standard_function(node, known, self._opsets[node.domain])
                if function is None:
                    continue
                replacement[index] = self._inliner.body(with_defaults(node), function)
            elif patient and not _have_ranks(known):
                self.waiting = True
                continue
            else:
                scope = Scope(types, self._array(graph))
                whole = self._with_payloads(node)
                replacement[index] = self._inliner.body(*body_of(composition, whole, scope))
            self.expanded.append(node.op_type)
        replace_nodes(graph, replacement)

    def _with_payloads(self, node: NodeProto) -> NodeProto:
        """`node` with the bytes of the large tensors in its attributes."""
        if not any(self._payloads.has(a.t) for a in node.attribute if a.HasField("t")):
            return node
        copy = NodeProto.FromString(node.SerializeToString())
        for attribute in copy.attribute:
            if attribute.HasField("t") and self._payloads.has(attribute.t):
                array = self._payloads.array(attribute.t)
                attribute.t.CopyFrom(onnx.numpy_helper.from_array(array))
        return copy

    def _array(self, graph: GraphProto) -> Callable[[str], np.ndarray | None]:
        """The values of constants in `graph`."""

        def array(name: str) -> np.ndarray | None:
            for tensor in graph.initializer:
                if tensor.name == name:
                    return self._payloads.array(tensor)
            for node in graph.node:
                if name in node.output:
                    value = constant_tensor(node)
                    return None if value is None else self._payloads.array(value)
            return None

        return array


def _have_ranks(types: Iterable[TypeProto | None]) -> bool:
    from onnx_mlir_bridge.importer.types import rank

    return all(
        t is not None and (not t.HasField("tensor_type") or rank(t) is not None) for t in types
    )


def expand_functions(loaded: LoadedModel, keep: frozenset[str]) -> list[str]:
    """Replaces operators by the functions that the standard defines them by, in place.

    `loaded`: a model in the newest opset, with types. `keep`: operators that stay, the ones that
    are lowered natively. What a function expands to is upgraded to the newest opset and expanded
    in turn. Types are inferred anew. Returns the operators that were expanded, in order.
    """
    from onnx_mlir_bridge.importer import types, upgrade
    from onnx_mlir_bridge.importer.compositions import registry

    expanded: list[str] = []
    # No function of the standard nests others more deeply than this; a chain of compositions may
    # take a round for each of them, until all ranks are known.
    composed = sum(
        registry.find(n.domain, n.op_type) is not None for n in graphs.each_node(loaded.proto.graph)
    )
    for _ in range(_MAX_EXPANSION_ROUNDS + composed):
        expander = _Expander(loaded, keep)
        expander.graph(loaded.proto.graph, {}, patient=True)
        if not expander.expanded and expander.waiting:
            expander.graph(loaded.proto.graph, {}, patient=False)
        if not expander.expanded:
            return expanded
        expanded += expander.expanded
        upgrade.upgrade(loaded)
        types.infer(loaded)
    raise OmbError(
        f"the operators {', '.join(sorted(set(expanded)))} expand without end; "
        "this is an error in onnx_mlir_bridge, please report it"
    )
