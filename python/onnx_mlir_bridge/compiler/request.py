"""What omb.compile() is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from onnx_mlir_bridge.compiler import targets
from onnx_mlir_bridge.compiler.model_cache import ModelCache
from onnx_mlir_bridge.compiler.options import CompileOptions
from onnx_mlir_bridge.compiler.targets import Target


@dataclass(frozen=True)
class Request:
    """For which kind of device, and how."""

    provider: str
    options: CompileOptions

    @cached_property
    def target(self) -> Target:
        """The device; IREE is asked what it knows of it. OmbError for one that it doesn't know."""
        options = self.options
        return targets.resolve(self.provider, options.cpu, options.vulkan, options.cuda)

    @cached_property
    def cache(self) -> ModelCache | None:
        """Where compiled models are kept, if they are."""
        folder = self.options.cache_dir
        return None if folder is None else ModelCache(folder)
