"""One compilation: from a model in parts to the code of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnx_mlir_bridge.compiler import parts, pipeline, stages, versions
from onnx_mlir_bridge.compiler.options import CompileOptions
from onnx_mlir_bridge.compiler.targets import Target
from onnx_mlir_bridge.runtime import artifact
from onnx_mlir_bridge.runtime.signature import ModelMetadata, Signature


class Compilation:
    """A compiled model with all that it was made of. OmbError where IREE refuses a part."""

    def __init__(
        self,
        placed: parts.PlacedModel,
        target: Target,
        options: CompileOptions,
        stage: Callable[[str], None],
    ) -> None:
        """`stage` is called with the name of the stage that begins."""
        self.placed = placed
        self._target = target
        self._options = options
        self._hand_offs = stages.hand_offs(placed, target, options)
        stage(f"Compiling for {target.provider}")
        self._codes = [
            each and pipeline.compile_with_iree(each, target, options.opt_level)
            for each in self._hand_offs
        ]

    def result(self) -> artifact.Artifact:
        """What is saved and run. The memory of the weights belongs to this object."""
        placed = self.placed
        found: list[artifact.Part] = []
        for part, hand_off, code in zip(placed.parts, self._hand_offs, self._codes, strict=True):
            if isinstance(part, parts.HostPart):
                found.append(artifact.HostPart(part.signature, part.model))
            else:
                keeps_state = pipeline.keeps_state(hand_off)
                found.append(
                    artifact.DevicePart(part.signature, code, hand_off.weights, keeps_state)
                )
        nodes = placed.host_nodes
        description = describe(
            placed.signature,
            placed.metadata,
            self._target,
            self._options,
            placed.warnings,
            parts.host_message(nodes) if nodes else "",
        )
        return artifact.Artifact(description, tuple(found))

    def located_ir(self, phases: Sequence[str]) -> list[str]:
        """IREE's text of the one module after each of `phases`, with locations."""
        (hand_off,) = self._hand_offs
        return pipeline.located_ir(hand_off, self._target, self._options.opt_level, phases)

    def emit(self, stage: str) -> str:
        """The model at a stage before the last."""
        if stage in stages.SOURCE_STAGES:
            return stages.emit_source(self.placed, stage, self._target, self._options)
        return stages.emit_hand_offs(self.placed, self._hand_offs)


def describe(
    signature: Signature,
    metadata: ModelMetadata,
    target: Target,
    options: CompileOptions,
    warnings: tuple[str, ...] = (),
    on_host: str = "",
) -> artifact.Description:
    """What is said of a model that is compiled for `target`."""
    return artifact.Description(
        provider=target.provider,
        signature=signature,
        metadata=metadata,
        machine=target.machine,
        features=target.features,
        threads=options.threads,
        versions=versions.installed("onnx-mlir-bridge", "iree-base-compiler"),
        warnings=(*warnings, *target.notices),
        on_host=on_host,
    )
