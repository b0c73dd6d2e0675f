"""A folder of compiled models, found again by what they were compiled of.

Each is a file as CompiledModel.save() writes it, called by the key of its compilation and by the
digest of its contents, so that a damaged one is known. A file appears under its name only when it
is whole: writers don't disturb readers or each other, and one that is killed leaves a folder that
the next writer after a day removes. Nothing else is ever removed: deleting files, or all of them,
at any time is safe. The files contain machine code, which others must not be able to write.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from onnx_mlir_bridge.compiler import versions
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import artifact, cpu_features
from onnx_mlir_bridge.runtime.executable import Buffer

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.options import CompileOptions
    from onnx_mlir_bridge.importer.load import LoadedModel

_PIECE_BYTES = 16 << 20
_DIGITS = 40
_ABANDONED_SECONDS = 24 * 60 * 60
_UNFINISHED = ".unfinished-"

# What a compilation doesn't depend on, or what is in the model by then.
_OTHER_OPTIONS = ("cache_dir", "constants", "progress")


def digest(contents: Iterable[Buffer]) -> str:
    """The digest of these contents, each with its length; on all cores."""

    def pieces() -> Iterator[memoryview]:
        for content in contents:
            view = memoryview(content).cast("B")
            yield memoryview(len(view).to_bytes(8, "little"))
            for start in range(0, len(view), _PIECE_BYTES):
                yield view[start : start + _PIECE_BYTES]

    whole = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for piece in pool.map(lambda piece: hashlib.sha256(piece).digest(), pieces()):
            whole.update(piece)
    return whole.hexdigest()[:_DIGITS]


def compilation_key(model: LoadedModel, provider: str, options: CompileOptions) -> str | None:
    """What tells a compilation from all with another result: model, options, machine, versions.

    None while an operator is registered that a callable builds: what it does isn't known.
    """
    from onnx_mlir_bridge.importer.compositions import registry

    operators = registry.custom_functions()
    if operators is None:
        return None
    settings = {
        "provider": provider,
        "options": {
            field.name: repr(getattr(options, field.name))
            for field in fields(options)
            if field.name not in _OTHER_OPTIONS
        },
        "threads": options.kernel_threads if provider == "cpu" else 0,
        "cpu": cpu_features.host_identity() if options.cpu == "host" else "",
        "package": _package_files(),
        "versions": versions.installed("iree-base-compiler", "onnx", "numpy"),
    }
    return digest([json.dumps(settings).encode(), *operators, *model.contents()])


def _package_files() -> list[tuple[str, int, int]]:
    """Tells builds of this package from each other that have the same version."""
    package = Path(__file__).parents[1]
    found = [path for suffix in ("py", "so") for path in package.rglob(f"*.{suffix}")]
    status = [(str(path.relative_to(package)), path.stat()) for path in sorted(found)]
    return [(name, each.st_size, each.st_mtime_ns) for name, each in status]


@dataclass(frozen=True)
class ModelCache:
    """The folder. OmbError where it can't be used, never for what is in it."""

    folder: Path

    def find(self, key: str) -> artifact.Artifact | None:
        """The compiled model of this key, if it is there and whole."""
        for path in self._files(key):
            with contextlib.suppress(OmbError, OSError):
                if path.stem.rpartition("-")[2] == _digest_of_file(path):
                    return artifact.read(path)
            with contextlib.suppress(OSError):  # damaged, or taken away meanwhile
                path.unlink()
        return None

    def add(self, key: str, model: artifact.Artifact) -> None:
        """Keeps a compiled model, in place of an earlier one of this key."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._remove_unfinished()
            with tempfile.TemporaryDirectory(
                dir=self.folder, prefix=_UNFINISHED, ignore_cleanup_errors=True
            ) as folder:
                written = Path(folder, "model.omb")
                artifact.write(written, model.description, model.parts)
                earlier = self._files(key)
                path = self.folder / f"{key}-{_digest_of_file(written)}.omb"
                written.replace(path)
            for other in earlier:
                if other != path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            raise OmbError(
                f"cache_dir '{self.folder}' can't be written: {error.strerror or error}"
            ) from None

    def _files(self, key: str) -> list[Path]:
        try:
            return sorted(self.folder.glob(f"{key}-*.omb"))
        except OSError as error:
            raise OmbError(
                f"cache_dir '{self.folder}' can't be read: {error.strerror or error}"
            ) from None

    def _remove_unfinished(self) -> None:
        """What writers left that were killed."""
        for folder in self.folder.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(folder)


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return ""
        return digest([mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)])
