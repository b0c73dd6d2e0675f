"""The compiler: from an ONNX model to code and weights for a target."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_mlir_bridge.errors import FallbackWarning

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.compiler.source import ModelSource


def compile(model: ModelSource, target: str = "cpu", **options: Any) -> CompiledModel:  # noqa: ANN401
    """Compile an ONNX model.

    model: a path, the bytes or the ModelProto of an ONNX model of any opset, or a module of the
    onnx dialect, as import_model() gives it.
    target: "cpu", "vulkan" or "cuda".
    options: see onnx_mlir_bridge.compiler.options.CompileOptions.

    What no device can run, runs on the host; a FallbackWarning lists it. OmbError, which names the
    node, for a model that can't be imported or compiled; and for an unknown target or option.
    """
    from onnx_mlir_bridge.compiler import iree, parts, placement, targets
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.compiler.progress import reporting

    checked = CompileOptions.checked(options)
    iree.warm_up()
    resolved = targets.resolve(target, checked.cpu, checked.vulkan, checked.cuda)
    with reporting(checked.progress) as stage:
        placed = placement.place(model, checked.fallback, stage)
        compiled = CompiledModel(placed, resolved, checked, stage)
    if placed.host_nodes:
        message = parts.host_message(placed.host_nodes)
        warnings.warn(message, FallbackWarning, stacklevel=_caller())
    return compiled


def _caller() -> int:
    """The `stacklevel` of the function outside of this package that is on top of the stack."""
    package = str(Path(__file__).parents[1])
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        level, frame = level + 1, frame.f_back
    return level


def emit(
    model: ModelSource,
    stage: str,
    target: str = "cpu",
    **options: Any,  # noqa: ANN401
) -> str | bytes:
    """The model at a stage, as CompiledModel.emit() gives it, compiled no further than that."""
    from onnx_mlir_bridge.compiler import placement, stages, targets
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.compiler.progress import reporting

    if stages.check(stage) == "vmfb":
        return compile(model, target, **options).vmfb
    checked = CompileOptions.checked(options)
    with reporting(checked.progress) as report:
        placed = placement.place(model, checked.fallback, report)
        resolved = targets.resolve(target, checked.cpu, checked.vulkan, checked.cuda)
        if stage in stages.SOURCE_STAGES:
            return stages.emit_source(placed, stage, resolved, checked)
        return stages.emit_hand_offs(placed, stages.hand_offs(placed, resolved, checked))
