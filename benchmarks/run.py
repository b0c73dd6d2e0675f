"""Measure compile time, run time and peak memory against ONNX Runtime and OpenVINO.

    python benchmarks/run.py                   # all models, a table on the terminal
    python benchmarks/run.py bert resnet50     # some
    python benchmarks/run.py --readme          # also write the README's table and results.json
    python benchmarks/run.py --kernels         # single products and convolutions instead

Engines that are not installed, and exported models that are not there, are named and left out.
Keep the machine idle meanwhile. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import report
import suite
from engines import ENGINES, REFERENCE
from kernels import KERNELS
from rich.console import Console
from rich.markdown import Markdown

HERE = Path(__file__).resolve().parent


class MeasurementError(Exception):
    """A measuring process failed; the message is the last line that it printed."""


def measure(kind: str, engines: str, model: Path, threads: int, compiled: Path) -> Any:  # noqa: ANN401
    """One measurement in a process of its own; see measure.py."""
    command = [sys.executable, str(HERE / "measure.py"), kind, engines, str(model), str(threads)]
    done = subprocess.run([*command, str(compiled)], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise MeasurementError(f"{kind} {engines}: {lines[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_model(model: Path, engines: list[str], threads: int) -> dict[str, Any]:
    """Everything about one model, by engine."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "compiled.omb"
        np.savez(compiled.with_suffix(".npz"), **suite.inputs(model))
        results: dict[str, Any] = {}
        for engine in engines:
            results[engine] = {
                kind: measure(kind, engine, model, threads, compiled) for kind in ("compile", "run")
            }
        times = measure("race", ",".join(engines), model, threads, compiled)
        return {engine: {**results[engine], **times[engine]} for engine in engines}


def measure_kernel(name: str, engines: list[str], threads: int) -> dict[str, Any]:
    """The times of one kernel, by engine."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "kernel.onnx"
        onnx.save(KERNELS[name].model(), model)
        compiled = Path(folder) / "compiled.omb"
        measure("compile", "bridge", model, threads, compiled)
        return measure("race", ",".join(engines), model, threads, compiled)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(suite.NAMES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kernels", action="store_true", help="single operators, not models")
    parser.add_argument("--readme", action="store_true", help="write the documents and the results")
    arguments = parser.parse_args()
    known = KERNELS if arguments.kernels else suite.NAMES
    unknown = set(arguments.names) - set(known)
    if unknown:
        kind = "kernel" if arguments.kernels else "model"
        parser.error(f"unknown {kind} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return arguments


def _measure_all(
    names: Iterable[str], measure_one: Callable[[str], dict[str, Any] | None], console: Console
) -> tuple[dict[str, Any], bool]:
    """What ``measure_one`` gives by name, and whether all went well."""
    measured, is_good = {}, True
    for name in names:
        try:
            with console.status(name):
                times = measure_one(name)
        except MeasurementError as error:
            is_good = False
            console.print(f"{name}: {error}", style="red", markup=False)
            continue
        if times is None:
            console.print(f"{name}: not exported (benchmarks/export_models.py): left out")
            continue
        measured[name] = times
        console.print(name, *(f"{ENGINES[e].title} {times[e]['median_ms']:.3g} ms" for e in times))
    return measured, is_good


def main() -> int:
    """Command line; see the module's documentation."""
    arguments = _arguments()
    console = Console()
    engines = [name for name, engine in ENGINES.items() if engine.installed]
    for name in ("bridge", REFERENCE):
        if name not in engines:
            console.print(f"{ENGINES[name].title} is not installed: make test installs it")
            return 2
    for name in ENGINES.keys() - set(engines):
        console.print(f"{ENGINES[name].title} is not installed: left out")

    threads = arguments.threads

    def of_model(name: str) -> dict[str, Any] | None:
        path = suite.find(name)
        return measure_model(path, engines, threads) if path else None

    def of_kernel(name: str) -> dict[str, Any]:
        return measure_kernel(name, engines, threads)

    kind = report.SINGLE_KERNELS if arguments.kernels else report.WHOLE_MODELS
    measured, is_good = _measure_all(
        arguments.names or (KERNELS if arguments.kernels else suite.NAMES),
        of_kernel if arguments.kernels else of_model,
        console,
    )
    results = {
        "when": datetime.now(timezone.utc).date().isoformat(),
        "machine": report.machine(),
        "threads": threads,
        "engines": {name: ENGINES[name].version for name in engines},
        kind.name: measured,
    }
    console.print(Markdown(kind.table(results)))
    if arguments.readme:
        (HERE / kind.results).write_text(json.dumps(results, indent=2) + "\n")
        report.write_into(suite.REPOSITORY / kind.document, kind, results)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
