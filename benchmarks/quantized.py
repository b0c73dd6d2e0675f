"""The quantized models, made of the exported ones on first use and kept beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import suite

SAMPLES = 4
"""Runs whose values give the ranges. The data are random, as the models' weights are."""


def _static(model: Path, target: Path) -> None:
    """QDQ, a scale for each channel of a weight, by ONNX Runtime's quantizer."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            seeds = range(100, 100 + SAMPLES)
            self._left: Iterator[Mapping[str, np.ndarray]] = (
                suite.inputs(model, seed) for seed in seeds
            )

        def get_next(self) -> dict[str, np.ndarray] | None:
            values = next(self._left, None)
            return values and dict(values)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(prepared, target, Samples(), per_channel=True, **types)


def _weights(model: Path, target: Path) -> None:
    """Weights of 4 bits in blocks of 32, by our own quantizer; all is computed in float32."""
    import onnx_mlir_bridge as omb

    options = {"method": "weight-only", "bits": 4, "block_size": 32}
    omb.quantize(model, evaluate=False, **options).save(target)


@dataclass(frozen=True)
class Method:
    """How a model is quantized; ``title`` is for a table."""

    title: str
    quantize: Callable[[Path, Path], None]


METHODS = {
    "resnet50": Method("int8", _static),
    "mobilenetv2": Method("int8", _static),
    "bert": Method("int8", _static),
    suite.TOKEN: Method("4-bit weights", _weights),
}


def find(model: Path) -> Path:
    """The quantized file of an exported one that METHODS names."""
    method = METHODS[model.stem]
    path = model.with_name(f"{model.stem}-{method.title.replace(' ', '-')}.onnx")
    return suite.kept(path, lambda part: method.quantize(model, part))
