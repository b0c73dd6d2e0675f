"""The stages of a compilation, as text for people: what emit() gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from onnx_mlir_bridge.compiler import pipeline
from onnx_mlir_bridge.compiler.options import CompileOptions
from onnx_mlir_bridge.compiler.parts import DevicePart, HostPart, PlacedModel
from onnx_mlir_bridge.compiler.targets import Target
from onnx_mlir_bridge.errors import OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir

STAGES = ("onnx", "linalg", "vector", "iree", "vmfb")
"""What emit() can give, in the order of compilation."""

SOURCE_STAGES = STAGES[:3]
"""Those that come before what is done for IREE."""

_SEPARATOR = "// -----\n"
"""What mlir-opt --split-input-file separates modules by."""


def check(stage: str) -> str:
    """The stage; OmbError for a name that isn't one."""
    if stage not in STAGES:
        raise OmbError(f"there is no stage {stage!r}; emit one of {', '.join(STAGES)}")
    return stage


def hand_offs(
    placed: PlacedModel, target: Target, options: CompileOptions
) -> list[pipeline.HandOff | None]:
    """What IREE gets for each part; None for the host's."""
    found: list[pipeline.HandOff | None] = []
    for number, part in enumerate(placed.parts):
        if isinstance(part, HostPart):
            found.append(None)
            continue
        linalg = part.take_linalg()
        pipeline.separate_random_streams(linalg, number)
        pipeline.to_vector(linalg, target, options)
        found.append(pipeline.to_iree(linalg, target))
    return found


def emit_source(placed: PlacedModel, stage: str, target: Target, options: CompileOptions) -> str:
    """The text of a stage out of SOURCE_STAGES; OmbError for "vector" where there are no CPUs."""
    if stage == "vector" and target.provider != "cpu":
        raise OmbError(
            f"the stage 'vector' is the CPU's; {target.provider} goes from linalg to IREE, "
            "see 'iree'"
        )

    def lowered(part: DevicePart) -> ir.Operation:
        if stage == "onnx":
            return part.source.module.operation
        linalg = part.take_linalg()
        if stage == "vector":
            pipeline.to_vector(linalg, target, options)
        return linalg

    texts = (
        pipeline.readable(lowered(part)) if isinstance(part, DevicePart) else None
        for part in placed.parts
    )
    return _joined(placed, texts, with_host=stage == "onnx")


def emit_hand_offs(placed: PlacedModel, handed_off: Sequence[pipeline.HandOff | None]) -> str:
    """The text of the stage "iree"; `handed_off`: what hand_offs() gave."""
    texts = (
        pipeline.hand_off_text(each, locations=False).decode() if each else None
        for each in handed_off
    )
    return _joined(placed, texts)


def _joined(placed: PlacedModel, texts: Iterator[str | None], with_host: bool = False) -> str:
    """The modules, one after the other where a model has several parts."""
    if placed.whole is not None:
        return next(texts) or ""
    sections = []
    for number, (part, text) in enumerate(zip(placed.parts, texts, strict=True), 1):
        title = f"// part {number} of {len(placed.parts)}"
        if isinstance(part, HostPart):
            names = ", ".join(node.name for node in part.nodes)
            title += f", on the host: {names or 'constants'}"
            text = _host_text(part) if with_host else None
        sections.append(f"{title}\n{text.rstrip()}\n" if text else f"{title}\n")
    return _SEPARATOR.join(sections)


def _host_text(part: HostPart) -> str:
    from onnx_mlir_bridge.importer import import_model

    return pipeline.readable(import_model(part.model).operation)
