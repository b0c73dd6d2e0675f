"""From the records of IREE's tools to dispatches, run by run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.profiling.capture import WARM_UP_RUNS, Capture
from onnx_mlir_bridge.profiling.nodes import Call, Region

_Record = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A dispatch in the compiled module: the `index`-th of a region."""

    region: tuple[str, ...] | int
    index: int
    call: Call


@dataclass(frozen=True)
class Dispatch:
    """A dispatch that ran. Times are in nanoseconds.

    busy: what it took, summed up over the threads; None for GPUs.
    """

    site: Site
    start: int
    end: int
    busy: int | None
    workgroups: tuple[int, int, int]
    stream: int


@dataclass(frozen=True)
class Run:
    """A run of the model. dispatches: in the order in which they began."""

    seconds: float
    dispatches: tuple[Dispatch, ...]


def runs(capture: Capture, regions: Sequence[Region] | None) -> list[Run]:
    """The runs after those to warm up.

    `regions`: what nodes.regions() gave; None: the nodes aren't known.
    """
    events = [record for record in capture.records if _is_dispatch(record)]
    events.sort(key=lambda record: _times(record)[0])
    count = len(capture.seconds)
    size = len(events) // count
    parts = [events[i * size : (i + 1) * size] for i in range(count)]
    keys = [Counter(event["key"] for event in part) for part in parts]
    if len(events) != size * count or any(key != keys[0] for key in keys):
        raise OmbError(
            "the model computes something else in each run (has it random numbers without a "
            "seed?), so that its runs can't be told apart"
        )
    sites = _Sites(capture.records, regions)
    found = [
        Run(seconds, tuple(sites.of_run(part)))
        for seconds, part in zip(capture.seconds, parts, strict=True)
    ]
    return found[WARM_UP_RUNS:]


def _is_dispatch(record: _Record) -> bool:
    kind = record["record_type"]
    return kind == "dispatch_event" or (
        kind == "host_execution_event" and record["op"] == "dispatch"
    )


def _times(event: _Record) -> tuple[int, int]:
    """Start and end: of the host's clock, or of the device's, ticks of which are scaled to it."""
    if "start_host_time_ns" in event:
        return event["start_host_time_ns"], event["end_host_time_ns"]
    if event.get("derived_time_available"):
        start = event["start_driver_host_cpu_time_ns"]
        return start, start + event["duration_ns"]
    raise OmbError("the device doesn't say when its dispatches ran")


class _Sites:
    """Finds the place in the module of a dispatch that ran."""

    def __init__(self, records: Sequence[_Record], regions: Sequence[Region] | None) -> None:
        commands = defaultdict(list)
        for record in records:
            if record["record_type"] == "command_operation" and record["op"] == "dispatch":
                commands[record["command_buffer_id"]].append(record)
        self._functions: dict[int, tuple[str, ...]] = {}
        self._indices: dict[tuple[int, int], int] = {}
        for buffer, operations in commands.items():
            operations.sort(key=lambda operation: operation["command_index"])
            self._functions[buffer] = tuple(operation["key"] for operation in operations)
            for index, operation in enumerate(operations):
                self._indices[buffer, operation["command_index"]] = index
        self._regions: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._calls = [list(region) for region in regions or ()]
        by_function = defaultdict(list)
        for number, region in enumerate(self._calls):
            self._regions[tuple(call.function for call in region)].append(number)
            for call in region:
                by_function[call.function] += call.nodes
        self._by_function = {
            function: tuple(dict.fromkeys(names)) for function, names in by_function.items()
        }

    def of_run(self, events: Sequence[_Record]) -> list[Dispatch]:
        """The dispatches of a run."""
        regions = self._regions_of_run(events)
        found = []
        for event in events:
            start, end = _times(event)
            buffer = event["command_buffer_id"]
            place = buffer, event["command_index"]
            region = regions.get(event["submission_id"])
            if region is not None:
                index = self._indices[place]
                site = Site(region, index, self._calls[region][index])
            else:
                # One of several regions that look alike, or of none; or the nodes aren't known.
                function = event["key"]
                call = Call(function, self._by_function.get(function, ()))
                site = Site(self._functions.get(buffer, ()), self._indices.get(place, 0), call)
            busy = event.get("tile_duration_sum_ns")
            groups = tuple(event["workgroup_count"])
            found.append(Dispatch(site, start, end, busy, groups, event["stream_id"]))
        return found

    def _regions_of_run(self, events: Sequence[_Record]) -> dict[int, int]:
        """The region that each submission is of, where that is certain.

        Of several with the same functions they are taken in turn, if each ran once.
        """
        submissions = {event["submission_id"]: event["command_buffer_id"] for event in events}
        alike = defaultdict(list)
        for submission, buffer in submissions.items():
            alike[self._functions.get(buffer, ())].append(submission)
        found: dict[int, int] = {}
        for functions, same in alike.items():
            candidates = self._regions.get(functions, [])
            if len(candidates) == 1:
                found.update((submission, candidates[0]) for submission in same)
            elif len(candidates) == len(same):
                found.update(zip(sorted(same), candidates, strict=True))
        return found
