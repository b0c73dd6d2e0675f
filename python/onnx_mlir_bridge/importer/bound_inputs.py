"""Inputs that become constants: values of inputs, given when the model is compiled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import GraphProto, ModelProto, ValueInfoProto, numpy_helper

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import normalize
from onnx_mlir_bridge.importer.load import LoadedModel
from onnx_mlir_bridge.importer.tensors import byte_size
from onnx_mlir_bridge.importer.wire import PAYLOAD_THRESHOLD


def open_inputs(model: ModelProto) -> list[ValueInfoProto]:
    """The inputs of a loaded model that callers give: those without an initializer."""
    graph = model.graph
    initialized = {tensor.name for tensor in graph.initializer}
    initialized.update(sparse.values.name for sparse in graph.sparse_initializer)
    found = []
    for value in graph.input:
        if value.name not in initialized:
            copy = ValueInfoProto()
            copy.CopyFrom(value)
            normalize.drop_unknown_dims(copy.type)
            found.append(copy)
    return found


def bind(loaded: LoadedModel, constants: Mapping[str, np.ndarray]) -> None:
    """Makes constants of inputs, in place.

    `constants`: by name, of the types that the model declares. A size that an input shares with one
    of them, by its name, is the constant's. OmbError where two of them have it differently.
    """
    graph = loaded.proto.graph
    sizes: dict[str, int] = {}
    for value in open_inputs(loaded.proto):
        if value.name not in constants:
            continue
        array = constants[value.name]
        for dim, size in zip(value.type.tensor_type.shape.dim, array.shape, strict=False):
            if dim.dim_param and sizes.setdefault(dim.dim_param, size) != size:
                raise OmbError(
                    f"the constant '{value.name}' has the shape {array.shape}, so that "
                    f"'{dim.dim_param}' is {size}, but it is {sizes[dim.dim_param]} in another one"
                )
        tensor = numpy_helper.from_array(array, value.name)
        if byte_size(tensor) > PAYLOAD_THRESHOLD:
            loaded.payloads.attach(tensor, np.frombuffer(tensor.raw_data, np.uint8))
        graph.initializer.append(tensor)
    _drop_inputs(graph, constants)
    for value in open_inputs(loaded.proto):
        _settle(graph, value.name, sizes)


def _drop_inputs(graph: GraphProto, constants: Mapping[str, np.ndarray]) -> None:
    for index in reversed(range(len(graph.input))):
        if graph.input[index].name in constants:
            del graph.input[index]


def _settle(graph: GraphProto, name: str, sizes: Mapping[str, int]) -> None:
    """Gives an input the sizes that are known by their names."""
    value = next(value for value in graph.input if value.name == name)
    for dim in value.type.tensor_type.shape.dim if value.type.HasField("tensor_type") else ():
        if dim.dim_param in sizes:
            dim.dim_value = sizes[dim.dim_param]
