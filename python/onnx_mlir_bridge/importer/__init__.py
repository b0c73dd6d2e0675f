"""From an ONNX model to a verified module of the `onnx` dialect.

The steps, one module each: `load` (bytes to protobuf, weights left where they are), `check`,
`functions` (inlining), `normalize`, `compositions` (of operators that have no lowering),
`upgrade` (to the newest opset), `types` (inference), `sequence_ranks`, `emit`. After the first one,
inputs may become constants: `bound_inputs`. Before the last one, models for which the host is
needed are cut: `string_labels`, `segments`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onnx_mlir_bridge.errors import OmbError

if TYPE_CHECKING:
    import onnx

    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge.importer.load import LoadedModel, ModelSource


@dataclass(frozen=True)
class ValueInfo:
    """An input or output of a model.

    name: as in the model. type: ONNX's spelling, 'tensor(float)'. shape: one entry a dimension,
    a size, a symbolic name, or None for an unknown size; None for an unknown rank and for what
    isn't a tensor. element: the number of the element type in TensorProto.DataType, 0 for what
    isn't a tensor.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...] | None
    element: int


@dataclass(frozen=True)
class ModelMetadata:
    """What the model says about itself, as ONNX Runtime's get_modelmeta names it."""

    producer_name: str
    producer_version: str
    domain: str
    description: str
    graph_name: str
    graph_description: str
    version: int
    custom_metadata_map: dict[str, str]


@dataclass(frozen=True)
class ImportedModel:
    """An imported model.

    module: the verified module; it keeps the memory of the weights alive. opset: the default
    domain's version that the model was written for. warnings: one line each, for the user.
    """

    module: ir.Module
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    metadata: ModelMetadata
    opset: int
    warnings: tuple[str, ...]


def import_model(
    model: ModelSource,
    *,
    base_dir: Path | str | None = None,
    keep: frozenset[str] | None = None,
    context: ir.Context | None = None,
) -> ir.Module:
    """Imports an ONNX model into the `onnx` dialect.

    `model`: a path, the serialized bytes, or an onnx.ModelProto; opset 1 to the newest.
    `base_dir`: where external data lie, for a model that isn't given by its path.
    `keep`: if given, operators outside of it that the standard defines by a function are replaced
    by that function. `context`: the MLIR context; a new one by default.

    Returns a verified module with one function, `main`. Its weights of more than 1 KiB are
    dense_resource attributes that share memory with the model's file or bytes. A large file is
    mapped, not read: don't overwrite it while the module is in use. Initializers that are also
    inputs are constants.

    Raises OmbError, which names the node or tensor, for everything that can't be imported.
    """
    return import_with_metadata(model, base_dir=base_dir, keep=keep, context=context).module


def import_with_metadata(
    model: ModelSource,
    *,
    base_dir: Path | str | None = None,
    keep: frozenset[str] | None = None,
    context: ir.Context | None = None,
) -> ImportedModel:
    """import_model(), with what a session needs to know besides the module."""
    prepared = prepare(model, base_dir=base_dir)
    return prepared.imported(emit_module(prepared.loaded, keep, context), prepared.loaded)


@dataclass(frozen=True)
class PreparedModel:
    """A model between loading and emission, see prepare().

    loaded: checked, in the newest opset, every value typed; operators that the standard defines by
    functions are whole. declared: the outputs as the model declares them.
    """

    loaded: LoadedModel
    declared: tuple[ValueInfo, ...]
    metadata: ModelMetadata
    opset: int

    def imported(self, module: ir.Module, emitted: LoadedModel) -> ImportedModel:
        """The result of an import; `emitted`: what `module` was emitted from, all of the model."""
        inputs, outputs = self.ends(emitted)
        return ImportedModel(
            module=module,
            inputs=inputs,
            outputs=outputs,
            metadata=self.metadata,
            opset=self.opset,
            warnings=tuple(emitted.warnings),
        )

    def ends(self, model: LoadedModel) -> tuple[tuple[ValueInfo, ...], tuple[ValueInfo, ...]]:
        """The inputs and outputs; `model`: all of the model."""
        graph = model.proto.graph
        pairs = zip(graph.output, self.declared, strict=True)
        return (
            tuple(value_info(v) for v in graph.input),
            tuple(_with_names(value_info(v), declared) for v, declared in pairs),
        )


