"""CompiledModel: what omb.compile() gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import artifact

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.compilation import Compilation


class CompiledModel:
    """A model compiled for one target. Made by omb.compile()."""

    def __reduce__(self) -> NoReturn:
        """Neither copied nor pickled: it holds machine code, and perhaps a device."""
        raise OmbError(
            "a compiled model can't be copied or pickled; write it to a file with "
            "CompiledModel.save(), and open that with omb.load()"
        )

    def __init__(self, result: artifact.Artifact, compile_again: Callable[[], Compilation]) -> None:
        """Not for users: see omb.compile().

        result: what is saved and run. compile_again: for what isn't in it.
        """
        self.result = result
        self._compile_again = compile_again

    @cached_property
    def compilation(self) -> Compilation:
        """What the model was made of, not for users; made anew if it comes from a cache."""
        return self._compile_again()

    @property
    def target(self) -> str:
        """What it is compiled for: "cpu", "vulkan" or "cuda"."""
        return self.result.description.provider

    @property
    def warnings(self) -> tuple[str, ...]:
        """What there is to say about the model, one line each: what is odd, what the host runs."""
        description = self.result.description
        return (*description.warnings, *([description.on_host] if description.on_host else []))

    @property
    def vmfb(self) -> bytes:
        """IREE's bytecode module; OmbError for a model that is cut into parts."""
        parts = self.result.parts
        if len(parts) != 1 or not isinstance(parts[0], artifact.DevicePart):
            raise OmbError(
                f"the model is in {len(parts)} parts, some of which run on the host, "
                "so that there isn't one module; save() writes all of it"
            )
        return bytes(parts[0].module)

    @property
    def description(self) -> artifact.Description:
        """What is saved beside the code: inputs, outputs, the CPU it needs, versions."""
        return self.result.description

    def parts(self) -> Sequence[artifact.Part]:
        """What runs, in this order. The memory of the weights belongs to this object."""
        return self.result.parts

    def emit(self, stage: str) -> str | bytes:
        """The model at a stage of its compilation.

        "onnx": as imported; "linalg": after the lowerings; "vector": with kernels of
        vector code, for the CPU; "iree": the module that IREE got; "vmfb": the result, as bytes.
        The others are MLIR's text, in which large constants of the first three have no values; the
        modules of a model that is cut into parts follow each other. OmbError for another name.
        """
        from onnx_mlir_bridge.compiler import stages

        return self.vmfb if stages.check(stage) == "vmfb" else self.compilation.emit(stage)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, which omb.load() opens; OmbError if it can't be written.

        The file has the code, the weights and the names and types of inputs and outputs; running
        it needs numpy and iree-base-runtime only, and onnx where parts of it run on the host. A
        file that is there is replaced at once, when all is written.
        """
        artifact.write(artifact.checked_path(path), self.result.description, self.result.parts)
