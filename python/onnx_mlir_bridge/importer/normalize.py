"""Small steps that make models uniform before types are inferred."""

from __future__ import annotations

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TypeProto

from onnx_mlir_bridge.importer import graph as graphs

_NO_NAMES = frozenset({"", "?", "*", "-1", "None", "unknown"})


def normalize(model: ModelProto) -> None:
    """Brings `model`, in place, to a form with fewer cases.

    - An initializer that is also an input, as all were before IR version 4, is a default that the
      caller may override in ONNX. Here it is a constant, and no input.
    - Sparse initializers become Constant nodes.
    - What a subgraph yields without computing it (an input, a constant, an outer value) goes
      through an Identity, so that types can be inferred for it.
    - Dimensions that some tools write for unknown ones become unknown: -1, and names like '?',
      which stand for another size wherever they appear.
    """
    names = graphs.FreshNames(model)
    for graph in graphs.each_graph(model.graph):
        _drop_inputs_with_initializers(graph)
        _sparse_initializers_to_nodes(graph)
        if graph is not model.graph:
            _compute_outputs(graph, names)
        for value in (*graph.input, *graph.output, *graph.value_info):
            drop_unknown_dims(value.type)


def _drop_inputs_with_initializers(graph: GraphProto) -> None:
    initialized = {t.name for t in graph.initializer}
    initialized.update(s.values.name for s in graph.sparse_initializer)
    for index in reversed(range(len(graph.input))):
        if graph.input[index].name in initialized:
            del graph.input[index]


def _sparse_initializers_to_nodes(graph: GraphProto) -> None:
    if not graph.sparse_initializer:
        return
    nodes = [
        onnx.helper.make_node("Constant", [], [s.values.name], s.values.name, sparse_value=s)
        for s in graph.sparse_initializer
    ]
    nodes += [NodeProto.FromString(n.SerializeToString()) for n in graph.node]
    del graph.sparse_initializer[:]
    del graph.node[:]
    graph.node.extend(nodes)


def _compute_outputs(graph: GraphProto, names: graphs.FreshNames) -> None:
    computed = {name for node in graph.node for name in node.output}
    for value in graph.output:
        if value.name not in computed:
            name = names.new(f"{value.name}/yielded")
            graph.node.append(onnx.helper.make_node("Identity", [value.name], [name]))
            value.name = name


def drop_unknown_dims(value_type: TypeProto) -> None:
    """Makes what some tools write for unknown dimensions unknown dimensions, in place."""
    kind = value_type.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        drop_unknown_dims(getattr(value_type, kind).elem_type)
    elif kind == "tensor_type":
        for dim in (
            value_type.tensor_type.shape.dim if value_type.tensor_type.HasField("shape") else ()
        ):
            if dim.HasField("dim_value") and dim.dim_value < 0:
                dim.ClearField("dim_value")
            elif dim.dim_param in _NO_NAMES:
                dim.ClearField("dim_param")


def name_all_results(model: ModelProto) -> None:
    """Gives names to results that the model leaves out although their operator always has them."""
    names = None
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    for node in graphs.each_node(model.graph):
        if all(node.output):
            continue
        formals = onnx.defs.get_schema(node.op_type, domain=node.domain).outputs
        for index, name in enumerate(node.output):
            formal = formals[min(index, len(formals) - 1)]
            if not name and formal.option != optional:
                names = names or graphs.FreshNames(model)
                node.output[index] = names.new(f"{node.name or node.op_type}/unused")
