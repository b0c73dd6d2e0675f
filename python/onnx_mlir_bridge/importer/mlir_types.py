"""ONNX types, tensors and attributes as MLIR types and attributes of the onnx dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import AttributeProto, SparseTensorProto, TensorProto, TypeProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import sparse as sparse_tensors
from onnx_mlir_bridge.importer.tensors import ELEMENT_TYPES, Payloads, byte_size, describe
from onnx_mlir_bridge.importer.wire import PAYLOAD_THRESHOLD

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir

_ELEMENT_SPELLING: dict[int, str] = {
    TensorProto.FLOAT: "f32",
    TensorProto.DOUBLE: "f64",
    TensorProto.FLOAT16: "f16",
    TensorProto.BFLOAT16: "bf16",
    TensorProto.INT8: "i8",
    TensorProto.INT16: "i16",
    TensorProto.INT32: "i32",
    TensorProto.INT64: "i64",
    TensorProto.INT4: "i4",
    TensorProto.INT2: "i2",
    TensorProto.UINT8: "ui8",
    TensorProto.UINT16: "ui16",
    TensorProto.UINT32: "ui32",
    TensorProto.UINT64: "ui64",
    TensorProto.UINT4: "ui4",
    TensorProto.UINT2: "ui2",
    TensorProto.BOOL: "i1",
    TensorProto.STRING: "!onnx.string",
    TensorProto.COMPLEX64: "complex<f32>",
    TensorProto.COMPLEX128: "complex<f64>",
    TensorProto.FLOAT8E4M3FN: "f8E4M3FN",
    TensorProto.FLOAT8E4M3FNUZ: "f8E4M3FNUZ",
    TensorProto.FLOAT8E5M2: "f8E5M2",
    TensorProto.FLOAT8E5M2FNUZ: "f8E5M2FNUZ",
    TensorProto.FLOAT8E8M0: "f8E8M0FNU",
    TensorProto.FLOAT4E2M1: "f4E2M1FN",
    TensorProto.FLOAT6E2M3: "f6E2M3FN",
    TensorProto.FLOAT6E3M2: "f6E3M2FN",
}

_COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)


def _quoted(text: bytes) -> str:
    """A string literal in MLIR's syntax."""
    inner = "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\{b:02X}" for b in text)
    return f'"{inner}"'


