"""CompiledModel: what omb.compile() gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from onnx_mlir_bridge.compiler import pipeline
from onnx_mlir_bridge.compiler.options import CompileOptions
from onnx_mlir_bridge.compiler.source import Source
from onnx_mlir_bridge.compiler.targets import Target
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import artifact
from onnx_mlir_bridge.runtime.executable import memory_parameters

STAGES = ("onnx", "linalg", "vector", "iree", "vmfb")
"""What emit() can give, in the order of compilation."""

SOURCE_STAGES = STAGES[:3]
"""Those that IREE's share of the work doesn't matter to."""


def check_stage(stage: str) -> str:
    """The stage; OmbError for a name that isn't one."""
    if stage not in STAGES:
        raise OmbError(f"there is no stage {stage!r}; emit one of {', '.join(STAGES)}")
    return stage


def emit_source(source: Source, stage: str, target: Target, options: CompileOptions) -> str:
    """The text of a stage out of SOURCE_STAGES; OmbError for "vector" where there are no CPUs."""
    if stage == "vector" and target.provider != "cpu":
        raise OmbError(
            f"the stage 'vector' is the CPU's; {target.provider} goes from linalg to IREE, "
            "see 'iree'"
        )
    module = source.module.operation
    if stage != "onnx":
        module = pipeline.to_linalg(module)
    if stage == "vector":
        pipeline.to_vector(module, target, options.opt_level)
    return pipeline.readable(module)


def emit_hand_off(hand_off: pipeline.HandOff) -> str:
    """The text of the stage "iree"."""
    return pipeline.hand_off_text(hand_off, locations=False).decode()


class CompiledModel:
    """A model compiled for one target. Made by omb.compile()."""

    def __init__(
        self,
        source: Source,
        target: Target,
        options: CompileOptions,
        hand_off: pipeline.HandOff,
        vmfb: bytes,
    ) -> None:
        """Not for users: see omb.compile()."""
        self._source = source
        self._target = target
        self._options = options
        self._hand_off = hand_off
        self.vmfb = vmfb
        """IREE's bytecode module."""

    @property
    def target(self) -> str:
        """What it is compiled for: "cpu", "vulkan" or "cuda"."""
        return self._target.provider

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the importer had to say about the model, one line each."""
        return self._source.warnings

    @property
    def description(self) -> artifact.Description:
        """What is saved beside the code: inputs, outputs, the CPU it needs, versions."""
        return artifact.Description(
            provider=self._target.provider,
            signature=self._source.signature,
            metadata=self._source.metadata,
            machine=self._target.machine,
            features=self._target.features,
            threads=self._options.threads,
            versions=_versions(),
        )

    def weights(self) -> Any:  # noqa: ANN401
        """An iree.runtime.ParameterIndex over the weights, None if there are none.

        Their memory belongs to this object.
        """
        return memory_parameters(self._hand_off.weights)

    def emit(self, stage: str) -> str | bytes:
        """The model at a stage of its compilation.

        "onnx": as imported; "linalg": after the lowerings; "vector": with kernels of
        vector code, for the CPU; "iree": the module that IREE got; "vmfb": the result, as bytes.
        The others are MLIR's text, in which large constants of the first three have no values.
        OmbError for another name.
        """
        if check_stage(stage) == "vmfb":
            return self.vmfb
        if stage in SOURCE_STAGES:
            return emit_source(self._source, stage, self._target, self._options)
        return emit_hand_off(self._hand_off)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, which omb.load() opens; OmbError if it can't be written.

        The file has the code, the weights and the names and types of inputs and outputs; running
        it needs numpy and iree-base-runtime only. A file that is there is replaced at once, when
        all is written.
        """
        artifact.write(Path(path), self.description, self.vmfb, self._hand_off.weights)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in ("onnx-mlir-bridge", "iree-base-compiler"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # a build tree
            continue
    return versions
