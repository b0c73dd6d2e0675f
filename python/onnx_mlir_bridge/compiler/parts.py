"""What a model is compiled in: parts for the device and parts for the host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnx_mlir_bridge.compiler import pipeline
from onnx_mlir_bridge.compiler.source import Source
from onnx_mlir_bridge.runtime.signature import ModelMetadata, Signature

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir


@dataclass(frozen=True)
class HostNode:
    """A node that runs on the host: its name in messages, and why.

    operators: its own and those in its subgraphs, as the onnx dialect names them.
    """

    name: str
    reason: str
    operators: Counter[str]


class DevicePart:
    """A part of a model that is compiled, or all of it."""

    def __init__(self, part: Source, passes: str, linalg: ir.Operation | None = None) -> None:
        """`passes`: from the onnx dialect to linalg. `linalg`: what they give, if it is known."""
        self.source = part
        self._passes = passes
        self._linalg = linalg

    @property
    def signature(self) -> Signature:
        """What the compiled code takes and gives."""
        return self.source.signature

    def take_linalg(self) -> ir.Operation:
        """The module lowered to linalg, for the caller to change."""
        linalg, self._linalg = self._linalg, None
        if linalg is None:
            return pipeline.to_linalg(self.source.module.operation, self._passes)
        return linalg


@dataclass(frozen=True)
class HostPart:
    """A part of a model that onnx's evaluator runs. model: a serialized ModelProto."""

    signature: Signature
    model: bytes
    nodes: tuple[HostNode, ...]


@dataclass(frozen=True)
class PlacedModel:
    """A model in parts, in the order in which they run."""

    signature: Signature
    metadata: ModelMetadata
    warnings: tuple[str, ...]
    parts: tuple[DevicePart | HostPart, ...]

    @property
    def whole(self) -> DevicePart | None:
        """The only part, where all of the model is compiled as one."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, DevicePart) else None

    @property
    def host_nodes(self) -> tuple[HostNode, ...]:
        """The nodes that run on the host."""
        return tuple(n for part in self.parts if isinstance(part, HostPart) for n in part.nodes)


_MAX_LISTED = 20


def host_message(nodes: Sequence[HostNode]) -> str:
    """One line that says which nodes run on the host, and why."""
    by_reason: dict[str, list[str]] = {}
    for node in nodes:
        by_reason.setdefault(node.reason, []).append(node.name)
    listed = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
        listed.append(f"{', '.join(names[:_MAX_LISTED])}{more}: {reason}")
    count = "1 node runs" if len(nodes) == 1 else f"{len(nodes)} nodes run"
    return f"{count} on the host, not on the device: {'; '.join(listed)}"
