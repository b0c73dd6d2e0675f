"""The quantizer: from a float ONNX model to one of integers, with operators of the standard.

options.py       how a model is quantized
model.py         the model in parts, nodes and constants apart
layers.py        which nodes multiply by weights
prepare.py       what goes into weights and biases first
equalization.py  evens out the channels of consecutive layers
samples.py       calibration data
observers.py     from the values of a tensor to the range of its integers
running.py       runs models on calibration data
placement.py     what is quantized: static
rewrite.py       writes that into the model
weights.py       integers for constants
correction.py    corrects biases
dynamic.py       what is quantized, and how it is written: dynamic
blocks.py        the same of weight-only
quality.py       signal-to-noise ratios
plot.py          a picture of them
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_mlir_bridge.importer.load import ModelSource
    from onnx_mlir_bridge.quantizer.result import QuantizedModel


def quantize(
    model: ModelSource,
    data: str | PathLike[str] | Iterable[Mapping[str, Any]] | None = None,
    *,
    random: int | None = None,
    **options: Any,  # noqa: ANN401 - checked there
) -> QuantizedModel:
    """Quantize an ONNX model of float32.

    model: a path, the bytes or the ModelProto of an ONNX model of any opset.
    data: calibration data, for method="static" and to measure what is lost. The path of a .npz file
    with an array for each input, or of a folder of such files; or an iterable of dicts from the
    names of the inputs to arrays, each of which is one run. An array in a file has one dimension
    more than the input, and each index of the first one is a run; or as many, and it is one run;
    but if the model's first dimension is a fixed size, or `batch_size` is given, it is cut into
    runs of that size.
    random: take as many runs of random numbers, whose ranges are only good for measuring speed.
    options: see onnx_mlir_bridge.quantizer.options.QuantizeOptions.

    The model is compiled and run here on the CPU. OmbError for models, data and options that can't
    be used.
    """
    from onnx_mlir_bridge.compiler.progress import reporting
    from onnx_mlir_bridge.quantizer.options import QuantizeOptions
    from onnx_mlir_bridge.quantizer.quantization import Quantization

    checked = QuantizeOptions.checked(options)
    with reporting(checked.progress) as report:
        return Quantization(model, data, random, checked, report).result()
