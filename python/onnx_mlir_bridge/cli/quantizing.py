"""omb quantize."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx_mlir_bridge.cli import text
from onnx_mlir_bridge.cli.compiling import check_output, check_writable, write
from onnx_mlir_bridge.quantizer import quantize as quantize_model
from onnx_mlir_bridge.quantizer.plot import check_plot
from onnx_mlir_bridge.quantizer.plot import plot as draw
from onnx_mlir_bridge.quantizer.result import QuantizedModel


def quantize(
    model: Path,
    output: Path,
    top: int,
    report: Path | None,
    plot: Path | None,
    given: Mapping[str, Any],
) -> None:
    """Quantize a model, save it, and print what became of it. `given`: of omb.quantize()."""
    if plot is not None:
        check_plot(plot)
    for path in filter(None, (output, report, plot)):
        check_output(model, str(path))
        check_writable(path)
    options = dict(given)
    if plot is not None or (report is not None and options.get("method", "static") == "static"):
        options["sensitivity"] = True
    made = quantize_model(model, options.pop("data", None), progress=True, **options)
    text.warn(made.notices)
    made.save(output)
    _print(made, top)
    print(f"wrote {text.printable(str(output))}")
    if report is not None:
        write(str(report), json.dumps(made.report(), indent=2) + "\n")
        print(f"wrote {text.printable(str(report))}")
    if plot is not None:
        draw(made.sensitivities, plot)
        print(f"wrote {text.printable(str(plot))}")


def _print(made: QuantizedModel, top: int) -> None:
    if made.sensitivities:
        print("the outputs' signal-to-noise ratio where one layer alone is quantized")
        shown = made.sensitivities[:top] if top else made.sensitivities
        rows = [(_decibels(each.snr), each.kind, text.printable(each.layer)) for each in shown]
        width = max(len(row[0]) for row in rows)
        print(text.columns([(row[0].rjust(width), *row[1:]) for row in rows]))
        if hidden := len(made.sensitivities) - len(shown):
            print(f"and {hidden} more, which cost less (--top 0 shows all)")
        print()
    counts = Counter(layer.kind for layer in made.layers).most_common()
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts)
    rows = [
        ("quantized", f"{len(made.layers)} nodes: {kinds}"),
        ("weights", f"{text.size(made.float_bytes)}, now {text.size(made.quantized_bytes)}"),
    ]
    rows += [
        (f"output {text.printable(name)}", f"{_decibels(snr)} signal to noise")
        for name, snr in made.snr.items()
    ]
    print(text.columns(rows, indent=0))


def _decibels(value: float) -> str:
    if math.isinf(value):
        return "exact" if value > 0 else "no signal"
    return f"{value:.1f} dB"
