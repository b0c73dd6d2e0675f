"""omb profile."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from onnx_mlir_bridge.cli import text, values
from onnx_mlir_bridge.cli.running import is_saved
from onnx_mlir_bridge.errors import OmbError, describe_node
from onnx_mlir_bridge.runtime import devices, session
from onnx_mlir_bridge.runtime.artifact import (
    Artifact,
    Description,
    DevicePart,
    HostPart,
    read,
    replacing,
)
from onnx_mlir_bridge.runtime.containers import Value
from onnx_mlir_bridge.runtime.inputs import checked_inputs

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.profiling.report import Report, Row

_MAX_NODES = 72
_MAX_LISTED = 20


def profile(
    path: Path,
    given: Sequence[str],
    device: str,
    threads: int | None,
    runs: int,
    by: str,
    trace: Path | None,
    top: int,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - of a compilation
) -> None:
    """Run a model several times, and print where the time goes."""
    from onnx_mlir_bridge.compiler.progress import reporting
    from onnx_mlir_bridge.profiling.capture import capture
    from onnx_mlir_bridge.profiling.nodes import regions
    from onnx_mlir_bridge.profiling.report import report
    from onnx_mlir_bridge.profiling.runs import runs as runs_of
    from onnx_mlir_bridge.profiling.trace import chrome_trace, median_run

    if by == "node" and is_saved(path):
        raise OmbError(
            f"'{path}' is compiled, and doesn't say which ONNX nodes are in a dispatch; "
            "profile the ONNX model, or --by=dispatch"
        )
    with _writing(trace, path) as file:
        opened, chosen, compiled, feeds = _open(path, given, device, threads, options)
        part = _only_part(opened)
        checked = checked_inputs(part.signature.inputs, feeds)
        saved = opened.description.threads if threads is None else threads
        count = devices.check_threads(saved) if chosen.provider == "cpu" else None
        with reporting(True) as stage:
            stage("Profiling")
            try:
                captured = capture(part, checked, chosen, count or 1, runs)
            except OmbError as error:
                message = session.explain(str(error), part.signature.inputs, checked)
                raise OmbError(message) from None
            measured = runs_of(captured, None if compiled is None else regions(compiled))
        if file is not None:
            content = chrome_trace(median_run(measured), f"{chosen.name} ({chosen})")
            file.write(content.encode())
    found = report(measured, by == "node", count)
    if as_json:
        print(json.dumps(_document(found, chosen, count, runs, by), indent=2))
    else:
        _print(found, top, by, has_nodes=compiled is not None)
        _print_totals(found, chosen, count, runs)


def _open(
    path: Path, given: Sequence[str], device: str, threads: int | None, options: Mapping[str, Any]
) -> tuple[Artifact, devices.Device, CompiledModel | None, Mapping[str, Value]]:
    """A saved or an ONNX model, compiled; where it runs; what knows its nodes; and its inputs."""
    asked = None if device == "auto" else [device]
    if is_saved(path):
        opened = read(path)
        chosen = session.device_for(opened.description, asked)
        session.check_cpu(opened.description)
        return opened, chosen, None, _feeds(opened.description, given)
    from onnx_mlir_bridge.cli.compiling import compile_or_specialize_for, specialize
    from onnx_mlir_bridge.compiler.specialized_model import SpecializedModel

    chosen = devices.choose(asked)
    compiled = compile_or_specialize_for(path, chosen.provider, {"threads": threads, **options})
    session.check_cpu(compiled.description)
    feeds = _feeds(compiled.description, given)
    while isinstance(compiled, SpecializedModel):
        infos = compiled.description.signature.inputs
        checked = zip(infos, checked_inputs(infos, feeds), strict=True)
        compiled = specialize(compiled, {info.name: value for info, value in checked})
        feeds = {info.name: feeds[info.name] for info in compiled.description.signature.inputs}
    return Artifact(compiled.description, tuple(compiled.parts())), chosen, compiled, feeds


def _feeds(description: Description, given: Sequence[str]) -> Mapping[str, Value]:
    inputs = values.values(description.signature.inputs, given)
    return {value.info.name: value.value for value in inputs}


def _only_part(opened: Artifact) -> DevicePart:
    """The module that is the model; OmbError for a model some of which runs on the host."""
    if len(opened.parts) == 1 and isinstance(opened.parts[0], DevicePart):
        return opened.parts[0]
    from onnx import load_model_from_string

    names = [
        describe_node(node)
        for part in opened.parts
        if isinstance(part, HostPart)
        for node in load_model_from_string(bytes(part.model)).graph.node
    ]
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    raise OmbError(
        "only models that are compiled as a whole can be profiled; on the host run "
        f"{', '.join(names[:_MAX_LISTED])}{more}"
    )


@contextlib.contextmanager
def _writing(trace: Path | None, model: Path) -> Iterator[BinaryIO | None]:
    """The file for the trace, if one is asked for; OmbError, before all work, if it can't be."""
    if trace is None:
        yield None
        return
    with contextlib.suppress(OSError, ValueError):
        if trace.samefile(model):
            raise OmbError(f"'{trace}' is the model itself; choose another name for the trace")
    try:
        with replacing(trace) as file:
            yield file
    except OSError as error:
        raise OmbError(f"'{trace}' can't be written: {error.strerror or error}") from None


