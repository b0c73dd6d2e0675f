"""CompiledModel: what omb.compile() gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from onnx_mlir_bridge.compiler import parts, pipeline, stages
from onnx_mlir_bridge.compiler.options import CompileOptions
from onnx_mlir_bridge.compiler.targets import Target
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import artifact
from onnx_mlir_bridge.runtime.signature import ModelMetadata, Signature


class CompiledModel:
    """A model compiled for one target. Made by omb.compile()."""

    def __init__(
        self,
        placed: parts.PlacedModel,
        target: Target,
        options: CompileOptions,
        stage: Callable[[str], None],
    ) -> None:
        """Not for users: see omb.compile()."""
        self._placed = placed
        self._target = target
        self._options = options
        self._hand_offs = stages.hand_offs(placed, target, options)
        stage(f"Compiling for {target.provider}")
        self._codes = [
            each and pipeline.compile_with_iree(each, target, options.opt_level)
            for each in self._hand_offs
        ]

    @property
    def target(self) -> str:
        """What it is compiled for: "cpu", "vulkan" or "cuda"."""
        return self._target.provider

    @property
    def warnings(self) -> tuple[str, ...]:
        """What there is to say about the model, one line each: what is odd, what the host runs."""
        nodes = self._placed.host_nodes
        return (*self._placed.warnings, *([parts.host_message(nodes)] if nodes else []))

    @property
    def vmfb(self) -> bytes:
        """IREE's bytecode module; OmbError for a model that is cut into parts."""
        if self._placed.whole is None:
            raise OmbError(
                f"the model is in {len(self._placed.parts)} parts, some of which run on the host, "
                "so that there isn't one module; save() writes all of it"
            )
        return self._codes[0]

    @property
    def description(self) -> artifact.Description:
        """What is saved beside the code: inputs, outputs, the CPU it needs, versions."""
        placed = self._placed
        return describe(placed.signature, placed.metadata, self._target, self._options)

    def parts(self) -> list[artifact.DevicePart | artifact.HostPart]:
        """What runs, in this order. The memory of the weights belongs to this object."""
        found: list[artifact.DevicePart | artifact.HostPart] = []
        for part, hand_off, code in zip(
            self._placed.parts, self._hand_offs, self._codes, strict=True
        ):
            if isinstance(part, parts.HostPart):
                found.append(artifact.HostPart(part.signature, part.model))
            else:
                found.append(artifact.DevicePart(part.signature, code, hand_off.weights))
        return found

    @property
    def placed(self) -> parts.PlacedModel:
        """What was compiled, in its parts; not for users."""
        return self._placed

    def located_ir(self, phases: Sequence[str]) -> list[str]:
        """IREE's text of the one module after each of `phases`, with locations; not for users."""
        (hand_off,) = self._hand_offs
        return pipeline.located_ir(hand_off, self._target, self._options.opt_level, phases)

    def emit(self, stage: str) -> str | bytes:
        """The model at a stage of its compilation.

        "onnx": as imported; "linalg": after the lowerings; "vector": with kernels of
        vector code, for the CPU; "iree": the module that IREE got; "vmfb": the result, as bytes.
        The others are MLIR's text, in which large constants of the first three have no values; the
        modules of a model that is cut into parts follow each other. OmbError for another name.
        """
        if stages.check(stage) == "vmfb":
            return self.vmfb
        if stage in stages.SOURCE_STAGES:
            return stages.emit_source(self._placed, stage, self._target, self._options)
        return stages.emit_hand_offs(self._placed, self._hand_offs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, which omb.load() opens; OmbError if it can't be written.

        The file has the code, the weights and the names and types of inputs and outputs; running
        it needs numpy and iree-base-runtime only, and onnx where parts of it run on the host. A
        file that is there is replaced at once, when all is written.
        """
        artifact.write(Path(path), self.description, self.parts())


def describe(
    signature: Signature, metadata: ModelMetadata, target: Target, options: CompileOptions
) -> artifact.Description:
    """What is said of a model that is compiled for `target`."""
    return artifact.Description(
        provider=target.provider,
        signature=signature,
        metadata=metadata,
        machine=target.machine,
        features=target.features,
        threads=options.threads,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in ("onnx-mlir-bridge", "iree-base-compiler"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # a build tree
            continue
    return versions
