"""The results as a Markdown table between the README's markers, and what machine they are from."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from engines import ENGINES, REFERENCE

START = "<!-- benchmarks: start (written by benchmarks/run.py) -->"
END = "<!-- benchmarks: end -->"

Results = dict[str, Any]


def machine() -> dict[str, object]:
    """Processor, cores, memory and operating system."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _ratio(ours: float, theirs: float) -> str:
    """``theirs / ours`` when we are better (">1 is good"), to two digits."""
    return f"{theirs / ours:.2f}x"


def table(results: Results) -> str:
    """A Markdown table, a row for each model; a sentence above it says how to read it."""
    rivals = [engine for engine in results["engines"] if engine != "bridge"]
    titles = {engine: ENGINES[engine].title for engine in rivals}
    header = ["model", "run", *(f"vs {titles[e]}" for e in rivals)]
    header += ["compile", f"{titles[REFERENCE]} loads in"]
    header += ["peak memory, run", f"vs {titles[REFERENCE]}", "peak memory, compile", "difference"]
    rows = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for name, measured in results["models"].items():
        ours, reference = measured["bridge"], measured[REFERENCE]
        row = [name, f"{ours['median_ms']:.1f} ms"]
        row += [_ratio(ours["median_ms"], measured[e]["median_ms"]) for e in rivals]
        row += [f"{ours['compile']['seconds']:.1f} s", f"{reference['compile']['seconds']:.2f} s"]
        row += [f"{ours['run']['peak_mib']:.0f} MiB"]
        row += [_ratio(ours["run"]["peak_mib"], reference["run"]["peak_mib"])]
        row += [f"{ours['compile']['peak_mib']:.0f} MiB", f"{ours['difference']:.0e}"]
        rows.append(row)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([_caption(results), "", *lines])


def _caption(results: Results) -> str:
    host = results["machine"]
    versions = ", ".join(f"{ENGINES[e].title} {v}" for e, v in results["engines"].items())
    return (
        f"{host['cpu']}, {results['threads']} threads, float32; {versions}. Ratios: over 1 means "
        "that onnx-mlir-bridge is faster, or smaller; under 1 that it is slower, or larger. "
        "Difference: the largest relative error (norm) of an output against ONNX Runtime's."
    )


def write_into(readme: Path, results: Results) -> None:
    """Replace what is between the markers in ``readme``; raises ValueError if they are missing."""
    text = readme.read_text()
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{readme} has no '{START}' … '{END}'")
    readme.write_text(f"{before}{START}\n{table(results)}\n{END}{after}")
