"""Classifiers whose labels are strings, taken apart: numbers for the device, their names after it.

A classifier is arithmetic but for the names that it gives out last, and need not run on the host
for their sake.
"""

from __future__ import annotations

from onnx import NodeProto, TensorProto, TypeProto, helper

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
    """Has the classifiers of a prepared model give numbers, in place; LabelEncoders name them."""
    graph = loaded.proto.graph
    names = None
    types = {value.name: value.type for value in (*graph.value_info, *graph.output)}
    replacement = {}
    for index, node in enumerate(graph.node):
        strings = graphs.attribute(node, _STRINGS) if node.domain == _DOMAIN else None
        # One label alone means something else as a number.
        if node.op_type in _NUMBERS and strings is not None and len(strings.strings) > 1:
            names = names or graphs.FreshNames(loaded.proto)
            number = names.new(f"{node.output[0]}/number")
            value_type = TypeProto()
            value_type.CopyFrom(types[node.output[0]])
            value_type.tensor_type.elem_type = TensorProto.INT64
            graph.value_info.add(name=number).type.CopyFrom(value_type)
            replacement[index] = _apart(node, list(strings.strings), number)
    replace_nodes(graph, replacement)


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
