"""The ranks of sequences that are inputs, where the model doesn't declare them.

Compiled code needs one rank for all tensors of a sequence. A model whose input is of the type
seq(tensor(float)), without dimensions, leaves it open; it is taken from the tensors that the model
inserts into the sequence. A session then takes sequences of that rank only.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, TypeProto

from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.types import held_type, rank, scope_types

# Operators whose first result is a sequence like that of their first operand.
_PASS_ON = frozenset(
    {"Identity", "Optional", "OptionalGetElement", "SequenceErase", "SequenceInsert"}
)


def declare(graph: GraphProto) -> bool:
    """Gives inputs the ranks that are found, in place; whether there were any.

    `graph`: the model's, in the newest opset, with types.
    """
    changed = False
    for value in graph.input:
        held = held_type(value.type)
        if not _holds_sequence(value.type) or rank(held) is not None:
            continue
        found = _inserted_ranks(graph, {}, {value.name})
        if len(found) == 1:
            held.tensor_type.shape.SetInParent()
            for _ in range(found.pop()):
                held.tensor_type.shape.dim.add()
            changed = True
    return changed


def _holds_sequence(value_type: TypeProto) -> bool:
    if value_type.WhichOneof("value") == "optional_type":
        value_type = value_type.optional_type.elem_type
    return value_type.WhichOneof("value") == "sequence_type"


def _inserted_ranks(graph: GraphProto, outer: dict[str, TypeProto], same: set[str]) -> set[int]:
    """The ranks of what is inserted into sequences; `same`: their names, to which more are added.

    Subgraphs see the names around them, and pass sequences out as the results of their nodes.
    """
    types = scope_types(graph, outer)
    found: set[int] = set()
    for node in graph.node:
        for inner in graphs.subgraphs(node):
            if node.op_type == "Loop":
                arguments = [value.name for value in inner.input[2:]]
                same |= _counterparts(node.input[2:], arguments, same)
            found |= _inserted_ranks(inner, types, same)
            results = inner.output[1:] if node.op_type == "Loop" else inner.output
            same |= _counterparts([value.name for value in results], node.output, same)
        if node.op_type in _PASS_ON and node.input[:1] and node.input[0] in same:
            same.add(node.output[0])
        if node.op_type == "SequenceInsert" and node.input[0] in same:
            inserted = rank(types.get(node.input[1]))
            found |= set() if inserted is None else {inserted}
    return found


def _counterparts(names: Sequence[str], others: Sequence[str], same: set[str]) -> set[str]:
    """The names in `others` at the places where `names` has a sequence in `same`."""
    return {other for name, other in zip(names, others, strict=False) if name in same}
