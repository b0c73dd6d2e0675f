"""The compiler: from an ONNX model to code and weights for a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.compiler.source import ModelSource
    from onnx_mlir_bridge.compiler.specialized_model import SpecializedModel


def compile(model: ModelSource, target: str = "cpu", **options: Any) -> CompiledModel:  # noqa: ANN401
    """Compile an ONNX model.

    model: a path, the bytes or the ModelProto of an ONNX model of any opset, or a module of the
    onnx dialect, as import_model() gives it.
    target: "cpu", "vulkan" or "cuda".
    options: see onnx_mlir_bridge.compiler.options.CompileOptions.

    What no device can run, runs on the host; a FallbackWarning lists it. OmbError, which names the
    node, for a model that can't be imported or compiled; for one whose ranks depend on the value of
    an input, which `constants` doesn't give; and for an unknown target or option.
    """
    from onnx_mlir_bridge.compiler.specialized_model import SpecializedModel

    made = compile_or_specialize(model, target, **options)
    if isinstance(made, SpecializedModel):
        raise made.refusal()
    return made


def compile_or_specialize(
    model: ModelSource,
    target: str = "cpu",
    **options: Any,  # noqa: ANN401
) -> CompiledModel | SpecializedModel:
    """compile(), but for models that are compiled at their first run."""
    from onnx_mlir_bridge.compiler import iree, specialized_model
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.compiler.progress import reporting
    from onnx_mlir_bridge.compiler.request import Request
    from onnx_mlir_bridge.compiler.specialization import opened

    request = Request(target, CompileOptions.checked(options))
    if request.cache is None:
        iree.warm_up()
        request.target  # noqa: B018 - refuses what can't be compiled for before the model is read
    with reporting(request.options.progress) as stage:
        stage("Importing")
        bound = opened(model, request.options.constants)
        return specialized_model.build(bound, request, stage)


def emit(
    model: ModelSource,
    stage: str,
    target: str = "cpu",
    **options: Any,  # noqa: ANN401
) -> str | bytes:
    """The model at a stage, as CompiledModel.emit() gives it, compiled no further than that."""
    from onnx_mlir_bridge.compiler import placement, specialization, stages, targets
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.compiler.progress import reporting

    if stages.check(stage) == "vmfb":
        return compile(model, target, **options).vmfb
    checked = CompileOptions.checked(options)
    with reporting(checked.progress) as report:
        report("Importing")
        bound = specialization.settled(model, checked.constants)
        resolved = targets.resolve(target, checked.cpu, checked.vulkan, checked.cuda)
        placed = placement.place(bound, checked, resolved, report)
        if stage in stages.SOURCE_STAGES:
            return stages.emit_source(placed, stage, resolved, checked)
        return stages.emit_hand_offs(placed, stages.hand_offs(placed, resolved, checked))