class MlirBuilder:
    """Builds types and attributes in one context, with a cache of the types."""

    def __init__(self, context: ir.Context, payloads: Payloads) -> None:
        from onnx_mlir_bridge._mlir import ir

        self._ir = ir
        self._context = context
        self._payloads = payloads
        self._elements: dict[int, ir.Type] = {}
        self._types: dict[bytes, ir.Type] = {}

    def element(self, data_type: int, where: str) -> ir.Type:
        """The MLIR type of an ONNX element type."""
        found = self._elements.get(data_type)
        if found is None:
            spelling = _ELEMENT_SPELLING.get(data_type)
            if spelling is None:
                raise OmbError(f"{where} has the element type {data_type}, which is not known")
            found = self._elements[data_type] = self._ir.Type.parse(spelling, self._context)
        return found

    def type(self, value_type: TypeProto, where: str) -> ir.Type:
        """The MLIR type of an ONNX value; `where` names it in messages."""
        key = value_type.SerializeToString(deterministic=True)
        found = self._types.get(key)
        if found is None:
            found = self._types[key] = self._build_type(value_type, where)
        return found

    def _build_type(self, value_type: TypeProto, where: str) -> ir.Type:
        kind = value_type.WhichOneof("value")
        if kind == "tensor_type":
            return self._tensor(value_type.tensor_type, where)
        if kind == "sequence_type":
            inner = self.type(value_type.sequence_type.elem_type, where)
            return self._ir.Type.parse(f"!onnx.seq<{inner}>", self._context)
        if kind == "optional_type":
            inner = self.type(value_type.optional_type.elem_type, where)
            return self._ir.Type.parse(f"!onnx.optional<{inner}>", self._context)
        if kind == "map_type":
            map_type = value_type.map_type
            keys = self.element(map_type.key_type, where)
            values = self.type(map_type.value_type, where)
            return self._ir.Type.parse(f"!onnx.map<{keys}, {values}>", self._context)
        raise OmbError(f"{where} has a type that can't be imported: {kind or 'none at all'}")

    def _tensor(self, tensor: TypeProto.Tensor, where: str) -> ir.Type:
        ir = self._ir
        element = self.element(tensor.elem_type, where)
        with ir.Location.unknown(self._context):
            if not tensor.HasField("shape"):
                return ir.UnrankedTensorType.get(element)
            dims = tensor.shape.dim
            dynamic = ir.ShapedType.get_dynamic_size()
            shape = [d.dim_value if d.HasField("dim_value") else dynamic for d in dims]
            encoding = None
            if any(d.dim_param for d in dims):
                names = ", ".join(
                    _quoted(d.dim_param.encode()) if d.dim_param else "?" for d in dims
                )
                encoding = ir.Attribute.parse(f"#onnx.dims<{names}>", self._context)
            return ir.RankedTensorType.get(shape, element, encoding)

    def tensor(self, tensor: TensorProto) -> ir.Attribute:
        """The tensor's value: dense where it is small, else a dense_resource on its memory."""
        ir = self._ir
        element = self.element(tensor.data_type, describe(tensor))
        with ir.Location.unknown(self._context):
            shape_type = ir.RankedTensorType.get(list(tensor.dims), element)
        if tensor.data_type == TensorProto.STRING:
            return self._strings(self._payloads.array(tensor), element)
        data = self._bytes(tensor)
        # The Python bindings have no class for dense complex elements.
        if byte_size(tensor) > PAYLOAD_THRESHOLD or tensor.data_type in _COMPLEX:
            return ir.DenseResourceElementsAttr.get_from_buffer(
                data, _resource_key(tensor.name), shape_type, _alignment(data), False, self._context
            )
        if tensor.data_type == TensorProto.BOOL:
            data = np.packbits(data, bitorder="little")
        literal = f'"0x{data.tobytes().hex()}"' if data.size else ""
        return ir.Attribute.parse(f"dense<{literal}> : {shape_type}", self._context)

    def _bytes(self, tensor: TensorProto) -> np.ndarray:
        """The tensor's elements, little-endian; types of less than a byte take one each."""
        bits = ELEMENT_TYPES[tensor.data_type].bits
        if bits >= 8 and self._payloads.has(tensor):
            return self._payloads.buffer(tensor)
        data = np.ascontiguousarray(self._payloads.array(tensor)).reshape(-1).view(np.uint8)
        return data if bits >= 8 else data & ((1 << bits) - 1)

    def sparse(self, sparse: SparseTensorProto) -> ir.Attribute:
        """A sparse tensor's value, of a type with a sparse encoding; of strings, a dense one."""
        ir = self._ir
        values, dims = sparse.values, list(sparse.dims)
        where = describe(values)
        element = self.element(values.data_type, where)
        if values.data_type == TensorProto.STRING:
            return self._strings(sparse_tensors.dense(sparse, self._payloads), element)
        encoding = ir.Attribute.parse(sparse_tensors.spell_encoding(len(dims)), self._context)
        with ir.Location.unknown(self._context):
            shape_type = ir.RankedTensorType.get(dims, element, encoding)
        indices = sparse_tensors.coordinates(self._payloads.array(sparse.indices), dims)
        if not indices.size:
            return ir.Attribute.parse(f"sparse<> : {shape_type}", self._context)
        data = self._bytes(values)
        if values.data_type == TensorProto.BOOL:
            data = np.packbits(data, bitorder="little")
        from onnx_mlir_bridge._mlir._mlir_libs import _omb

        return _omb.sparse_elements(shape_type, indices, np.ascontiguousarray(data))

    def _strings(self, array: np.ndarray, element: ir.Type) -> ir.Attribute:
        with self._ir.Location.unknown(self._context):
            shape_type = self._ir.RankedTensorType.get(array.shape, element)
        literal = _nested(array.tolist()) if array.size else ""
        return self._ir.Attribute.parse(f"dense<{literal}> : {shape_type}", self._context)

    def attribute(self, attribute: AttributeProto, where: str) -> ir.Attribute:
        """An ONNX attribute that isn't a graph."""
        ir, context = self._ir, self._context
        kind = attribute.type
        if kind == AttributeProto.INT:
            return ir.IntegerAttr.get(ir.IntegerType.get_signless(64, context), attribute.i)
        if kind == AttributeProto.FLOAT:
            with ir.Location.unknown(context):
                return ir.FloatAttr.get(ir.F32Type.get(context), attribute.f)
        if kind == AttributeProto.STRING:
            return ir.Attribute.parse(_quoted(attribute.s), context)
        if kind == AttributeProto.INTS:
            return ir.DenseI64ArrayAttr.get(list(attribute.ints), context)
        if kind == AttributeProto.FLOATS:
            return ir.DenseF32ArrayAttr.get(list(attribute.floats), context)
        if kind == AttributeProto.STRINGS:
            strings = [ir.Attribute.parse(_quoted(s), context) for s in attribute.strings]
            return ir.ArrayAttr.get(strings, context)
        if kind == AttributeProto.TENSOR:
            return self.tensor(attribute.t)
        if kind == AttributeProto.SPARSE_TENSOR:
            return self.sparse(attribute.sparse_tensor)
        if kind == AttributeProto.TYPE_PROTO:
            return ir.TypeAttr.get(self.type(attribute.tp, where), context)
        spelled = AttributeProto.AttributeType.Name(kind)
        raise OmbError(f"{where}: attributes of type {spelled} can't be imported")

    def strings(self, **values: str) -> ir.DictAttr:
        """A dictionary of strings; '__' in a name stands for '.'."""
        ir, context = self._ir, self._context
        entries: dict[str, Any] = {
            name.replace("__", "."): ir.Attribute.parse(_quoted(value.encode()), context)
            for name, value in values.items()
        }
        return ir.DictAttr.get(entries, context)


def _nested(strings: bytes | list) -> str:
    """The literal of a tensor of strings."""
    if isinstance(strings, bytes):
        return _quoted(strings)
    return "[" + ", ".join(_nested(row) for row in strings) + "]"


def _resource_key(name: str) -> str:
    """A key for a tensor's memory, of which MLIR makes one that isn't taken.

    It becomes the name of a parameter, in which no character may end the string.
    """
    return "".join(c if c.isprintable() else "_" for c in name) or "constant"


def _alignment(data: np.ndarray) -> int:
    """The alignment that the memory really has, up to a cache line."""
    address = data.ctypes.data
    return min(address & -address, 64) if address else 64
