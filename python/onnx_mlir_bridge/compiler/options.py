"""The options of omb.compile(), checked."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.devices import available_threads, check_threads

OPT_LEVELS = (0, 1, 2, 3)
FALLBACKS = ("host", "error")
PRECISIONS = ("f32", "bf16", "f16")
SPARSE = ("off", "auto", "on")

Progress = bool | Callable[[str], None]


@dataclass(frozen=True)
class CompileOptions:
    """How a model is compiled.

    threads: how many threads it runs on, on the CPU; None: all that the process may use. One runs
    in the caller's thread. Kernels are made for as many: on another number of threads the results
    are the same, and may take longer. None with another `cpu` than "host": for any number.
    precision: how exactly the products of f32 are computed that have kernels (the CPU's, with AVX2
    or AVX-512): "f32" exactly as the model says; "bf16" and "f16" store their weights in that type.
    With "bf16", on a CPU with AVX512-BF16, what they are multiplied with is rounded to bf16, too.
    Sums are f32 in any case, and all that is no such product is computed in the model's types.
    winograd: whether the CPU's kernels of 3x3 convolutions may save multiplications, by
    F(2 x 2, 3 x 3) and F(4 x 4, 3 x 3), where that is faster and the size of the images is known.
    Rounding errors of such a convolution are up to ten times those of a sum of products: 2.5e-6
    (relative, norm) was measured, and 3e-7 without.
    sparse: which weights of products and convolutions of f32 are stored and multiplied without
    their zeros: "auto" those where that is expected to be faster, "on" all that the model stores as
    sparse tensors or half of which are zeros, "off" none; of convolutions, on CPUs with AVX2 or
    AVX-512. A zero then isn't multiplied with an infinity or NaN.
    fallback: what becomes of nodes that no device can run, such as those on strings; "host": they
    run on the host, by onnx's reference evaluator, with a FallbackWarning; "error" refuses the
    model.
    opt_level: 0 to 3, IREE's optimization level.
    cpu: which CPU: "host", "generic" (any of this architecture), "x86-64-v3", or LLVM's name.
    vulkan: which GPU: "generic", or IREE's name of an architecture, such as "rdna3" or "ampere".
    cuda: which GPU: "sm_80", "sm_86" or "sm_89".
    constants: values of inputs, by name, that become constants: the compiled model doesn't take
    them any more.
    cache_dir: a folder in which compiled models are kept, to be loaded when the same model is
    compiled again with the same options, on the same CPU, by the same versions. Nothing is removed
    from it; deleting any of its files is safe. It has machine code: others must not write to it.
    Modules, and models while an operator is registered that a callable builds, aren't kept.
    progress: True shows a display on standard error if that is a terminal and the work takes more
    than a second; a function is called with the name of each stage when it begins.
    """

    threads: int | None = None
    precision: str = "f32"
    winograd: bool = True
    sparse: str = "auto"
    fallback: str = "host"
    opt_level: int = 1
    cpu: str = "host"
    vulkan: str = "generic"
    cuda: str = "sm_80"
    constants: Mapping[str, object] = field(default_factory=dict)
    cache_dir: Path | None = None
    progress: Progress = False

    @property
    def kernel_threads(self) -> int:
        """How many threads kernels are made for; 0: any number."""
        if self.threads is None:
            return available_threads() if self.cpu == "host" else 0
        return self.threads

    @staticmethod
    def checked(options: dict[str, Any]) -> CompileOptions:
        """The options of these names and values; OmbError for one that can't be used."""
        check_names(options, CompileOptions)
        checked = CompileOptions(**{**options, "cache_dir": _folder(options.get("cache_dir"))})
        if checked.threads is not None:
            check_threads(checked.threads)
        if checked.precision not in PRECISIONS:
            raise OmbError(f"precision must be 'f32', 'bf16' or 'f16', not {checked.precision!r}")
        if not isinstance(checked.winograd, bool):
            raise OmbError(f"winograd must be True or False, not {checked.winograd!r}")
        if checked.sparse not in SPARSE:
            raise OmbError(f"sparse must be 'off', 'auto' or 'on', not {checked.sparse!r}")
        if checked.fallback not in FALLBACKS:
            raise OmbError(f"fallback must be 'host' or 'error', not {checked.fallback!r}")
        if type(checked.opt_level) is not int or checked.opt_level not in OPT_LEVELS:
            raise OmbError(f"opt_level must be 0, 1, 2 or 3, not {checked.opt_level!r}")
        if not isinstance(checked.constants, Mapping):
            raise OmbError("constants is a mapping from the name of an input to its value")
        check_progress(checked.progress)
        return checked


def check_names(given: Iterable[str], options: type) -> None:
    """OmbError for a name that isn't a field of `options`, a dataclass."""
    known = [each.name for each in fields(options)]
    for name in given:
        if name not in known:
            similar = difflib.get_close_matches(name, known, 1)
            hint = f"; do you mean '{similar[0]}'?" if similar else ""
            raise OmbError(f"there is no option '{name}'{hint} (options: {', '.join(known)})")


def check_progress(progress: object) -> None:
    """OmbError for what can't show or be told the stages of the work."""
    if not (isinstance(progress, bool) or callable(progress)):
        raise OmbError("progress must be True, False or a function that takes a string")


def _folder(path: object) -> Path | None:
    """The folder, wherever the process goes; None where there is none."""
    if path is None:
        return None
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(name, str) or "\0" in name:
        raise OmbError(f"cache_dir must be the path of a folder, not {path!r}")
    return Path(name).absolute()
