"""Tensor payloads: element types, size checks, and arrays that share memory with the model.

Element types and their storage: onnx.proto, TensorProto (onnx 1.23.2).
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import NodeProto, TensorProto

from onnx_mlir_bridge.errors import OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge.importer.wire import Span


@dataclass(frozen=True)
class ElementType:
    """An ONNX element type: its name in ONNX's type strings and its size in bits."""

    name: str
    bits: int


ELEMENT_TYPES: dict[int, ElementType] = {
    TensorProto.FLOAT: ElementType("float", 32),
    TensorProto.UINT8: ElementType("uint8", 8),
    TensorProto.INT8: ElementType("int8", 8),
    TensorProto.UINT16: ElementType("uint16", 16),
    TensorProto.INT16: ElementType("int16", 16),
    TensorProto.INT32: ElementType("int32", 32),
    TensorProto.INT64: ElementType("int64", 64),
    TensorProto.STRING: ElementType("string", 0),
    TensorProto.BOOL: ElementType("bool", 8),
    TensorProto.FLOAT16: ElementType("float16", 16),
    TensorProto.DOUBLE: ElementType("double", 64),
    TensorProto.UINT32: ElementType("uint32", 32),
    TensorProto.UINT64: ElementType("uint64", 64),
    TensorProto.COMPLEX64: ElementType("complex64", 64),
    TensorProto.COMPLEX128: ElementType("complex128", 128),
    TensorProto.BFLOAT16: ElementType("bfloat16", 16),
    TensorProto.FLOAT8E4M3FN: ElementType("float8e4m3fn", 8),
    TensorProto.FLOAT8E4M3FNUZ: ElementType("float8e4m3fnuz", 8),
    TensorProto.FLOAT8E5M2: ElementType("float8e5m2", 8),
    TensorProto.FLOAT8E5M2FNUZ: ElementType("float8e5m2fnuz", 8),
    TensorProto.UINT4: ElementType("uint4", 4),
    TensorProto.INT4: ElementType("int4", 4),
    TensorProto.FLOAT4E2M1: ElementType("float4e2m1", 4),
    TensorProto.FLOAT8E8M0: ElementType("float8e8m0", 8),
    TensorProto.UINT2: ElementType("uint2", 2),
    TensorProto.INT2: ElementType("int2", 2),
    TensorProto.FLOAT6E2M3: ElementType("float6e2m3", 6),
    TensorProto.FLOAT6E3M2: ElementType("float6e3m2", 6),
}

# Typed field -> element types that it may hold. Sub-byte types come packed, one byte an entry,
# except for the six-bit ones; complex numbers are two entries each.
_TYPED_FIELDS: dict[str, frozenset[int]] = {
    "float_data": frozenset({TensorProto.FLOAT, TensorProto.COMPLEX64}),
    "double_data": frozenset({TensorProto.DOUBLE, TensorProto.COMPLEX128}),
    "int64_data": frozenset({TensorProto.INT64}),
    "uint64_data": frozenset({TensorProto.UINT32, TensorProto.UINT64}),
    "string_data": frozenset({TensorProto.STRING}),
}
_INT32_DATA = frozenset(ELEMENT_TYPES) - frozenset().union(*_TYPED_FIELDS.values())
_TYPED_FIELDS["int32_data"] = _INT32_DATA

_MAX_BYTES = 1 << 62


def element_type(data_type: int, where: str) -> ElementType:
    """The element type of an ONNX enum value; OmbError naming `where` for one that isn't known."""
    known = ELEMENT_TYPES.get(data_type)
    if known is None:
        raise OmbError(f"{where} has the element type {data_type}, which ONNX does not define")
    return known


def describe(tensor: TensorProto) -> str:
    """How messages name a tensor."""
    return f"tensor '{tensor.name}'" if tensor.name else "a tensor without a name"


def byte_size(tensor: TensorProto) -> int:
    """The size of the tensor's packed data in bytes.

    OmbError for negative dimensions, unknown element types and sizes that no machine can hold.
    """
    kind = element_type(tensor.data_type, describe(tensor))
    for dim in tensor.dims:
        if dim < 0:
            raise OmbError(f"{describe(tensor)} has a negative dimension: {list(tensor.dims)}")
    size = (math.prod(tensor.dims) * kind.bits + 7) // 8
    if size > _MAX_BYTES:
        raise OmbError(f"{describe(tensor)} has impossible dimensions: {list(tensor.dims)}")
    return size


def constant_tensor(node: NodeProto) -> TensorProto | None:
    """The value of a Constant node of the default domain, if it is a tensor of numbers."""
    if node.op_type != "Constant" or node.domain:
        return None
    for attribute in node.attribute:
        if attribute.name == "value":
            return attribute.t
        if attribute.name in ("value_float", "value_floats"):
            numbers = np.array(onnx.helper.get_attribute_value(attribute), dtype=np.float32)
            return onnx.numpy_helper.from_array(numbers)
        if attribute.name in ("value_int", "value_ints"):
            numbers = np.array(onnx.helper.get_attribute_value(attribute), dtype=np.int64)
            return onnx.numpy_helper.from_array(numbers)
    return None


