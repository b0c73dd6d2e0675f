"""Sparse tensors: what makes one valid, and where its values are.

The rules: onnx.proto, SparseTensorProto (onnx 1.23.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx
from onnx import SparseTensorProto, TensorProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer.tensors import ELEMENT_TYPES, Payloads

# A sparse tensor may have to be made dense. Below the first of these sizes it may whatever the
# file has; beyond, only as many times larger than what is stored, so that a small file can't
# take all memory.
_ALWAYS_DENSE_BYTES = 1 << 30
_MOST_EXPANSION = 1024


def _name(sparse: SparseTensorProto) -> str:
    name = sparse.values.name
    return f"the sparse tensor '{name}'" if name else "a sparse tensor without a name"


def check(sparse: SparseTensorProto, payloads: Payloads) -> None:
    """Raises OmbError unless the tensor is what the standard wants.

    Its values and indices have passed Payloads.check().
    """
    where = f"{_name(sparse)} of {list(sparse.dims)}"
    values, indices = sparse.values, sparse.indices
    dims = list(sparse.dims)
    if not dims:
        raise OmbError(f"{where} has no dimensions; a sparse tensor needs one at least")
    if min(dims) < 1:
        raise OmbError(f"{where} has a dimension that isn't positive")
    if len(values.dims) != 1:
        raise OmbError(f"{where} has values of the shape {list(values.dims)}; it must be [NNZ]")
    if indices.data_type != TensorProto.INT64:
        raise OmbError(
            f"{where} has indices of {ELEMENT_TYPES[indices.data_type].name}; they must be int64"
        )
    count = values.dims[0]
    if list(indices.dims) not in ([count], [count, len(dims)]):
        raise OmbError(
            f"{where} has {count} values, but indices of the shape {list(indices.dims)}; it must "
            f"be [{count}] or [{count}, {len(dims)}]"
        )
    _check_size(sparse, where)
    _check_indices(payloads.array(indices), dims, where)


def _check_size(sparse: SparseTensorProto, where: str) -> None:
    kind = ELEMENT_TYPES[sparse.values.data_type]
    elements = math.prod(sparse.dims)
    # A string takes at least an object.
    width = max(kind.bits, 8) // 8 if sparse.values.data_type != TensorProto.STRING else 64
    size = elements * width
    stored = sparse.values.dims[0] * (width + 8)
    if size > max(_ALWAYS_DENSE_BYTES, stored * _MOST_EXPANSION):
        raise OmbError(
            f"{where} has {elements} elements for {sparse.values.dims[0]} stored values; more than "
            f"{_MOST_EXPANSION} times what is stored isn't taken beyond 1 GiB"
        )


def _check_indices(indices: np.ndarray, dims: list[int], where: str) -> None:
    if indices.size == 0:
        return
    # Not more than _check_size() has let pass: numbers of 64 bits hold them.
    sizes = np.array(dims if indices.ndim == 2 else [math.prod(dims)], dtype=np.int64)
    rows = indices.reshape(len(indices), -1)
    outside = ((rows < 0) | (rows >= sizes)).any(axis=1)
    if outside.any():
        at = int(outside.argmax())
        raise OmbError(f"{where} has index {at}, {indices[at].tolist()}, out of range")
    linear = linear_indices(indices, dims)
    steps = np.diff(linear)
    if (steps <= 0).any():
        at = int((steps <= 0).argmax()) + 1
        how = "twice" if steps[at - 1] == 0 else f"after {indices[at - 1].tolist()}"
        raise OmbError(
            f"{where} has index {at}, {indices[at].tolist()}, {how}; indices must be in ascending "
            "order, each once"
        )


def linear_indices(indices: np.ndarray, dims: list[int]) -> np.ndarray:
    """Valid indices as positions in the dense tensor."""
    if indices.ndim == 1:
        return indices
    if len(indices) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.ravel_multi_index(tuple(indices.T), dims).astype(np.int64)


def coordinates(indices: np.ndarray, dims: list[int]) -> np.ndarray:
    """Valid indices as int64 of [NNZ, rank]."""
    if indices.ndim == 2:
        return np.ascontiguousarray(indices, dtype=np.int64)
    if len(indices) == 0:
        return np.zeros((0, len(dims)), dtype=np.int64)
    return np.stack(np.unravel_index(indices, dims), axis=-1).astype(np.int64)


def dense(sparse: SparseTensorProto, payloads: Payloads) -> np.ndarray:
    """A valid sparse tensor of whatever elements as an array; strings as objects of bytes."""
    values = payloads.array(sparse.values)
    is_text = sparse.values.data_type == TensorProto.STRING
    array = np.full(math.prod(sparse.dims), b"" if is_text else 0, dtype=values.dtype)
    array[linear_indices(payloads.array(sparse.indices), list(sparse.dims))] = values
    return array.reshape(sparse.dims)


def spell_encoding(rank: int) -> str:
    """The encoding of a tensor whose values come with all of their coordinates, in their order."""
    levels = [f"d{dim}" for dim in range(rank)]
    spelled = [f"{levels[0]} : compressed" + ("(nonunique)" if rank > 1 else "")]
    for dim in range(1, rank):
        unique = "nonunique, " if dim + 1 < rank else ""
        spelled.append(f"{levels[dim]} : singleton({unique}soa)")
    return f"#sparse_tensor.encoding<{{ map = ({', '.join(levels)}) -> ({', '.join(spelled)}) }}>"


def each_sparse(model: onnx.ModelProto, visit: Callable[[SparseTensorProto], None]) -> None:
    """Calls `visit` on every SparseTensorProto of the model, its subgraphs and its functions."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    attributes = [a for function in model.functions for a in function.attribute_proto]
    while graphs or nodes or attributes:
        for attribute in attributes:
            if attribute.HasField("sparse_tensor"):
                visit(attribute.sparse_tensor)
            for sparse in attribute.sparse_tensors:
                visit(sparse)
            if attribute.HasField("g"):
                graphs.append(attribute.g)
            graphs.extend(attribute.graphs)
        attributes = [a for node in nodes for a in node.attribute]
        nodes = []
        for graph in graphs:
            for sparse in graph.sparse_initializer:
                visit(sparse)
            nodes.extend(graph.node)
        graphs = []
