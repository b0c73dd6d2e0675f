"""The measurements, each made by a process of its own: `python measure.py KIND …` -> JSON.

compile ENTRANTS THREADS INPUTS   seconds to compile (or to load, for engines that do not compile
                                  ahead) and peak memory
run ENTRANTS THREADS INPUTS       peak memory of loading what was compiled and running it
race ENTRANTS THREADS INPUTS      run times of all entrants, in turns, in one process

ENTRANTS is what `pack` writes, by name; the first two kinds take one. INPUTS is a .npz file.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from engines import ENGINES, REFERENCE, Engine, Inputs, Options, Run

WARM_UP = 3
ROUNDS = 30
SECONDS = 60.0
"""A race ends after ROUNDS, or after this many seconds but not before five rounds."""
PASS_SECONDS = 0.005
"""What is timed at once: as many runs as take about so long, for short ones."""
PAUSE = 0.1
"""Between engines: an engine's threads spin for a while after their last run, waiting for more."""


@dataclass(frozen=True)
class Entrant:
    """A model that an engine runs; ``compiled``: the file for what it is compiled to."""

    engine: str
    model: str
    compiled: str
    options: Options = field(default_factory=Options)

    @property
    def its_engine(self) -> Engine:
        """What the name stands for."""
        return ENGINES[self.engine]

    def load(self, threads: int) -> Run:
        """From the ONNX file."""
        return self.its_engine.load(Path(self.model), threads, self.options)

    def open(self, threads: int) -> Run:
        """From the compiled file, where the engine compiles ahead."""
        if self.its_engine.open:
            return self.its_engine.open(Path(self.compiled), threads)
        return self.load(threads)

    def compile(self, threads: int) -> None:
        """Compile, or load, for engines that do not compile ahead."""
        if self.its_engine.compile:
            paths = Path(self.model), Path(self.compiled)
            self.its_engine.compile(*paths, threads, self.options)
        else:
            self.load(threads)

    @property
    def file_mib(self) -> float:
        """Of what is loaded."""
        path = Path(self.compiled if self.its_engine.compile else self.model)
        return path.stat().st_size / 2**20


def pack(entrants: Mapping[str, Entrant]) -> str:
    """The argument ENTRANTS."""
    return json.dumps({name: asdict(entrant) for name, entrant in entrants.items()})


def unpack(packed: str) -> dict[str, Entrant]:
    """What pack() packed."""
    entrants = json.loads(packed)
    return {
        name: Entrant(**{**fields, "options": Options(**fields["options"])})
        for name, fields in entrants.items()
    }


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


def compile_once(entrant: Entrant, threads: int) -> dict[str, float]:
    """Time and peak memory of compiling, without the time that importing the engine takes."""
    __import__(entrant.its_engine.module)
    start = time.perf_counter()
    entrant.compile(threads)
    return {"seconds": time.perf_counter() - start, "peak_mib": _peak_mib()}


def run_once(entrant: Entrant, threads: int, inputs: Path) -> dict[str, float]:
    """Peak memory of a process that loads the compiled model and runs it."""
    values = dict(np.load(inputs))
    run = entrant.open(threads)
    for _ in range(2):
        run(values)
    return {"peak_mib": _peak_mib()}


def race(entrants: Mapping[str, Entrant], threads: int, inputs: Path) -> dict[str, dict[str, Any]]:
    """Run times of all entrants, in turns: what slows the machine for a while slows all of them.

    Each turn runs the model once before what is timed, which brings the weights back into the
    caches: the other engines have filled them with theirs.
    """
    values = dict(np.load(inputs))
    runs = {name: entrant.open(threads) for name, entrant in entrants.items()}
    outputs = {name: run(values) for name, run in runs.items()}
    counts = {name: _runs_in_a_pass(run, values) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    start = time.perf_counter()
    for done in range(ROUNDS):
        if done >= 5 and time.perf_counter() - start > SECONDS:
            break
        for name, run in runs.items():
            time.sleep(PAUSE)
            run(values)
            begin = time.perf_counter()
            for _ in range(counts[name]):
                run(values)
            seconds[name].append((time.perf_counter() - begin) / counts[name])
    reference = outputs[REFERENCE]
    return {
        name: {
            "median_ms": 1000 * median(seconds[name]),
            "best_ms": 1000 * min(seconds[name]),
            "rounds": len(seconds[name]),
            "file_mib": entrants[name].file_mib,
            "difference": max(map(_relative_error, outputs[name], reference)),
        }
        for name in runs
    }


def _runs_in_a_pass(run: Run, values: Inputs) -> int:
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
    kind, packed, threads, inputs = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    entrants = unpack(packed)
    result: dict[str, Any]
    if kind == "race":
        result = race(entrants, threads, inputs)
    else:
        (entrant,) = entrants.values()
        if kind == "compile":
            result = compile_once(entrant, threads)
        else:
            result = run_once(entrant, threads, inputs)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