class Payloads:
    """The large tensors' bytes, by the number that a TensorProto's external_data entry names.

    A payload is a one-dimensional uint8 array that shares memory with the model's file or bytes.
    """

    def __init__(self) -> None:
        # A random key: no file can pretend that one of its tensors is such a payload.
        self.key = f"omb.payload.{secrets.token_hex(8)}"
        self._buffers: list[np.ndarray] = []

    def adopt(self, data: np.ndarray, spans: list[Span]) -> None:
        """Takes the spans found by wire.split() in `data`, in their order."""
        if self._buffers:
            raise ValueError("spans are numbered from zero: adopt them first")
        self._buffers = [data[s.offset : s.offset + s.length] for s in spans]

    def attach(self, tensor: TensorProto, buffer: np.ndarray) -> None:
        """Makes `buffer` the data of `tensor`, in place of what it holds."""
        for field in (*_TYPED_FIELDS, "raw_data", "external_data"):
            tensor.ClearField(field)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key=self.key, value=str(len(self._buffers)))
        self._buffers.append(buffer)

    def has(self, tensor: TensorProto) -> bool:
        """Whether the tensor's data are a payload."""
        return tensor.data_location == TensorProto.EXTERNAL and any(
            entry.key == self.key for entry in tensor.external_data
        )

    def buffer(self, tensor: TensorProto) -> np.ndarray:
        """The payload of `tensor`."""
        for entry in tensor.external_data:
            if entry.key == self.key:
                return self._buffers[int(entry.value)]
        raise KeyError(tensor.name)

    def buffers(self) -> list[np.ndarray]:
        """All payloads."""
        return list(self._buffers)

    def check(self, tensor: TensorProto) -> None:
        """Raises OmbError unless the tensor's data fit its dimensions and element type."""
        expected = byte_size(tensor)
        what = f"{describe(tensor)} of {list(tensor.dims)} {ELEMENT_TYPES[tensor.data_type].name}"
        if tensor.HasField("segment"):
            raise OmbError(f"{what} comes in segments, which no ONNX reader supports")
        fields = [f for f in _TYPED_FIELDS if len(getattr(tensor, f))]
        has_raw = tensor.HasField("raw_data") or self.has(tensor)
        if len(fields) + has_raw > 1:
            raise OmbError(f"{what} has its data in more than one place: {', '.join(fields)}")
        if has_raw:
            if tensor.data_type == TensorProto.STRING:
                raise OmbError(f"{what} has raw data; strings must be in string_data")
            size = self.buffer(tensor).size if self.has(tensor) else len(tensor.raw_data)
            if size != expected:
                raise OmbError(f"{what} must have {expected} bytes of data, but has {size}")
            return
        self._check_typed(tensor, fields[0] if fields else None, what)

    def _check_typed(self, tensor: TensorProto, field: str | None, what: str) -> None:
        kind = ELEMENT_TYPES[tensor.data_type]
        elements = math.prod(tensor.dims)
        if field is None:
            if elements:
                raise OmbError(f"{what} has no data")
            return
        if tensor.data_type not in _TYPED_FIELDS[field]:
            raise OmbError(f"{what} has its data in {field}, the field of another element type")
        expected = elements
        if tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
            expected = 2 * elements
        elif kind.bits in (2, 4):
            expected = (elements * kind.bits + 7) // 8
        if len(getattr(tensor, field)) != expected:
            raise OmbError(
                f"{what} must have {expected} entries in {field}, "
                f"but has {len(getattr(tensor, field))}"
            )

    def array(self, tensor: TensorProto) -> np.ndarray:
        """The tensor as an array of `tensor.dims`, one element a byte for sub-byte types.

        Shares memory with the payload, read-only, where elements are whole bytes. The dtype is
        numpy's or ml_dtypes'; strings are objects of bytes. Call check() first.
        """
        if tensor.data_type == TensorProto.STRING:
            strings = np.empty(len(tensor.string_data), dtype=object)
            strings[:] = list(tensor.string_data)
            return strings.reshape(tensor.dims)
        if not self.has(tensor):
            return onnx.numpy_helper.to_array(tensor)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        buffer = self.buffer(tensor)
        if ELEMENT_TYPES[tensor.data_type].bits >= 8:
            return buffer.view(dtype).reshape(tensor.dims)
        packed = onnx.TensorProto(
            dims=tensor.dims, data_type=tensor.data_type, raw_data=buffer.tobytes()
        )
        return onnx.numpy_helper.to_array(packed)


TensorVisitor = Callable[[TensorProto], None]


def each_tensor(model: onnx.ModelProto, visit: TensorVisitor) -> None:
    """Calls `visit` on every TensorProto of the model, its subgraphs and its functions."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    for function in model.functions:
        for attribute in function.attribute_proto:
            _visit_attribute(attribute, visit, graphs)
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            for tensor in graph.initializer:
                visit(tensor)
            for sparse in graph.sparse_initializer:
                visit(sparse.values)
                visit(sparse.indices)
            nodes.extend(graph.node)
        while nodes:
            for attribute in nodes.pop().attribute:
                _visit_attribute(attribute, visit, graphs)


def _visit_attribute(
    attribute: onnx.AttributeProto, visit: TensorVisitor, graphs: list[onnx.GraphProto]
) -> None:
    if attribute.HasField("t"):
        visit(attribute.t)
    for tensor in attribute.tensors:
        visit(tensor)
    for sparse in (
        *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
        *attribute.sparse_tensors,
    ):
        visit(sparse.values)
        visit(sparse.indices)
    if attribute.HasField("g"):
        graphs.append(attribute.g)
    graphs.extend(attribute.graphs)