def prepare(model: ModelSource, *, base_dir: Path | str | None = None) -> PreparedModel:
    """Loads, checks and normalizes a model; OmbError, which names the node, where it is wrong."""
    from onnx_mlir_bridge.importer.load import load

    return prepare_loaded(load(model, Path(base_dir) if base_dir is not None else None))


def prepare_loaded(loaded: LoadedModel) -> PreparedModel:
    """Checks and normalizes a loaded model, in place; OmbError where it is wrong."""
    from onnx_mlir_bridge.importer.check import opset_versions

    metadata = _metadata(loaded.proto)
    declared = tuple(value_info(v) for v in loaded.proto.graph.output)
    opset = opset_versions(loaded.proto).get("", 1)
    normalize_model(loaded)
    return PreparedModel(loaded, declared, metadata, opset)


def emit_module(
    loaded: LoadedModel, keep: frozenset[str] | None = None, context: ir.Context | None = None
) -> ir.Module:
    """The verified module of a prepared model; where `keep` is given, `loaded` is expanded."""
    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge.importer import emit, functions

    if keep is not None:
        with _no_deep_nesting():
            functions.expand_functions(loaded, keep)
    return emit.emit(loaded, context or ir.Context())


def normalize_model(loaded: LoadedModel) -> None:
    """Checks a loaded model and brings it, in place, to the form that is emitted.

    That is: the newest opset, no functions, no inputs with initializers, every value typed.
    """
    from onnx_mlir_bridge.importer import (
        check,
        functions,
        normalize,
        sequence_ranks,
        types,
        upgrade,
    )
    from onnx_mlir_bridge.importer.compositions.expand import expand

    with _no_deep_nesting():
        check.check(loaded)
        functions.inline_functions(loaded.proto, check.opset_versions(loaded.proto))
        normalize.normalize(loaded.proto)
        found = expand(loaded, late=False)
        upgrade.upgrade(loaded, found)
        expand(loaded, late=True)
        normalize.name_all_results(loaded.proto)
        types.infer(loaded)
        if sequence_ranks.declare(loaded.proto.graph):
            types.infer(loaded)


@contextlib.contextmanager
def _no_deep_nesting() -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise OmbError("the model is nested too deeply; flatten its control flow") from None


def _metadata(model: onnx.ModelProto) -> ModelMetadata:
    return ModelMetadata(
        producer_name=model.producer_name,
        producer_version=model.producer_version,
        domain=model.domain,
        description=model.doc_string,
        graph_name=model.graph.name,
        graph_description=model.graph.doc_string,
        version=model.model_version,
        custom_metadata_map={p.key: p.value for p in model.metadata_props},
    )


def value_info(value: onnx.ValueInfoProto) -> ValueInfo:
    """What the model says of a value."""
    from onnx_mlir_bridge.importer.types import held_type, spell

    held = held_type(value.type)
    tensor = held.tensor_type if held.HasField("tensor_type") else None
    shape: tuple[int | str | None, ...] | None = None
    if tensor is not None and tensor.HasField("shape"):
        shape = tuple(
            d.dim_value if d.HasField("dim_value") else d.dim_param or None
            for d in tensor.shape.dim
        )
    element = tensor.elem_type if tensor is not None else 0
    return ValueInfo(value.name, spell(value.type), shape, element)


def _with_names(inferred: ValueInfo, declared: ValueInfo) -> ValueInfo:
    """`inferred`, whose unknown dimensions get the names that the model declares."""
    if inferred.shape is None or declared.shape is None:
        return inferred
    if len(inferred.shape) != len(declared.shape):
        return inferred
    shape = tuple(
        theirs if mine is None and isinstance(theirs, str) else mine
        for mine, theirs in zip(inferred.shape, declared.shape, strict=True)
    )
    return ValueInfo(inferred.name, inferred.type, shape, inferred.element)
