"""Walking ONNX graphs: subgraphs, captured values, names for messages, topological order.

Protobuf reads at most 100 nested messages, so that subgraphs nest at most 33 deep and recursion
over them is safe.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from onnx_mlir_bridge.errors import OmbError, describe_node

MAX_SUBGRAPH_DEPTH = 33


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs in the attributes of `node`, in the attributes' order."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def each_graph(graph: GraphProto) -> Iterator[GraphProto]:
    """`graph` and all graphs nested in it, outer ones first."""
    stack = [graph]
    while stack:
        current = stack.pop()
        yield current
        for node in current.node:
            stack.extend(subgraphs(node))


def each_node(graph: GraphProto) -> Iterator[NodeProto]:
    """All nodes of `graph` and of the graphs nested in it."""
    for current in each_graph(graph):
        yield from current.node


def captured_values(node: NodeProto) -> set[str]:
    """The values that the subgraphs of `node` take from the scopes around them."""
    captured: set[str] = set()
    for graph in subgraphs(node):
        defined = {i.name for i in graph.input} | {t.name for t in graph.initializer}
        defined.update(s.values.name for s in graph.sparse_initializer)
        used = {o.name for o in graph.output}
        for inner in graph.node:
            used.update(inner.input)
            used |= captured_values(inner)
            defined.update(inner.output)
        captured |= used - defined
    captured.discard("")
    return captured


def all_names(model: ModelProto) -> set[str]:
    """Every value name that the model's graphs and functions use."""
    names = {""}
    nested = [g for f in model.functions for n in f.node for g in subgraphs(n)]
    for function in model.functions:
        names.update(function.input)
        names.update(function.output)
        for node in function.node:
            names.update(node.input)
            names.update(node.output)
    for graph in itertools.chain(*(each_graph(g) for g in (model.graph, *nested))):
        names.update(i.name for i in graph.input)
        names.update(o.name for o in graph.output)
        names.update(t.name for t in graph.initializer)
        names.update(s.values.name for s in graph.sparse_initializer)
        for node in graph.node:
            names.update(node.input)
            names.update(node.output)
    return names


class FreshNames:
    """Value names that no part of the model uses."""

    def __init__(self, model: ModelProto) -> None:
        self._taken = all_names(model)
        self._counters: dict[str, int] = {}

    def new(self, hint: str) -> str:
        """A name that starts with `hint`."""
        name = hint
        while name in self._taken:
            count = self._counters.get(hint, 0) + 1
            self._counters[hint] = count
            name = f"{hint}_{count}"
        self._taken.add(name)
        return name


def attribute(node: NodeProto, name: str) -> AttributeProto | None:
    """The attribute called `name`, or None."""
    return next((a for a in node.attribute if a.name == name), None)


def pop_attribute(node: NodeProto, name: str) -> AttributeProto | None:
    """Removes the attribute called `name` and returns a copy of it, or None."""
    for index, candidate in enumerate(node.attribute):
        if candidate.name == name:
            copy = AttributeProto()
            copy.CopyFrom(candidate)
            del node.attribute[index]
            return copy
    return None


def sort_graph(graph: GraphProto, outer: frozenset[str] = frozenset()) -> bool:
    """Brings the nodes of `graph` and its subgraphs into topological order, if they are not.

    `outer`: the values of the scopes around it. Returns whether anything moved. OmbError for a
    cycle, a value with two producers, and an input that nothing produces.
    """
    known = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    known.update(s.values.name for s in graph.sparse_initializer)
    producer: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in node.output:
            if name and (name in producer or name in known):
                raise OmbError(
                    f"the value '{name}' has two producers, one of them the node "
                    f"'{describe_node(node)}'; every value must have one"
                )
            if name:
                producer[name] = index
    visible = outer | known | producer.keys()
    needs: list[set[int]] = []
    for node in graph.node:
        used = {name for name in node.input if name} | captured_values(node)
        for name in used:
            if name not in visible:
                raise OmbError(
                    f"the node '{describe_node(node)}' uses the value '{name}', which no node, "
                    "input or initializer produces"
                )
        needs.append({producer[name] for name in used if name in producer})

    moved = False
    if any(index <= needed for index, inputs in enumerate(needs) for needed in inputs):
        order = _topological_order(graph, needs)
        nodes = [NodeProto.FromString(graph.node[i].SerializeToString()) for i in order]
        del graph.node[:]
        graph.node.extend(nodes)
        moved = True
    for node in graph.node:
        for inner in subgraphs(node):
            moved |= sort_graph(inner, frozenset(visible))
    return moved


def _topological_order(graph: GraphProto, needs: list[set[int]]) -> list[int]:
    """A topological order that keeps the given one where it can. OmbError for a cycle."""
    users: list[list[int]] = [[] for _ in needs]
    missing = [len(inputs) for inputs in needs]
    for index, inputs in enumerate(needs):
        for needed in inputs:
            users[needed].append(index)
    ready = [index for index, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, user)
    if len(order) < len(needs):
        # Every node left has a predecessor that is left: walking back must meet a cycle.
        left = {index for index, count in enumerate(missing) if count}
        path: list[int] = []
        at = min(left)
        while at not in path:
            path.append(at)
            at = min(needs[at] & left)
        cycle = [describe_node(graph.node[i]) for i in reversed(path[path.index(at) :])]
        shown = " -> ".join(cycle[:5] + (["..."] if len(cycle) > 5 else []))
        raise OmbError(f"the graph is cyclic: {shown} -> {cycle[0]}")
    return order
