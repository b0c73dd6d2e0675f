"""Classifiers whose labels are strings, taken apart: numbers for the device, their names after it.

A classifier is arithmetic but for the names that it gives out last, and need not run on the host
for their sake.
"""

from __future__ import annotations

from onnx import GraphProto, NodeProto, TensorProto, TypeProto, helper

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.functions import replace_nodes
from onnx_mlir_bridge.importer.load import LoadedModel

_DOMAIN = "ai.onnx.ml"
_STRINGS = "classlabels_strings"

# Operator -> its attribute for labels that are numbers.
_NUMBERS = {
    "LinearClassifier": "classlabels_ints",
    "SVMClassifier": "classlabels_ints",
    "TreeEnsembleClassifier": "classlabels_int64s",
}


def separate_labels(loaded: LoadedModel) -> None:
    """Has the classifiers of a prepared model give numbers, in place; LabelEncoders name them.

    OmbError for labels that neither devices nor the host have a way for.
    """
    graph = loaded.proto.graph
    names = None
    types = {value.name: value.type for value in (*graph.value_info, *graph.output)}
    used = _used(graph)
    replacement = {}
    for index, node in enumerate(graph.node):
        if node.domain != _DOMAIN or node.op_type not in _NUMBERS or used.isdisjoint(node.output):
            continue
        labels = _labels(node)
        if labels:
            names = names or graphs.FreshNames(loaded.proto)
            number = names.new(f"{node.output[0]}/number")
            value_type = TypeProto()
            value_type.CopyFrom(types[node.output[0]])
            value_type.tensor_type.elem_type = TensorProto.INT64
            graph.value_info.add(name=number).type.CopyFrom(value_type)
            apart = _apart(node, labels, number)
            # Labels that nobody asks for need no names.
            replacement[index] = apart if node.output[0] in used else apart[:1]
    replace_nodes(graph, replacement)


def _labels(node: NodeProto) -> list[bytes]:
    """A classifier's labels, if they are strings; OmbError where they can't be."""
    strings = graphs.attribute(node, _STRINGS)
    labels = list(strings.strings) if strings is not None else []
    numbers = _NUMBERS[node.op_type]
    where = f"the node '{graphs.describe_node(node)}'"
    if labels and graphs.attribute(node, numbers) is not None:
        raise OmbError(f"{where} has both {_STRINGS} and {numbers}; it must have one of them")
    # As a number it means something else, and onnx's evaluator fails.
    if len(labels) == 1:
        raise OmbError(
            f"{where} has one class label, which is a string; that isn't supported: give it two, "
            "or an integer"
        )
    return labels


def _used(graph: GraphProto) -> set[str]:
    """The values that the graph's nodes take or that it gives."""
    used = {value.name for value in graph.output}
    for node in graph.node:
        used.update(node.input, graphs.captured_values(node))
    return used


def _apart(node: NodeProto, labels: list[bytes], number: str) -> list[NodeProto]:
    """The classifier, which calls its label `number`, and the LabelEncoder that names it."""
    classifier = NodeProto()
    classifier.CopyFrom(node)
    graphs.pop_attribute(classifier, _STRINGS)
    places = list(range(len(labels)))
    classifier.attribute.append(helper.make_attribute(_NUMBERS[node.op_type], places))
    classifier.output[0] = number
    encoder = helper.make_node(
        "LabelEncoder",
        [number],
        [node.output[0]],
        name=f"{node.name or node.op_type}/labels",
        domain=_DOMAIN,
        keys_int64s=places,
        values_strings=labels,
    )
    return [classifier, encoder]
