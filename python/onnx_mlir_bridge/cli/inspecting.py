"""omb inspect and omb devices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_mlir_bridge.cli import text
from onnx_mlir_bridge.cli.running import is_saved
from onnx_mlir_bridge.cli.text import printable

if TYPE_CHECKING:
    from onnx_mlir_bridge.compiler.inspection import Inspection, Operator, Weight

_MAX_PROBLEMS = 10


def devices(as_json: bool) -> None:
    """Print the machine's devices, the one that is taken by default first."""
    from onnx_mlir_bridge.runtime.devices import devices

    found = devices()
    if as_json:
        print(json.dumps([asdict(device) for device in found], indent=2))
    else:
        print(text.columns([(device.name, str(device)) for device in found], indent=0))


def inspect(path: Path, as_json: bool) -> None:
    """Print what is in an ONNX model or a saved one."""
    if is_saved(path):
        _saved(path, as_json)
        return
    from onnx_mlir_bridge.compiler.inspection import inspect as inspect_model
    from onnx_mlir_bridge.compiler.progress import reporting

    with reporting(True) as report:
        report("Inspecting")
        found = inspect_model(path)
    if as_json:
        document = asdict(found)
        for kind in ("inputs", "outputs"):
            for value in document[kind]:
                del value["element"]  # the number behind the name in "type"
        print(json.dumps(document, indent=2))
    else:
        _print(found)


def _print(found: Inspection) -> None:
    print(f"opset     {found.opset}")
    if found.producer:
        print(f"producer  {printable(found.producer)}")
    if found.graph:
        print(f"graph     {printable(found.graph)}")
    for kind, values in (("inputs", found.inputs), ("outputs", found.outputs)):
        rows = [(printable(v.name), v.type, text.shape(v.shape)) for v in values]
        _section(kind, rows)
    rows = []
    for operator in found.operators:
        rows.append((operator.name, str(operator.count), _state(operator)))
    _section(f"operators: {sum(operator.count for operator in found.operators)}", rows)
    parameters = found.parameters
    total = text.size(sum(p.bytes for p in parameters))
    _section(
        f"parameters: {sum(p.values for p in parameters):,}, {total}",
        [(p.element, f"{p.values:,}", text.size(p.bytes), _tensors(p.tensors)) for p in parameters],
    )
    _section(
        f"sparse weights: {len(found.sparse)}",
        [
            (
                printable(w.name),
                text.shape(w.shape),
                f"{w.zeros:.1%} zeros",
                f"compiled {w.form}",
                _expected(w),
            )
            for w in found.sparse
        ],
    )
    _section("warnings", [(printable(warning),) for warning in found.warnings])
    _section(f"on the host ({found.parts} parts in all)", _first(found.host))
    _section(
        "compiled at the first run, and anew for each value of an input", _first(found.specialized)
    )
    _section("can't be compiled", _first(found.problems))


def _expected(weight: Weight) -> str:
    """The predicted gain, and what is stored."""
    estimate = weight.estimate
    if estimate is None:
        return ""
    return (
        f"{estimate.form}: {estimate.time:.2f} of the dense time, "
        f"{text.size(estimate.bytes)} of {text.size(estimate.dense_bytes)}"
    )


def _state(operator: Operator) -> str:
    states = []
    for count, what in (
        (operator.on_host, "on the host"),
        (operator.failing, "can't be compiled"),
    ):
        if count:
            states.append(what if count == operator.count else f"{count} {what}")
    return ", ".join(states) or "compiles"


def _first(lines: Sequence[str]) -> list[tuple[str, ...]]:
    """The first lines as rows, and how many more there are."""
    rows = [(printable(line),) for line in lines[:_MAX_PROBLEMS]]
    if len(lines) > _MAX_PROBLEMS:
        rows.append((f"and {len(lines) - _MAX_PROBLEMS} more (--json has all)",))
    return rows


def _tensors(count: int) -> str:
    return "in 1 tensor" if count == 1 else f"in {count} tensors"


def _section(title: str, rows: list[tuple[str, ...]]) -> None:
    if rows:
        print(title)
        print(text.columns(rows))


def _saved(path: Path, as_json: bool) -> None:
    from onnx_mlir_bridge.runtime.artifact import DevicePart, read

    artifact = read(path)
    described = artifact.description
    compiled = [part for part in artifact.parts if isinstance(part, DevicePart)]
    code = sum(part.module.nbytes for part in compiled)
    weights = sum(part.weights.nbytes for part in compiled if part.weights is not None)
    on_host = len(artifact.parts) - len(compiled)
    if as_json:
        document: dict[str, Any] = described.to_json()
        document["code_bytes"] = code
        document["weights_bytes"] = weights
        document["parts"] = len(artifact.parts)
        document["parts_on_host"] = on_host
        print(json.dumps(document, indent=2))
        return
    print(f"compiled for  {described.provider} {printable(described.machine)}".rstrip())
    if described.features:
        print(f"needs         {printable(' '.join(described.features))}")
    for name, version in (described.versions or {}).items():
        print(printable(f"made by       {name} {version}"))
    print(f"code          {text.size(code)}")
    print(f"weights       {text.size(weights)}")
    if on_host:
        print(f"parts         {len(artifact.parts)}, of which {on_host} on the host")
    signature = described.signature
    for kind, infos in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        _section(kind, [(printable(i.name), i.type, text.shape(i.dims)) for i in infos])
