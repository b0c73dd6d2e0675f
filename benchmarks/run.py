"""Measure compile time, run time and peak memory against ONNX Runtime and OpenVINO.

    python benchmarks/run.py                   # all models, a table on the terminal
    python benchmarks/run.py bert resnet50     # some
    python benchmarks/run.py --readme          # also write the README's table and results.json
    python benchmarks/run.py --kernels         # single products and convolutions instead
    python benchmarks/run.py --precision bf16  # the exported models with bfloat16 products
    python benchmarks/run.py --quantized       # quantized models
    python benchmarks/run.py --sparse          # models with zeros among their weights

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
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import report
import settings
import suite
from engines import ENGINES, REFERENCE
from kernels import KERNELS
from measure import Entrant, pack
from rich.console import Console
from rich.markdown import Markdown
from settings import Setting

HERE = Path(__file__).resolve().parent


class MeasurementError(Exception):
    """A measuring process failed; the message is the last line that it printed."""


def measure(kind: str, entrants: Mapping[str, Entrant], threads: int, inputs: Path) -> Any:  # noqa: ANN401
    """One measurement in a process of its own; see measure.py."""
    command = [sys.executable, str(HERE / "measure.py"), kind, pack(entrants), str(threads)]
    done = subprocess.run([*command, str(inputs)], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise MeasurementError(f"{kind} {', '.join(entrants)}: {lines[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_speed(entrants: Mapping[str, Entrant], threads: int, inputs: Path) -> dict[str, Any]:
    """Run times, by entrant."""
    for name, entrant in entrants.items():
        if entrant.its_engine.compile:
            measure("compile", {name: entrant}, threads, inputs)
    return measure("race", entrants, threads, inputs)


def measure_all(entrants: Mapping[str, Entrant], threads: int, inputs: Path) -> dict[str, Any]:
    """Also what compiling, loading and running take, by entrant."""
    results: dict[str, Any] = {}
    for name, entrant in entrants.items():
        results[name] = {
            kind: measure(kind, {name: entrant}, threads, inputs) for kind in ("compile", "run")
        }
    times = measure("race", entrants, threads, inputs)
    return {name: {**results[name], **times[name]} for name in entrants}


def measure_model(
    name: str, setting: Setting, engines: list[str], threads: int
) -> dict[str, Any] | None:
    """Results of one model, by entrant; None if it is not exported."""
    model = setting.export(name)
    if model is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs.npz"
        np.savez(inputs, **suite.inputs(model))
        entrants = setting.entrants(model, engines, Path(folder))
        return (measure_speed if setting.baseline else measure_all)(entrants, threads, inputs)


def measure_kernel(name: str, engines: list[str], threads: int) -> dict[str, Any]:
    """The times of one kernel, by engine."""
    with tempfile.TemporaryDirectory() as folder:
        model, inputs = Path(folder) / "kernel.onnx", Path(folder) / "inputs.npz"
        onnx.save(KERNELS[name].model(), model)
        np.savez(inputs, **suite.inputs(model))
        entrants = settings.FLOAT.entrants(model, engines, Path(folder))
        return measure_speed(entrants, threads, inputs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(suite.NAMES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--kernels", action="store_true", help="single operators, not models")
    kinds.add_argument("--precision", choices=("f32", "bf16"), default="f32", help="of products")
    kinds.add_argument("--quantized", action="store_true", help="quantized models")
    kinds.add_argument("--sparse", action="store_true", help="models with zeros in their weights")
    parser.add_argument("--readme", action="store_true", help="write the documents and the results")
    arguments = parser.parse_args()
    if arguments.quantized:
        arguments.setting = settings.QUANTIZED
    elif arguments.sparse:
        arguments.setting = settings.SPARSE
    else:
        arguments.setting = {"f32": settings.FLOAT, "bf16": settings.BF16}[arguments.precision]
    known = tuple(KERNELS) if arguments.kernels else tuple(arguments.setting.titles)
    unknown = set(arguments.names) - set(known)
    if unknown:
        kind = "kernel" if arguments.kernels else "model"
        parser.error(f"unknown {kind} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    arguments.names = arguments.names or known
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
        console.print(
            name, *(f"{entrant} {times[entrant]['median_ms']:.3g} ms" for entrant in times)
        )
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

    threads, setting = arguments.threads, arguments.setting

    def of_model(name: str) -> dict[str, Any] | None:
        return measure_model(name, setting, engines, threads)

    def of_kernel(name: str) -> dict[str, Any]:
        return measure_kernel(name, engines, threads)

    kind = report.SINGLE_KERNELS if arguments.kernels else report.of_setting(setting)
    measured, is_good = _measure_all(
        arguments.names, of_kernel if arguments.kernels else of_model, console
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
        results = kind.with_former(results, HERE / kind.results)
        (HERE / kind.results).write_text(json.dumps(results, indent=2) + "\n")
        report.write_into(suite.REPOSITORY / kind.document, kind, results)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
