"""From a loaded model to a compiled one, or to one that is compiled for values of its inputs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnx_mlir_bridge import importer
from onnx_mlir_bridge.compiler import iree, placement, source, specialization
from onnx_mlir_bridge.compiler.compilation import Compilation, describe
from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
from onnx_mlir_bridge.compiler.model_cache import compilation_key
from onnx_mlir_bridge.compiler.progress import reporting
from onnx_mlir_bridge.compiler.request import Request
from onnx_mlir_bridge.errors import FallbackWarning, OmbError
from onnx_mlir_bridge.importer.load import LoadedModel
from onnx_mlir_bridge.runtime.artifact import Artifact, Description
from onnx_mlir_bridge.runtime.signature import Signature

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge.importer import PreparedModel


class SpecializedModel:
    """A model that is compiled anew for each value of some inputs: see specialization."""

    def __init__(
        self,
        loaded: LoadedModel,
        prepared: PreparedModel,
        reasons: tuple[specialization.Reason, ...],
        request: Request,
    ) -> None:
        """Not for users. `loaded`: before it was prepared."""
        self.reasons = reasons
        self.inputs = specialization.inputs_of(reasons, prepared)
        self.description = _described(prepared, request)
        self._loaded = loaded
        self._request = request

    def compile(self, values: Mapping[str, np.ndarray]) -> CompiledModel | SpecializedModel:
        """The model for values of `inputs`, which it doesn't take any more.

        Still a specialized one where the values lead to a node whose rank depends on another input.
        """
        with reporting(self._request.options.progress) as stage:
            stage("Importing")
            try:
                bound = specialization.bound(self._loaded, {n: values[n] for n in self.inputs})
                return build(bound, self._request, stage)
            except OmbError as error:
                shown = ", ".join(f"{n} = {_shown(values[n])}" for n in self.inputs)
                raise OmbError(f"with {shown}, on which ranks depend: {error}") from None

    def refusal(self) -> OmbError:
        """The error for those who want it compiled without a run."""
        return OmbError(specialization.message(self.reasons, self.inputs))


_MAX_SHOWN = 8


def _shown(value: np.ndarray) -> str:
    more = ", ..." if value.size > _MAX_SHOWN else ""
    listed = ", ".join(map(str, value.flat[:_MAX_SHOWN]))
    return f"[{listed}{more}]" if value.ndim else listed


def _described(prepared: PreparedModel, request: Request) -> Description:
    inputs, outputs = prepared.ends(prepared.loaded)
    on_host = request.options.fallback == "host"
    signature = Signature(
        tuple(source.tensor_info("input", v.name, v.type, v.shape, on_host) for v in inputs),
        # Their ranks needn't be known.
        tuple(source.tensor_info("output", v.name, v.type, v.shape, True) for v in outputs),
    )
    return describe(signature, source.metadata(prepared), request.target, request.options)


def build(
    model: LoadedModel | ir.Module, request: Request, stage: Callable[[str], None]
) -> CompiledModel | SpecializedModel:
    """Compiles a model, unless its ranks depend on values that only a run has.

    `model`: isn't changed. `stage` is called with the name of each stage of the work. A
    FallbackWarning lists what runs on the host.
    """
    key = _key(model, request)
    found = request.cache.find(key) if request.cache and key else None
    if found is not None:
        compiled = _of_cache(found, model, request)
    else:
        compiled = _compiled(model, request, stage)
        if request.cache and key and isinstance(compiled, CompiledModel):
            request.cache.add(key, compiled.result)
    if isinstance(compiled, CompiledModel) and compiled.description.on_host:
        warnings.warn(compiled.description.on_host, FallbackWarning, stacklevel=_caller())
    return compiled


def _key(model: LoadedModel | ir.Module, request: Request) -> str | None:
    """What the cache knows the model by; None without a cache."""
    if request.cache is None or not isinstance(model, LoadedModel):
        return None
    return compilation_key(model, request.provider, request.options)


def _of_cache(found: Artifact, model: LoadedModel | ir.Module, request: Request) -> CompiledModel:
    def compile_again() -> Compilation:
        placed = placement.place(
            _prepared(model), request.options, request.target, _without_progress
        )
        return Compilation(placed, request.target, request.options, _without_progress)

    return CompiledModel(found, compile_again)


def _without_progress(_: str) -> None:
    pass


def _prepared(model: LoadedModel | ir.Module) -> PreparedModel | ir.Module:
    return importer.prepare_loaded(model.copy()) if isinstance(model, LoadedModel) else model


def _compiled(
    model: LoadedModel | ir.Module, request: Request, stage: Callable[[str], None]
) -> CompiledModel | SpecializedModel:
    iree.warm_up()
    opened = _prepared(model)
    if isinstance(model, LoadedModel) and (reasons := specialization.reasons(opened)):
        return SpecializedModel(model, opened, reasons, request)
    placed = placement.place(opened, request.options, request.target, stage)
    compilation = Compilation(placed, request.target, request.options, stage)
    return CompiledModel(compilation.result(), lambda: compilation)


def _caller() -> int:
    """The `stacklevel` of the function outside of this package that is on top of the stack."""
    package = str(Path(__file__).parents[1])
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        level, frame = level + 1, frame.f_back
    return level
