"""What a model's inputs and outputs are: names, element types, dimensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.sub_byte import is_sub_byte


class _Storage(NamedTuple):
    dtype: str
    hal: str


# ONNX's name of an element type -> its numpy dtype (those that numpy lacks come from ml_dtypes)
# and IREE's name of it. Compiled modules don't tell signed from unsigned integers, and have one
# byte for an element of less (runtime/sub_byte.py).
_STORAGE = {
    "bool": _Storage("bool", "BOOL_8"),
    "int8": _Storage("int8", "INT_8"),
    "int16": _Storage("int16", "INT_16"),
    "int32": _Storage("int32", "INT_32"),
    "int64": _Storage("int64", "INT_64"),
    "uint8": _Storage("uint8", "INT_8"),
    "uint16": _Storage("uint16", "INT_16"),
    "uint32": _Storage("uint32", "INT_32"),
    "uint64": _Storage("uint64", "INT_64"),
    "float16": _Storage("float16", "FLOAT_16"),
    "float": _Storage("float32", "FLOAT_32"),
    "double": _Storage("float64", "FLOAT_64"),
    "complex64": _Storage("complex64", "COMPLEX_64"),
    "complex128": _Storage("complex128", "COMPLEX_128"),
    "bfloat16": _Storage("bfloat16", "BFLOAT_16"),
    "float8e4m3fn": _Storage("float8_e4m3fn", "FLOAT_8_E4M3_FN"),
    "float8e4m3fnuz": _Storage("float8_e4m3fnuz", "FLOAT_8_E4M3_FNUZ"),
    "float8e5m2": _Storage("float8_e5m2", "FLOAT_8_E5M2"),
    "float8e5m2fnuz": _Storage("float8_e5m2fnuz", "FLOAT_8_E5M2_FNUZ"),
    "float8e8m0": _Storage("float8_e8m0fnu", "FLOAT_8_E8M0_FNU"),
    "int2": _Storage("int2", "INT_8"),
    "int4": _Storage("int4", "INT_8"),
    "uint2": _Storage("uint2", "INT_8"),
    "uint4": _Storage("uint4", "INT_8"),
    "float4e2m1": _Storage("float4_e2m1fn", "INT_8"),
    "float6e2m3": _Storage("float6_e2m3fn", "INT_8"),
    "float6e3m2": _Storage("float6_e3m2fn", "INT_8"),
}


@cache
def element_dtype(element: str) -> np.dtype:
    """The numpy dtype of an ONNX element type, given by ONNX's name of it.

    OmbError for one that arrays can't carry into and out of a compiled model.
    """
    storage = _STORAGE.get(element)
    if storage is None:
        raise OmbError(
            f"inputs and outputs of element type {element} are not supported; "
            "add a Cast to the model, so that it takes or gives one that numpy has"
        )
    name = storage.dtype
    if name.startswith(("bfloat", "float8")) or is_sub_byte(element):
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)


def element_hal_type(element: str) -> str:
    """The name in iree.runtime.HalElementType of an ONNX element type."""
    return _STORAGE[element].hal


Dim = int | str | None


@dataclass(frozen=True)
class TensorInfo:
    """An input or output, as ONNX Runtime's NodeArg describes one.

    name: the name in the ONNX graph.
    element: ONNX's name of the element type, such as "float" or "int64".
    dims: its dimensions: a size, the name of a symbolic one, or None for one without a name; of a
    sequence, those of each tensor in it.
    containers: what the tensor is in, the outermost first: "optional", "seq", both or nothing.
    """

    name: str
    element: str
    dims: tuple[Dim, ...]
    containers: tuple[str, ...] = ()

    @property
    def is_optional(self) -> bool:
        """Whether the value may be None."""
        return "optional" in self.containers

    @property
    def is_sequence(self) -> bool:
        """Whether the value is a list of arrays."""
        return "seq" in self.containers

    @property
    def type(self) -> str:
        """ONNX's type string, such as "tensor(float)" or "seq(tensor(float))"."""
        return self._within(f"tensor({self.element})")

    @property
    def shape(self) -> list[Dim]:
        """The dimensions as a list."""
        return list(self.dims)

    @property
    def dtype(self) -> np.dtype:
        """The numpy dtype of the array."""
        return element_dtype(self.element)

    def _within(self, text: str) -> str:
        """`text` in the containers."""
        for container in reversed(self.containers):
            text = f"{container}({text})"
        return text

    def __str__(self) -> str:
        """Such as "x: float[batch, 3, ?]" or "x: seq(float[3])"."""
        dims = ", ".join("?" if dim is None else str(dim) for dim in self.dims)
        return f"{self.name}: {self._within(f'{self.element}[{dims}]')}"


@dataclass(frozen=True)
class ModelMetadata:
    """What the model says about itself, with the attributes of ONNX Runtime's ModelMetadata."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Signature:
    """A compiled model's inputs and outputs, in the order of its entry function."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def to_json(self) -> dict[str, Any]:
        """A value for json.dump()."""
        return {
            kind: [
                {"name": t.name, "element": t.element, "dims": t.dims, "containers": t.containers}
                for t in tensors
            ]
            for kind, tensors in (("inputs", self.inputs), ("outputs", self.outputs))
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> Signature:
        """The signature that to_json() gave; KeyError, TypeError or ValueError for anything else.

        The value comes from a file, and is checked.
        """

        def tensor(entry: dict[str, Any]) -> TensorInfo:
            name, element, dims = entry["name"], entry["element"], entry["dims"]
            if not isinstance(name, str) or element not in _STORAGE or not isinstance(dims, list):
                raise ValueError(f"bad tensor {entry!r}")
            for dim in dims:
                if not (dim is None or isinstance(dim, str) or (type(dim) is int and dim >= 0)):
                    raise ValueError(f"bad dimension {dim!r} of '{name}'")
            containers = tuple(entry["containers"])
            if containers not in ((), ("seq",), ("optional",), ("optional", "seq")):
                raise ValueError(f"bad type of '{name}'")
            return TensorInfo(name, element, tuple(dims), containers)

        inputs, outputs = (tuple(map(tensor, value[kind])) for kind in ("inputs", "outputs"))
        return Signature(inputs, outputs)