def _print(found: Report, top: int, by: str, has_nodes: bool) -> None:
    if not found.rows:
        print("no dispatches: the model only copies its inputs or constants")
        return
    shown = found.rows[:top] if top else found.rows
    titles = ["time", "share", "calls", "workgroups"]
    titles += (["dispatch"] if by == "dispatch" else []) + (["nodes"] if has_nodes else [])
    cells = [_cells(row, by, has_nodes) for row in shown]
    numbers = [(*titles[:4],), *(row[:4] for row in cells)]
    widths = [max(map(len, column)) for column in zip(*numbers, strict=True)]
    aligned = [
        [cell.rjust(width) for cell, width in zip(row[:4], widths, strict=True)] + list(row[4:])
        for row in [titles, *cells]
    ]
    print(text.columns(aligned, indent=0))
    if hidden := found.rows[len(shown) :]:
        rest = sum(row.seconds for row in hidden)
        print(f"and {len(hidden)} more, which take {_milliseconds(rest)} ms (--top 0 shows all)")
    if not has_nodes:
        print("which ONNX nodes these are, a saved model doesn't say: profile the ONNX model")


def _cells(row: Row, by: str, has_nodes: bool) -> list[str]:
    cells = [f"{_milliseconds(row.seconds)} ms", f"{100 * row.share:.1f} %"]
    cells += [str(row.calls), str(row.workgroups)]
    if by == "dispatch":
        cells.append(text.printable(row.dispatch))
    if has_nodes:
        # What IREE adds for itself is of no node.
        cells.append(_short(row.nodes) or (text.printable(row.dispatch) if by == "node" else "-"))
    return cells


def _short(nodes: Sequence[str]) -> str:
    """The nodes' names, as many as there is room for; of a long one the end, which differs."""
    names = [
        name if len(name) <= _MAX_NODES else f"...{name[-_MAX_NODES:]}"
        for name in map(text.printable, nodes)
    ]
    count = len(names)
    while count > 1 and len(" + ".join(names[:count])) > _MAX_NODES:
        count -= 1
    more = f" + {len(names) - count} more" if len(names) > count else ""
    return " + ".join(names[:count]) + more


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3f}"


def _print_totals(found: Report, device: devices.Device, threads: int | None, runs: int) -> None:
    print(f"\ndispatches  {_milliseconds(found.dispatch_seconds)} ms")
    print(f"run         {_milliseconds(found.run_seconds)} ms, the median of {runs}")
    print(f"device      {device.name} ({device})")
    if threads is not None:
        idle = f", idle for {100 * found.idle:.0f} % of the run" if threads > 1 else ""
        print(f"threads     {threads}{idle}")


def _document(
    found: Report, device: devices.Device, threads: int | None, runs: int, by: str
) -> dict[str, Any]:
    return {"by": by, "device": device.name, "threads": threads, "runs": runs, **asdict(found)}
