"""What is compiled: a module of the onnx dialect and what sessions need to know of the model."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from onnx_mlir_bridge.compiler import pipeline
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.executable import ENTRY
from onnx_mlir_bridge.runtime.signature import (
    STRING,
    Dim,
    ModelMetadata,
    Signature,
    TensorInfo,
    element_dtype,
)

if TYPE_CHECKING:
    import onnx

    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge.importer import ImportedModel, PreparedModel

    ModelSource: TypeAlias = (
        "str | os.PathLike[str] | bytes | bytearray | memoryview | onnx.ModelProto | ir.Module"
    )


@dataclass(frozen=True)
class Source:
    """An imported model. warnings: one line each, for the user."""

    module: ir.Module
    signature: Signature
    metadata: ModelMetadata
    warnings: tuple[str, ...] = ()


# MLIR's element types -> ONNX's names of them.
_ELEMENTS = {
    "i1": "bool",
    "f16": "float16",
    "f32": "float",
    "f64": "double",
    "bf16": "bfloat16",
    "complex<f32>": "complex64",
    "complex<f64>": "complex128",
    "f8E4M3FN": "float8e4m3fn",
    "f8E4M3FNUZ": "float8e4m3fnuz",
    "f8E5M2": "float8e5m2",
    "f8E5M2FNUZ": "float8e5m2fnuz",
    "f8E8M0FNU": "float8e8m0",
    "f4E2M1FN": "float4e2m1",
    "f6E2M3FN": "float6e2m3",
    "f6E3M2FN": "float6e3m2",
    **{f"i{bits}": f"int{bits}" for bits in (2, 4, 8, 16, 32, 64)},
    **{f"ui{bits}": f"uint{bits}" for bits in (2, 4, 8, 16, 32, 64)},
}
_TYPE = re.compile(
    r"(?P<optional>optional\()?(?P<seq>seq\()?(map\((?P<keys>\w+), )?tensor\((?P<element>\w+)\)+"
)
_DIMS = re.compile(r'"((?:[^"\\]|\\.)*)"|\?')


def element(element_type: ir.Type) -> tuple[str, int]:
    """ONNX's name of an MLIR element type and its size in bits; of a string, no size is known."""
    text = str(element_type)
    if text == "i1":
        return "bool", 8
    digits = re.search(r"\d+", text)
    bits = int(digits.group()) if digits else 0
    name = _ELEMENTS.get(text, text.removeprefix("!onnx.").lower())
    return name, 2 * bits if text.startswith("complex") else bits


def of_module(module: ir.Module) -> Source:
    """A module of the onnx dialect, as import_model() gives it; OmbError for another one."""
    return Source(module, _module_signature(module), ModelMetadata())


def of_import(imported: ImportedModel) -> Source:
    """An imported model; OmbError where compiled code can't take its inputs or give its outputs."""
    shapes = _output_shapes(imported)
    signature = Signature(
        tuple(tensor_info("input", v.name, v.type, v.shape) for v in imported.inputs),
        tuple(
            tensor_info("output", v.name, v.type, shape)
            for v, shape in zip(imported.outputs, shapes, strict=True)
        ),
    )
    return Source(imported.module, signature, metadata(imported), imported.warnings)


def metadata(imported: ImportedModel | PreparedModel) -> ModelMetadata:
    """What sessions say of the model."""
    theirs = imported.metadata
    return ModelMetadata(
        producer_name=theirs.producer_name,
        graph_name=theirs.graph_name,
        domain=theirs.domain,
        description=theirs.description,
        graph_description=theirs.graph_description,
        version=theirs.version,
        custom_metadata_map=dict(theirs.custom_metadata_map),
    )


def lowered_operators() -> frozenset[str]:
    """The operators that are lowered natively; others are expanded where they can be."""
    from onnx_mlir_bridge._mlir._mlir_libs import _omb

    return frozenset(name.removeprefix("onnx.") for name in _omb.lowered_operators())


def _output_shapes(imported: ImportedModel) -> list[tuple[Dim, ...] | None]:
    """The shapes of the outputs: as the model declares them, else as the compiler infers them."""
    declared = [value.shape for value in imported.outputs]
    if None not in declared:
        return declared
    from onnx_mlir_bridge._mlir import ir

    module = imported.module.operation.clone()
    pipeline.run_passes(module, pipeline.SIMPLIFY)
    types = _entry(module).type.results
    return [
        _dims(inferred) if shape is None and isinstance(inferred, ir.RankedTensorType) else shape
        for shape, inferred in zip(declared, map(_held, types), strict=True)
    ]


