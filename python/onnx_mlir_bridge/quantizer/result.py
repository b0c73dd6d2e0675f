"""What omb.quantize() gives: the model, and what was found out on the way."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from onnx import ModelProto

from onnx_mlir_bridge.importer.save import save_model
from onnx_mlir_bridge.quantizer.quality import Sensitivity


@dataclass(frozen=True)
class QuantizedLayer:
    """A node that was quantized: its name (or that of its first output) and its operator."""

    name: str
    kind: str


@dataclass(frozen=True)
class QuantizedModel:
    """A quantized model.

    model: the ONNX model. method: as it was asked for. layers: the nodes that are quantized, in the
    model's order. float_bytes, quantized_bytes: the size of the weights before and after. snr: of
    each output of floats, its signal-to-noise ratio on the calibration data, in dB; empty if it
    wasn't measured. sensitivities: that of the outputs where one layer alone is quantized, the
    worst first; empty if they weren't asked for. notices: one line each.
    """

    model: ModelProto
    method: str
    layers: tuple[QuantizedLayer, ...]
    float_bytes: int
    quantized_bytes: int
    snr: dict[str, float] = field(default_factory=dict)
    sensitivities: tuple[Sensitivity, ...] = ()
    notices: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file; the weights of one of 2 GB go to `path`.data.

        OmbError where it can't be written. A file that is there is replaced when all is written.
        """
        save_model(self.model, path, self.quantized_bytes)

    def report(self) -> dict[str, Any]:
        """All but the model, for JSON; ratios that are infinite are None."""
        return {
            "method": self.method,
            "layers": [asdict(layer) for layer in self.layers],
            "operators": dict(Counter(layer.kind for layer in self.layers).most_common()),
            "float_bytes": self.float_bytes,
            "quantized_bytes": self.quantized_bytes,
            "snr": {name: _finite(value) for name, value in self.snr.items()},
            "sensitivities": [
                {**asdict(each), "snr": _finite(each.snr)} for each in self.sensitivities
            ],
            "notices": list(self.notices),
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
