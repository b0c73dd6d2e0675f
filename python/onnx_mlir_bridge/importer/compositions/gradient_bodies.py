"""Operators without a rule of their own that the standard defines by a function: its body, renamed.

The forward pass of such an operator is computed a second time, in pieces that have rules.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import NodeProto, TypeProto

from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.functions import standard_function, with_defaults
from onnx_mlir_bridge.importer.upgrade.registry import adapter_for, incompatibility


def standard_body(
    node: NodeProto, types: Mapping[str, TypeProto], unique: str
) -> list[NodeProto] | None:
    """The nodes that `node` of the newest opset stands for; None if the standard doesn't say.

    Inner names start with `unique`. None also for a body of an opset in which one of its operators
    meant something else.
    """
    if node.domain or any(True for _ in graphs.subgraphs(node)):
        return None
    newest = onnx.defs.onnx_opset_version()
    known = [types.get(name) if name else TypeProto() for name in node.input]
    function = standard_function(node, known, newest)
    if function is None:
        return None
    opset = {e.domain: e.version for e in function.opset_import}.get("", newest)
    if not all(_means_the_same(inner, opset) for inner in function.node):
        return None
    renamed = {"": ""}
    for formals, actual in ((function.input, node.input), (function.output, node.output)):
        for index, formal in enumerate(formals):
            renamed[formal] = actual[index] if index < len(actual) else ""
    attributes = {a.name: a for a in with_defaults(node).attribute}
    return [_renamed(inner, renamed, attributes, unique) for inner in function.node]


def _means_the_same(node: NodeProto, opset: int) -> bool:
    if node.domain or any(True for _ in graphs.subgraphs(node)):
        return False
    since = onnx.defs.get_schema(node.op_type, opset).since_version
    newest = onnx.defs.get_schema(node.op_type).since_version
    return since == newest or (
        adapter_for("", node.op_type, since) is None
        and incompatibility("", node.op_type, since) is None
    )


def _renamed(
    node: NodeProto,
    renamed: dict[str, str],
    attributes: Mapping[str, onnx.AttributeProto],
    unique: str,
) -> NodeProto:
    copy = NodeProto(op_type=node.op_type)
    copy.input.extend(renamed.setdefault(name, f"{unique}{name}") for name in node.input)
    # An output that the model leaves out has a name here: others may use it.
    for name in node.output:
        if name and not renamed.get(name):
            renamed[name] = f"{unique}{name}"
        copy.output.append(renamed[name])
    for attribute in node.attribute:
        actual = attribute
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in attributes:
                continue
            actual = attributes[attribute.ref_attr_name]
        copy.attribute.add().CopyFrom(actual)
        copy.attribute[-1].name = attribute.name
    return copy
