"""What omb.prune() gives: the model, and what became of its layers."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from onnx import ModelProto

from onnx_mlir_bridge.importer.save import save_model


@dataclass(frozen=True)
class PrunedLayer:
    """A node whose weights were pruned: its name (or that of its first output) and its operator.

    weights: how many it has. zeros: how many of them are zero now. kept: the root of the share of
    the weights' sum of squares that is left.
    """

    name: str
    kind: str
    weights: int
    zeros: int
    kept: float


@dataclass(frozen=True)
class PrunedModel:
    """A pruned model.

    model: the ONNX model. layers: the nodes that were pruned, in the model's order. bytes_before,
    bytes_after: the size of their weights in the file. notices: one line each.
    """

    model: ModelProto
    layers: tuple[PrunedLayer, ...]
    bytes_before: int
    bytes_after: int
    notices: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file; the weights of one of 2 GB go to `path`.data.

        OmbError where it can't be written. A file that is there is replaced when all is written.
        """
        save_model(self.model, path, self.model.ByteSize())

    def report(self) -> dict[str, Any]:
        """All but the model, for JSON."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "notices": list(self.notices),
        }
