"""What omb.quantize() gives: the model, and what was found out on the way."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.quantizer.quality import Sensitivity
from onnx_mlir_bridge.quantizer.running import PROTOBUF_BYTES
from onnx_mlir_bridge.runtime.artifact import replacing


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
        path = Path(path)
        try:
            if self.quantized_bytes < PROTOBUF_BYTES:
                with replacing(path) as file:
                    file.write(self.model.SerializeToString())
                return
            # onnx moves the weights out of the model that it is given.
            copy = ModelProto()
            copy.CopyFrom(self.model)
            data = f"{path.name}.data"
            (path.parent / data).unlink(missing_ok=True)
            onnx.save_model(copy, path, save_as_external_data=True, location=data)
        except OSError as error:
            raise OmbError(f"'{path}' can't be written: {error.strerror or error}") from None

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
