"""The options of omb.quantize(), checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx_mlir_bridge.compiler.options import Progress, check_names, check_progress
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.quantizer.observers import METHODS as CALIBRATIONS

METHODS = ("static", "dynamic", "weight-only")
ACTIVATIONS = ("u8", "i8")
BITS = (4, 8)


_OF_METHODS = {
    "calibration": ("static",),
    "percentile": ("static",),
    "activations": ("static",),
    "quantize_outputs": ("static",),
    "bias_correction": ("static",),
    "equalize": ("static",),
    "sensitivity": ("static",),
    "per_channel": ("static", "dynamic"),
    "bits": ("weight-only",),
    "block_size": ("weight-only",),
    "symmetric": ("weight-only",),
    "signed": ("weight-only",),
}


@dataclass(frozen=True)
class QuantizeOptions:
    """How a model is quantized.

    method: "static": activations and weights are integers, with ranges of the activations that are
    found in calibration data; "dynamic": MatMul and Gemm with constant weights take integers, and
    find the range of their input in each run; "weight-only": the weights of MatMul, Gemm and Gather
    are stored as integers, and all is computed in float.
    calibration: how ranges are found: "min-max", "percentile", "entropy" (the smallest divergence
    of the distributions), or "mse" (the smallest square of the error).
    percentile: how many percent of a tensor's values are in its range.
    activations: "u8" or "i8", both with zero points.
    per_channel: a scale for each output channel of weights, not one for all.
    exclude: names of nodes that stay float, with * ? [] for any characters; a node without a name
    goes by that of its first output. exclude_ops: operators that do.
    quantize_outputs: whether the outputs of the model are rounded to integers as other results are.
    bias_correction: correct the biases by the mean of the error that rounding makes.
    equalize: even out the channels of consecutive layers first, by factors that cancel out.
    bits: 4 or 8. block_size: how many weights share a scale; 0: all of an output channel.
    symmetric: whether the zero points are at the middle. signed: int4 and int8, or uint4 and uint8.
    batch_size: how many samples of an array are one run, where the model takes any number.
    seed: of random data. shapes: of inputs for random data, by name.
    evaluate: measure the signal-to-noise ratio of the outputs.
    sensitivity: measure it for each layer quantized alone, too.
    threads: of calibration, see omb.compile().
    progress: True shows a display on standard error; a function is called with each step's name.
    """

    method: str = "static"
    calibration: str = "min-max"
    percentile: float = 99.99
    activations: str = "u8"
    per_channel: bool = True
    exclude: Sequence[str] = ()
    exclude_ops: Sequence[str] = ()
    quantize_outputs: bool = False
    bias_correction: bool = False
    equalize: bool = False
    bits: int = 4
    block_size: int = 32
    symmetric: bool = True
    signed: bool = True
    batch_size: int | None = None
    seed: int = 0
    shapes: Mapping[str, Sequence[int]] | None = None
    evaluate: bool = True
    sensitivity: bool = False
    threads: int | None = None
    progress: Progress = False

    @staticmethod
    def checked(given: Mapping[str, Any]) -> QuantizeOptions:
        """The options of these names and values; OmbError for one that can't be used."""
        check_names(given, QuantizeOptions)
        options = QuantizeOptions(**given)
        _one_of("method", options.method, METHODS)
        for name in given:
            methods = _OF_METHODS.get(name, METHODS)
            if options.method not in methods:
                raise OmbError(
                    f"{name} is an option of method={' and '.join(map(repr, methods))}, "
                    f"not of {options.method!r}"
                )
        options._check_values()
        if "percentile" in given and options.calibration != "percentile":
            raise OmbError("percentile is for calibration='percentile'")
        return options

    def _check_values(self) -> None:
        _one_of("calibration", self.calibration, CALIBRATIONS)
        _one_of("activations", self.activations, ACTIVATIONS)
        _one_of("bits", self.bits, BITS)
        if not _is_number(self.percentile) or not 50 <= self.percentile <= 100:
            raise OmbError(f"percentile must be from 50 to 100, not {self.percentile!r}")
        if type(self.block_size) is not int or self.block_size < 0:
            raise OmbError(f"block_size must be 0 or a positive integer, not {self.block_size!r}")
        if self.batch_size is not None and (
            type(self.batch_size) is not int or self.batch_size < 1
        ):
            raise OmbError(f"batch_size must be a positive integer, not {self.batch_size!r}")
        for name in ("exclude", "exclude_ops"):
            value = getattr(self, name)
            if isinstance(value, str) or not all(isinstance(each, str) for each in value):
                raise OmbError(f"{name} is a list of strings, not {value!r}")
        check_progress(self.progress)

    @property
    def has_blocks(self) -> bool:
        """Whether weights need what opset 21 has: blocks, or integers of 4 bits."""
        return self.bits == 4 or self.block_size > 0

    @property
    def opset(self) -> int:
        """The lowest opset that has the operators that are written."""
        if self.method == "weight-only":
            return 21 if self.has_blocks else 13
        return 13 if self.method == "static" else 11


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _one_of(name: str, value: object, allowed: Sequence[object]) -> None:
    if value not in allowed or isinstance(value, bool):
        listed = ", ".join(map(repr, allowed))
        raise OmbError(f"{name} must be one of {listed}, not {value!r}")
