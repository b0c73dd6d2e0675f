"""The results as Markdown tables between markers of a document, and what machine they are from."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import settings
from engines import ENGINES, REFERENCE
from kernels import KERNELS
from settings import Setting

Results = dict[str, Any]

_DIFFERENCE = "Difference: the largest relative error (norm) of an output against ONNX Runtime's."


@dataclass(frozen=True)
class Kind:
    """A kind of measurement: its results' file beside this one, and the document with its table."""

    name: str
    results: str
    document: str
    table: Callable[[Results], str]

    @property
    def markers(self) -> tuple[str, str]:
        """What is before the table in the document, and what is after it."""
        return (
            f"<!-- {self.name}: start (written by benchmarks/run.py) -->",
            f"<!-- {self.name}: end -->",
        )

    def with_former(self, results: Results, file: Path) -> Results:
        """Also what ``file`` has of others, where they were measured under the same conditions."""
        former = json.loads(file.read_text()) if file.is_file() else {}
        if any(former.get(key) != results[key] for key in ("machine", "threads", "engines")):
            return results
        return {**results, self.name: {**former[self.name], **results[self.name]}}


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


def model_table(results: Results) -> str:
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
    ratios = (
        "Ratios: over 1 means that onnx-mlir-bridge is faster, or smaller; under 1 that it is "
        f"slower, or larger. {_DIFFERENCE}"
    )
    return _join(f"{_setting(results)} {ratios}", rows)


def kernel_table(results: Results) -> str:
    """A Markdown table, a row for each kernel."""
    rates = {
        name: {
            engine: KERNELS[name].flops / (1e6 * times[engine]["median_ms"])
            for engine in results["engines"]
        }
        for name, times in results["kernels"].items()
    }
    rivals = [engine for engine in results["engines"] if engine != "bridge"]
    titles = [ENGINES[engine].title for engine in rivals]
    peak = max((max(of.values()) for of in rates.values()), default=0.0)
    header = ["kernel", "run", "GFLOP/s", "of the best", *titles, "vs the faster"]
    rows = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for name, of in rates.items():
        row = [name, f"{results['kernels'][name]['bridge']['median_ms']:.3f} ms"]
        row += [f"{of['bridge']:.0f}", f"{of['bridge'] / peak:.0%}"]
        row += [f"{of[engine]:.0f}" for engine in rivals]
        row += [f"{of['bridge'] / max(of[engine] for engine in rivals):.2f}x"]
        rows.append(row)
    best = f"The best rate of all, {peak:.0f} GFLOP/s, is what the shares are of."
    return _join(f"{_setting(results)} {best}", rows)


def setting_table(results: Results, setting: Setting) -> str:
    """A Markdown table, a row for each model, of times only: medians, and the fastest runs."""
    baseline = setting.baseline
    rivals = [engine for engine in results["engines"] if engine != "bridge"]
    others = [engine for engine in rivals if engine != REFERENCE]
    faster = [*rivals, baseline.entrant] if baseline.is_rival else rivals
    titles = [f"{ENGINES[engine].title}, ms" for engine in rivals]
    header = ["model", "run, ms", *titles, "ours / the faster", f"{baseline.title}, ms"]
    header += ["compiled, MiB", f"{baseline.title}"] if setting.has_sizes else []
    header += ["difference", *(f"{ENGINES[engine].title}'s" for engine in others)]
    rows = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for name, measured in results[setting.name].items():
        row = [setting.titles[name], *(_times(measured[e]) for e in ("bridge", *rivals))]
        row += [_shares(measured, faster), _times(measured[baseline.entrant])]
        if setting.has_sizes:
            row += [f"{measured[e]['file_mib']:.1f}" for e in ("bridge", baseline.entrant)]
        row += [f"{measured[engine]['difference']:.0e}" for engine in ("bridge", *others)]
        rows.append(row)
    which = "fastest of the others" if baseline.is_rival else "faster one's"
    explained = (
        f"Medians, in brackets the fastest runs; ours by the {which}: under 1 means that "
        f"onnx-mlir-bridge is faster. {_DIFFERENCE}"
    )
    return _join(f"{_setting(results, setting)} {explained}", rows)


def _times(of: dict[str, float]) -> str:
    return f"{of['median_ms']:.1f} ({of['best_ms']:.1f})"


def _shares(measured: Results, rivals: list[str]) -> str:
    """Our time by that of the faster one, for medians and for fastest runs."""
    median, best = (
        measured["bridge"][key] / min(measured[engine][key] for engine in rivals)
        for key in ("median_ms", "best_ms")
    )
    return f"{median:.2f} ({best:.2f})"


def _join(caption: str, rows: list[list[str]]) -> str:
    return "\n".join([caption, "", *("| " + " | ".join(row) + " |" for row in rows)])


def _setting(results: Results, setting: Setting = settings.FLOAT) -> str:
    versions = ", ".join(f"{ENGINES[e].title} {v}" for e, v in results["engines"].items())
    return (
        f"{results['machine']['cpu']}, {results['threads']} threads, {setting.title}; {versions}."
    )


WHOLE_MODELS = Kind("models", "results.json", "README.md", model_table)
SINGLE_KERNELS = Kind("kernels", "kernels.json", "docs/performance.md", kernel_table)
_DOCUMENTS = {
    "bf16": "docs/performance.md",
    "quantized": "docs/quantization.md",
    "sparse": "docs/sparsity.md",
}


def of_setting(setting: Setting) -> Kind:
    """The kind of measurement of whole models with ``setting``."""
    if setting.baseline is None:
        return WHOLE_MODELS

    def table(results: Results) -> str:
        return setting_table(results, setting)

    return Kind(setting.name, f"{setting.name}.json", _DOCUMENTS[setting.name], table)


def write_into(document: Path, kind: Kind, results: Results) -> None:
    """Replace what is between the markers in ``document``; ValueError if they are missing."""
    begin, finish = kind.markers
    text = document.read_text()
    before, start, rest = text.partition(begin)
    _, end, after = rest.partition(finish)
    if not start or not end:
        raise ValueError(f"{document} has no '{begin}' … '{finish}'")
    document.write_text(f"{before}{begin}\n{kind.table(results)}\n{finish}{after}")
