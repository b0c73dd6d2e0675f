"""What a model's inputs and outputs are: names, element types, dimensions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
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

    Strings are objects, of type str. OmbError for one that arrays can't carry into and out of a
    compiled model.
    """
    if element == STRING:
        return np.dtype(object)
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


STRING = "string"
"""The element type that no device has: only what runs on the host takes and gives it."""

Dim = int | str | None

CONTAINERS = (
    (),
    ("seq",),
    ("optional",),
    ("optional", "seq"),
    ("map",),
    ("seq", "map"),
)
"""What tensors may be in. Compiled code has no maps."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output, as ONNX Runtime's NodeArg describes one.

    name: the name in the ONNX graph.
    element: ONNX's name of the element type, such as "float" or "int64".
    dims: its dimensions: a size, the name of a symbolic one, or None for one without a name; of a
    sequence, those of each tensor in it. None: not even their number is known.
    containers: what the tensor is in, the outermost first; one of CONTAINERS.
    keys: ONNX's name of the type of a map's keys.
    """

    name: str
    element: str
    dims: tuple[Dim, ...] | None
    containers: tuple[str, ...] = ()
    keys: str = ""

    @property
    def is_optional(self) -> bool:
        """Whether the value may be None."""
        return "optional" in self.containers

    @property
    def is_sequence(self) -> bool:
        """Whether the value is a list of arrays."""
        return "seq" in self.containers

    @property
    def is_map(self) -> bool:
        """Whether the value is a dict, or a list of them for a sequence."""
        return "map" in self.containers

    @property
    def type(self) -> str:
        """ONNX's type string, such as "tensor(float)" or "seq(tensor(float))"."""
        return self._within(f"tensor({self.element})")

    @property
    def shape(self) -> list[Dim]:
        """The dimensions as a list, which is empty where their number isn't known."""
        return list(self.dims or ())

    @cached_property
    def dtype(self) -> np.dtype:
        """The numpy dtype of the array."""
        return element_dtype(self.element)

    def _within(self, text: str) -> str:
        """`text` in the containers."""
        for container in reversed(self.containers):
            keys = f"{self.keys}," if container == "map" else ""
            text = f"{container}({keys}{text})"
        return text

    def __str__(self) -> str:
        """Such as "x: float[batch, 3, ?]" or "x: seq(float[3])"; "..." for an unknown rank."""
        known = ("?" if dim is None else str(dim) for dim in self.dims or ())
        dims = "..." if self.dims is None else ", ".join(known)
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
            kind: [asdict(tensor) for tensor in tensors]
            for kind, tensors in (("inputs", self.inputs), ("outputs", self.outputs))
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> Signature:
        """The signature that to_json() gave; KeyError, TypeError or ValueError for anything else.

        The value comes from a file, and is checked.
        """

        def tensor(entry: dict[str, Any]) -> TensorInfo:
            name, element, dims = entry["name"], entry["element"], entry["dims"]
            if not isinstance(name, str) or element not in (*_STORAGE, STRING):
                raise ValueError(f"bad tensor {entry!r}")
            if not (dims is None or isinstance(dims, list)):
                raise ValueError(f"bad tensor {entry!r}")
            for dim in dims or ():
                if not (dim is None or isinstance(dim, str) or (type(dim) is int and dim >= 0)):
                    raise ValueError(f"bad dimension {dim!r} of '{name}'")
            containers, keys = tuple(entry["containers"]), entry["keys"]
            has_keys = keys in ("int64", STRING) if "map" in containers else keys == ""
            if containers not in CONTAINERS or not has_keys:
                raise ValueError(f"bad type of '{name}'")
            dims = None if dims is None else tuple(dims)
            return TensorInfo(name, element, dims, containers, keys)

        inputs, outputs = (tuple(map(tensor, value[kind])) for kind in ("inputs", "outputs"))
        return Signature(inputs, outputs)
