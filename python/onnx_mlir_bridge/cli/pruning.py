"""omb prune."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx_mlir_bridge.cli import text
from onnx_mlir_bridge.cli.compiling import check_output, check_writable, write
from onnx_mlir_bridge.pruner import prune as prune_model
from onnx_mlir_bridge.pruner.result import PrunedModel


def prune(model: Path, output: Path, report: Path | None, options: Mapping[str, Any]) -> None:
    """Prune a model, save it, and print what became of it. `options`: of omb.prune()."""
    for path in filter(None, (output, report)):
        check_output(model, str(path))
        check_writable(path)
    made = prune_model(model, **options)
    text.warn(made.notices)
    made.save(output)
    _print(made)
    print(f"wrote {text.printable(str(output))}")
    if report is not None:
        write(str(report), json.dumps(made.report(), indent=2) + "\n")
        print(f"wrote {text.printable(str(report))}")


def _print(made: PrunedModel) -> None:
    rows = [
        (f"{layer.zeros / layer.weights:.1%}", layer.kind, text.printable(layer.name))
        for layer in made.layers
    ]
    print(f"zeros of {len(rows)} layers")
    print(text.columns(rows))
    weights = sum(layer.weights for layer in made.layers)
    zeros = sum(layer.zeros for layer in made.layers)
    print(f"zeros    {zeros / weights:.1%} of {weights:,} weights")
    print(f"weights  {text.size(made.bytes_before)}, now {text.size(made.bytes_after)}")
