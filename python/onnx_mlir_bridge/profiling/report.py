"""Times and shares of what a model runs, per dispatch or per node."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import median

from onnx_mlir_bridge.profiling.runs import Dispatch, Run


@dataclass(frozen=True)
class Row:
    """What a dispatch, or all dispatches of the same nodes, take.

    seconds: in a run, the median. share: of the sum over all rows. calls: how often it runs in a
    run. workgroups: of a call, the most. dispatch: its function's name, "" where rows are nodes.
    """

    nodes: tuple[str, ...]
    dispatch: str
    seconds: float
    share: float
    calls: int
    workgroups: int


@dataclass(frozen=True)
class Report:
    """Where the time goes. rows: the longest first.

    dispatch_seconds: the sum of the rows. run_seconds: what a run takes, the median. idle: the
    share of the threads' time in which they had nothing to do, the median; None for GPUs.
    """

    rows: tuple[Row, ...]
    dispatch_seconds: float
    run_seconds: float
    idle: float | None


def report(runs: Sequence[Run], by_node: bool, threads: int | None) -> Report:
    """The statistics of some runs.

    `by_node`: dispatches of the same nodes are one row. `threads`: None for a GPU.
    """

    def key(dispatch: Dispatch) -> Hashable:
        site = dispatch.site
        return site.call.nodes or site.call.function if by_node else (site.region, site.index)

    times: dict[Hashable, list[float]] = defaultdict(lambda: [0.0] * len(runs))
    alike: dict[Hashable, list[Dispatch]] = defaultdict(list)
    for number, run in enumerate(runs):
        for dispatch in run.dispatches:
            times[key(dispatch)][number] += (dispatch.end - dispatch.start) / 1e9
            if number == 0:
                alike[key(dispatch)].append(dispatch)
    seconds = {found: median(each) for found, each in times.items()}
    total = sum(seconds.values())
    rows = [
        _row(alike[found], each, each / total if total else 0.0, by_node)
        for found, each in seconds.items()
    ]
    rows.sort(key=lambda row: -row.seconds)
    took = median(run.seconds for run in runs)
    idle = None if threads is None else median(_idle(run, threads) for run in runs)
    return Report(tuple(rows), total, took, idle)


def _row(dispatches: Sequence[Dispatch], seconds: float, share: float, by_node: bool) -> Row:
    call = dispatches[0].site.call
    workgroups = max(math.prod(dispatch.workgroups) for dispatch in dispatches)
    hides_function = by_node and call.nodes
    function = "" if hides_function else call.function
    return Row(call.nodes, function, seconds, share, len(dispatches), workgroups)


def _idle(run: Run, threads: int) -> float:
    busy = sum(dispatch.busy or 0 for dispatch in run.dispatches) / 1e9
    return max(0.0, 1 - busy / (threads * run.seconds)) if run.seconds else 0.0
