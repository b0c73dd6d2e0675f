"""What the families have in common: matrices, labels, tensors in attributes, loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from onnx_mlir_bridge.importer.compositions.body import Body, Call, Value

DOMAIN = "ai.onnx.ml"

Step = Callable[[Sequence[Value]], tuple[Value, Sequence[Value]]]


def floats(call: Call, name: str) -> np.ndarray:
    """An attribute that is a list of floats, empty where it is absent."""
    return np.array(call.attribute(name, []), dtype=np.float32)


def integers(call: Call, name: str) -> np.ndarray:
    """An attribute that is a list of integers, empty where it is absent."""
    return np.array(call.attribute(name, []), dtype=np.int64)


def tensor(call: Call, name: str) -> np.ndarray | None:
    """An attribute that is a tensor, None where it is absent."""
    value = call.attribute(name)
    return None if value is None else numpy_helper.to_array(value)


def numbers(call: Call, name: str) -> np.ndarray:
    """An attribute that is a list of floats, or the tensor that stands for it."""
    found = tensor(call, f"{name}_as_tensor")
    return floats(call, name) if found is None else found.reshape(-1)


def matrix(call: Call, x: Value, index: int = 0) -> Value:
    """An operand with one row a sample; a vector is one sample."""
    rank = call.rank(index)
    if rank == 2:
        return x
    if rank != 1:
        raise call.fail(f"takes a matrix, not an input of rank {rank}")
    return x.unsqueeze(0)


def as_float(x: Value) -> Value:
    """The operand, float if it isn't double."""
    return x if x.element == TensorProto.DOUBLE else x.cast(TensorProto.FLOAT)


def array_type(x: Value) -> type[np.floating]:
    """NumPy's type of a value that is float or double."""
    return np.float64 if x.element == TensorProto.DOUBLE else np.float32


def class_labels(call: Call, ints: str) -> np.ndarray:
    """The labels of a classifier, which must be integers."""
    if call.attribute("classlabels_strings", []):
        raise call.fail("has class labels that are strings; only integer labels are supported")
    return integers(call, ints)


def pick_labels(call: Call, places: Value, labels: np.ndarray) -> Value:
    """The labels at int64 places; the places themselves where there are no labels."""
    if labels.size == 0 or np.array_equal(labels, np.arange(labels.size)):
        return places
    return call.constant(labels).op("Gather", places)


def repeat(call: Body, limit: int, states: Sequence[Value], step: Step) -> list[Value]:
    """Takes a step up to `limit` times, as long as it says that there is more to do.

    `step` gets the states and returns a boolean scalar and the new states.
    """
    outer = call.nodes
    call.nodes = []
    marker = call.emit("Constant", value_int=0).name
    names = [f"{marker}_state{i}" for i in range(len(states))]
    goes_on, results = step([Value(call, n, s.element) for n, s in zip(names, states, strict=True)])
    body = call.nodes
    call.nodes = outer

    def describe(name: str, element: int | None) -> object:
        assert element is not None
        return helper.make_tensor_value_info(name, element, None)

    # What a step hands on must be its own.
    copies = [f"{marker}_next{i}" for i in range(len(states) + 1)]
    for value, copy in zip((goes_on, *results), copies, strict=True):
        body.append(helper.make_node("Identity", [value.name], [copy]))
    inputs = [
        helper.make_tensor_value_info(f"{marker}_i", TensorProto.INT64, []),
        helper.make_tensor_value_info(f"{marker}_condition", TensorProto.BOOL, []),
        *(describe(n, s.element) for n, s in zip(names, states, strict=True)),
    ]
    outputs = [
        helper.make_tensor_value_info(copies[0], TensorProto.BOOL, []),
        *(describe(n, s.element) for n, s in zip(copies[1:], states, strict=True)),
    ]
    graph = helper.make_graph(body, f"{marker}_body", inputs, outputs)
    count = call.scalar(limit, TensorProto.INT64)
    start = call.constant(np.array(True))
    found = call.emit_many("Loop", count, start, *states, count=len(states), body=graph)
    for value, state in zip(found, states, strict=True):
        value.element = state.element
    return found