def _contained(value_type: ir.Type) -> tuple[str, ir.Type] | None:
    """The word for a sequence or an optional, and the type of what is in it."""
    from onnx_mlir_bridge._mlir import ir

    found = re.fullmatch(r"!onnx\.(seq|optional)<(.*)>", str(value_type), re.DOTALL)
    return (found[1], ir.Type.parse(found[2], value_type.context)) if found else None


def _held(value_type: ir.Type) -> ir.Type:
    """The type of what is in sequences and optionals; other types are themselves."""
    container = _contained(value_type)
    return _held(container[1]) if container else value_type


def tensor_info(
    kind: str, name: str, type_name: str, dims: tuple[Dim, ...] | None, on_host: bool = False
) -> TensorInfo:
    """What sessions say of a value; OmbError if they can't pass one of its type.

    `kind`: "input" or "output". `on_host`: onnx's evaluator takes or gives it, not compiled code.
    """
    found = _TYPE.fullmatch(type_name)
    if found is None or (found["keys"] and not on_host):
        raise OmbError(
            f"{kind} '{name}' is {type_name}; inputs and outputs of a compiled model are tensors, "
            "sequences of tensors and optionals of both"
        )
    element = found["element"]
    if element == STRING and not on_host:
        raise OmbError(
            f"{kind} '{name}' is {type_name}: no device has strings; "
            "an ONNX model with them needs fallback='host'"
        )
    try:
        element_dtype(element)
    except OmbError as error:
        raise OmbError(f"{kind} '{name}' is {type_name}: {error}") from None
    containers = tuple(word for word in ("optional", "seq") if found[word])
    if on_host:
        containers += ("map",) if found["keys"] else ()
        return TensorInfo(name, element, dims, containers, found["keys"] or "")
    if dims is None and not (kind == "output" and containers):
        raise OmbError(f"the rank of {kind} '{name}' is not known; declare its shape in the model")
    return TensorInfo(name, element, tuple(dims or ()), containers)


def _entry(module: ir.Operation) -> ir.OpView:
    """The function that is the model; OmbError if there is none."""
    function = next(
        (
            op
            for op in module.regions[0].blocks[0].operations
            if getattr(op, "name", None) is not None
            and op.operation.name == "func.func"
            and op.name.value == ENTRY
        ),
        None,
    )
    if function is None:
        raise OmbError(f"the module has no function @{ENTRY}; import_model() makes such a module")
    return function


def _module_signature(module: ir.Module) -> Signature:
    function = _entry(module.operation)

    def tensors(kind: str, types: list[ir.Type], attributes: str) -> tuple[TensorInfo, ...]:
        names = [
            entry["onnx.name"].value if "onnx.name" in entry else f"{kind}{index}"
            for index, entry in enumerate(_attribute_dicts(function, attributes, len(types)))
        ]
        return tuple(_type_info(kind, *pair) for pair in zip(names, types, strict=True))

    return Signature(
        tensors("input", function.type.inputs, "arg_attrs"),
        tensors("output", function.type.results, "res_attrs"),
    )


def _attribute_dicts(function: ir.OpView, name: str, count: int) -> list:
    if name not in function.attributes:
        return [{}] * count
    return list(function.attributes[name])


def _type_info(kind: str, name: str, value_type: ir.Type) -> TensorInfo:
    from onnx_mlir_bridge._mlir import ir

    held = _held(value_type)
    dims = _dims(held) if isinstance(held, ir.RankedTensorType) else None
    return tensor_info(kind, name, _spell(value_type), dims)


def _spell(value_type: ir.Type) -> str:
    """The type as ONNX spells it, without dimensions, if sessions can pass such a value."""
    from onnx_mlir_bridge._mlir import ir

    if isinstance(value_type, ir.ShapedType):
        element_type = str(value_type.element_type)
        return f"tensor({_ELEMENTS.get(element_type, element_type)})"
    container = _contained(value_type)
    return f"{container[0]}({_spell(container[1])})" if container else str(value_type)


def _dims(value_type: ir.RankedTensorType) -> tuple[Dim, ...]:
    names: list[str | None] = [None] * value_type.rank
    if value_type.encoding is not None:
        # A name with a question mark was made up: nothing is known of that size.
        found = _DIMS.findall(str(value_type.encoding))
        names = [name if name and "?" not in name else None for name in found]
    return tuple(
        names[axis] if value_type.is_dynamic_dim(axis) else value_type.get_dim_size(axis)
        for axis in range(value_type.rank)
    )
