"""A run in Chrome's trace event format, for chrome://tracing and ui.perfetto.dev."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from onnx_mlir_bridge.profiling.runs import Dispatch, Run


def median_run(runs: Sequence[Run]) -> Run:
    """The run that took neither long nor short."""
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def chrome_trace(run: Run, device: str) -> str:
    """The dispatches of a run as JSON, in microseconds from the first one on.

    Each stream of the device has a row, and more where its dispatches overlap: events of a row must
    not.
    """
    begin = min((dispatch.start for dispatch in run.dispatches), default=0)
    events: list[dict[str, Any]] = [_named("process_name", device)]
    for row, (stream, dispatches) in enumerate(_rows(run.dispatches)):
        events.append(_named("thread_name", f"stream {stream}", row))
        events += (_event(dispatch, row, begin) for dispatch in dispatches)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, indent=1)


def _rows(dispatches: Iterable[Dispatch]) -> list[tuple[int, list[Dispatch]]]:
    rows: list[tuple[int, list[Dispatch]]] = []
    for dispatch in sorted(dispatches, key=lambda each: (each.start, each.end)):
        for stream, row in rows:
            if stream == dispatch.stream and row[-1].end <= dispatch.start:
                row.append(dispatch)
                break
        else:
            rows.append((dispatch.stream, [dispatch]))
    return sorted(rows, key=lambda row: row[0])


def _named(what: str, name: str, row: int = 0) -> dict[str, Any]:
    return {"ph": "M", "pid": 0, "tid": row, "name": what, "args": {"name": name}}


def _event(dispatch: Dispatch, row: int, begin: int) -> dict[str, Any]:
    call = dispatch.site.call
    return {
        "ph": "X",
        "pid": 0,
        "tid": row,
        "name": " + ".join(call.nodes) or call.function,
        "cat": "dispatch",
        "ts": (dispatch.start - begin) / 1e3,
        "dur": (dispatch.end - dispatch.start) / 1e3,
        "args": {"dispatch": call.function, "workgroups": list(dispatch.workgroups)},
    }
