"""omb compile and omb import."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_mlir_bridge.cli import text
from onnx_mlir_bridge.compiler import compile as compile_model
from onnx_mlir_bridge.compiler import compile_or_specialize, emit
from onnx_mlir_bridge.compiler.progress import reporting
from onnx_mlir_bridge.compiler.specialized_model import SpecializedModel
from onnx_mlir_bridge.errors import FallbackWarning, OmbError
from onnx_mlir_bridge.runtime.artifact import replacing

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel

STDOUT = "-"


def write(output: str, contents: str | bytes) -> None:
    """Write to a file, or to standard output for "-"; a file is replaced when all is written."""
    data = contents if isinstance(contents, bytes) else contents.encode()
    if output == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        with replacing(Path(output)) as file:
            file.write(data)
    except OSError as error:
        raise OmbError(f"'{output}' can't be written: {error.strerror or error}") from None


def check_output(model: Path, output: str) -> None:
    """OmbError where writing the output would destroy the model."""
    try:
        same = output != STDOUT and Path(output).samefile(model)
    except (OSError, ValueError):  # one of the two isn't there, which others report
        return
    if same:
        raise OmbError(f"'{output}' is the model itself; choose another name for the output")


def check_writable(path: Path) -> None:
    """OmbError, before all work, where a file can't be written."""
    if path.is_dir():
        raise OmbError(f"'{path}' can't be written: it is a directory")
    if path.exists() and not path.is_file():
        return  # a device
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise OmbError(f"'{path}' can't be written: {error.strerror or error}") from None


def save(model: Path, output: str, target: str, options: dict[str, Any]) -> None:
    """Compile a model and save it for omb run and omb.load()."""
    check_output(model, output)
    compile_for(model, target, options).save(output)
    if output != STDOUT and (path := Path(output)).is_file():
        print(f"wrote {text.printable(output)}, {text.size(path.stat().st_size)}")


def compile_for(model: Path, target: str, options: dict[str, Any]) -> CompiledModel:
    """A compiled model; warnings are printed."""
    with _unwarned():
        compiled = compile_model(model, target, progress=True, **options)
    text.warn(compiled.warnings)
    return compiled


def compile_or_specialize_for(
    model: Path, target: str, options: dict[str, Any]
) -> CompiledModel | SpecializedModel:
    """A compiled model, or one that is compiled at the first run; warnings are printed."""
    with _unwarned():
        compiled = compile_or_specialize(model, target, progress=True, **options)
    return _warned(compiled)


def specialize(
    model: SpecializedModel, values: Mapping[str, Any]
) -> CompiledModel | SpecializedModel:
    """A specialized model, compiled for some values; warnings are printed."""
    with _unwarned():
        compiled = model.compile(values)
    return _warned(compiled)


def _warned(compiled: CompiledModel | SpecializedModel) -> CompiledModel | SpecializedModel:
    if not isinstance(compiled, SpecializedModel):
        text.warn(compiled.warnings)
    return compiled


@contextlib.contextmanager
def _unwarned() -> Iterator[None]:
    """For compilations whose warnings are printed, or whose text says the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        yield


def emit_stage(model: Path, output: str, stage: str, target: str, options: dict[str, Any]) -> None:
    """Write a stage of a model's compilation."""
    check_output(model, output)
    with _unwarned():
        contents = emit(model, stage, target, progress=True, **options)
    write(output, contents)


def import_onnx(model: Path, output: str, weights: bool) -> None:
    """Write a model in the onnx dialect, with the values of its weights or without them."""
    from onnx_mlir_bridge.compiler.pipeline import readable
    from onnx_mlir_bridge.importer import import_with_metadata

    check_output(model, output)
    with reporting(True) as report:
        report("Importing")
        imported = import_with_metadata(model)
        report("Printing")
        module = imported.module.operation
        contents = module.get_asm() if weights else readable(module)
    text.warn(imported.warnings)
    write(output, contents)
