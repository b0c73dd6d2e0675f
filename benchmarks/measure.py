"""The measurements, each made by a process of its own: `python measure.py KIND ARGUMENTS` -> JSON.

compile ENGINE MODEL THREADS COMPILED   seconds to compile (or to load, for engines that do not
                                        compile ahead) and peak memory
run ENGINE MODEL THREADS COMPILED       peak memory of loading what was compiled and running it
race ENGINES MODEL THREADS COMPILED     run times of all engines, in turns, in one process
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from engines import ENGINES, REFERENCE, Inputs, Run

WARM_UP = 3
ROUNDS = 30
SECONDS = 60.0
"""A race ends after ROUNDS, or after this many seconds but not before five rounds."""
PASS_SECONDS = 0.005
"""What is timed at once: as many runs as take about so long, for short ones."""
PAUSE = 0.1
"""Between engines: an engine's threads spin for a while after their last run, waiting for more."""


def _peak_mib() -> float:
    """Of this process and those it has started: IREE compiles in one of its own.

    Not ru_maxrss: a new process starts with the peak of the one that it was forked from.
    """
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    kib = 0
    for process in ("self", *children):
        status = Path(f"/proc/{process}/status").read_text()
        kib += int(status.partition("VmHWM:")[2].split()[0])
    return kib / 1024


def _open(engine: str, model: Path, threads: int, compiled: Path) -> Run:
    if ENGINES[engine].open:
        return ENGINES[engine].open(compiled, threads)
    return ENGINES[engine].load(model, threads)


def compile_once(engine: str, model: Path, threads: int, compiled: Path) -> dict[str, float]:
    """Time and peak memory of compiling, without the time that importing the engine takes."""
    __import__(ENGINES[engine].module)
    start = time.perf_counter()
    if ENGINES[engine].compile:
        ENGINES[engine].compile(model, compiled, threads)
    else:
        ENGINES[engine].load(model, threads)
    return {"seconds": time.perf_counter() - start, "peak_mib": _peak_mib()}


def run_once(engine: str, model: Path, threads: int, compiled: Path) -> dict[str, float]:
    """Peak memory of a process that loads the compiled model and runs it."""
    values = dict(np.load(compiled.with_suffix(".npz")))
    run = _open(engine, model, threads, compiled)
    for _ in range(2):
        run(values)
    return {"peak_mib": _peak_mib()}


def race(engines: list[str], model: Path, threads: int, compiled: Path) -> dict[str, dict]:
    """Run times of all engines, in turns: what slows the machine for a while slows all of them.

    Each turn runs the model once before what is timed, which brings the weights back into the
    caches: the other engines have filled them with theirs.
    """
    import suite  # not above: its imports would count as the memory of the other measurements

    values = suite.inputs(model)
    runs = {engine: _open(engine, model, threads, compiled) for engine in engines}
    outputs = {engine: run(values) for engine, run in runs.items()}
    counts = {engine: _runs_in_a_pass(run, values) for engine, run in runs.items()}
    seconds: dict[str, list[float]] = {engine: [] for engine in engines}
    start = time.perf_counter()
    for done in range(ROUNDS):
        if done >= 5 and time.perf_counter() - start > SECONDS:
            break
        for engine, run in runs.items():
            time.sleep(PAUSE)
            run(values)
            begin = time.perf_counter()
            for _ in range(counts[engine]):
                run(values)
            seconds[engine].append((time.perf_counter() - begin) / counts[engine])
    reference = outputs[REFERENCE]
    return {
        engine: {
            "median_ms": 1000 * median(seconds[engine]),
            "best_ms": 1000 * min(seconds[engine]),
            "rounds": len(seconds[engine]),
            "difference": max(map(_relative_error, outputs[engine], reference)),
        }
        for engine in engines
    }


def _runs_in_a_pass(run: Run, values: Inputs) -> int:
    """How many runs are timed at once; warms up, too."""
    fastest = PASS_SECONDS
    for _ in range(WARM_UP):
        begin = time.perf_counter()
        run(values)
        fastest = min(fastest, time.perf_counter() - begin)
    return max(1, round(PASS_SECONDS / fastest))


def _relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


def main() -> None:
    """Run one measurement and print its result."""
    kind, engines, model, threads, compiled = sys.argv[1:]
    arguments = (Path(model), int(threads), Path(compiled))
    if kind == "race":
        result = race(engines.split(","), *arguments)
    else:
        result = {"compile": compile_once, "run": run_once}[kind](engines, *arguments)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
