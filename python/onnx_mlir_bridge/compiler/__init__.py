"""The compiler: from an ONNX model to code and weights for a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.compiler.source import ModelSource


def compile(model: ModelSource, target: str = "cpu", **options: Any) -> CompiledModel:  # noqa: ANN401
    """Compile an ONNX model.

    model: a path, the bytes or the ModelProto of an ONNX model of any opset, or a module of the
    onnx dialect, as import_model() gives it.
    target: "cpu", "vulkan" or "cuda".
    options: see onnx_mlir_bridge.compiler.options.CompileOptions.

    OmbError, which names the node, for a model that can't be imported or compiled; and for an
    unknown target or option.
    """
    from onnx_mlir_bridge.compiler import iree, pipeline, source, targets
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.compiler.progress import reporting

    checked = CompileOptions.checked(options)
    iree.warm_up()
    resolved = targets.resolve(target, checked.cpu, checked.vulkan, checked.cuda)
    with reporting(checked.progress) as stage:
        stage("Importing")
        imported = source.read(model)
        stage("Lowering to linalg")
        linalg = pipeline.to_linalg(imported.module.operation)
        pipeline.to_vector(linalg, resolved, checked.opt_level)
        hand_off = pipeline.to_iree(linalg, resolved)
        stage(f"Compiling for {target}")
        vmfb = pipeline.compile_with_iree(hand_off, resolved, checked.opt_level)
    return CompiledModel(imported, resolved, checked, hand_off, vmfb)


def emit(
    model: ModelSource,
    stage: str,
    target: str = "cpu",
    **options: Any,  # noqa: ANN401
) -> str | bytes:
    """The model at a stage, as CompiledModel.emit() gives it, compiled no further than that."""
    from onnx_mlir_bridge.compiler import compiled_model, pipeline, source, targets
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.compiler.progress import reporting

    if compiled_model.check_stage(stage) == "vmfb":
        return compile(model, target, **options).vmfb
    checked = CompileOptions.checked(options)
    with reporting(checked.progress) as report:
        report("Importing")
        imported = source.read(model)
        report("Lowering to linalg")
        resolved = targets.resolve(target, checked.cpu, checked.vulkan, checked.cuda)
        if stage in compiled_model.SOURCE_STAGES:
            return compiled_model.emit_source(imported, stage, resolved, checked)
        linalg = pipeline.to_linalg(imported.module.operation)
        pipeline.to_vector(linalg, resolved, checked.opt_level)
        return compiled_model.emit_hand_off(pipeline.to_iree(linalg, resolved))
