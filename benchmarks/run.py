"""Measure compile time, run time and peak memory against ONNX Runtime and OpenVINO.

    python benchmarks/run.py                   # all models, a table on the terminal
    python benchmarks/run.py bert resnet50     # some
    python benchmarks/run.py --readme          # also write the README's table and results.json

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
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import report
import suite
from engines import ENGINES, REFERENCE
from rich.console import Console
from rich.markdown import Markdown

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(suite.NAMES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--readme", action="store_true", help="write README.md and results.json")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - set(suite.NAMES)
    if unknown:
        parser.error(f"unknown model {', '.join(sorted(unknown))}")
    return arguments


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

    results = {
        "when": datetime.now(timezone.utc).date().isoformat(),
        "machine": report.machine(),
        "threads": arguments.threads,
        "engines": {name: ENGINES[name].version for name in engines},
        "models": {},
    }
    failed = False
    for name in arguments.models or suite.NAMES:
        path = suite.find(name)
        if path is None:
            console.print(f"{name}: not exported (benchmarks/export_models.py): left out")
            continue
        try:
            with console.status(name):
                results["models"][name] = measure_model(path, engines, arguments.threads)
        except MeasurementError as error:
            failed = True
            console.print(f"{name}: {error}", style="red", markup=False)
            continue
        times = results["models"][name]
        console.print(name, *(f"{ENGINES[e].title} {times[e]['median_ms']:.1f} ms" for e in times))

    console.print(Markdown(report.table(results)))
    if arguments.readme:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        report.write_into(suite.REPOSITORY / "README.md", results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
