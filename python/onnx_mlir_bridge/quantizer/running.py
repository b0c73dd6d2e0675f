"""Runs models on calibration data: by this package's own compiler, one run's values at a time."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

from onnx_mlir_bridge.errors import FallbackWarning, OmbError
from onnx_mlir_bridge.importer.save import PROTOBUF_BYTES
from onnx_mlir_bridge.quantizer.model import Model
from onnx_mlir_bridge.quantizer.observers import Extremes, Range, find_range, observer
from onnx_mlir_bridge.quantizer.options import QuantizeOptions
from onnx_mlir_bridge.quantizer.samples import Feeds, Samples
from onnx_mlir_bridge.runtime.session import InferenceSession

Report = Callable[[str], None]

_LEVELS = 256


class Runner:
    """A compiled model and the values that are asked of it."""

    def __init__(
        self, model: Model, outputs: Sequence[str], threads: int | None, own_outputs: bool = True
    ) -> None:
        """`outputs`: values that are given besides the model's own outputs."""
        extra = [name for name in dict.fromkeys(outputs) if name not in model.outputs]
        extra = [name for name in extra if name not in model.inputs]
        proto = model.to_proto(extra)
        if not own_outputs:
            wanted = set(outputs)
            kept = [value for value in proto.graph.output if value.name in wanted]
            copies = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in kept]
            del proto.graph.output[:]
            proto.graph.output.extend(copies)
        with warnings.catch_warnings():
            # Which nodes run on the host matters where the model is used.
            warnings.simplefilter("ignore", FallbackWarning)
            self._session = _session(proto, model, threads)
        self._names = [info.name for info in self._session.get_outputs()]

    def run(self, feeds: Feeds) -> dict[str, np.ndarray]:
        """The values of a run, the inputs among them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FallbackWarning)
            values = self._session.run(None, feeds)
        return {**feeds, **dict(zip(self._names, values, strict=True))}


def _session(proto: ModelProto, model: Model, threads: int | None) -> InferenceSession:
    if model.weight_bytes() < PROTOBUF_BYTES:
        return InferenceSession(proto, providers=["cpu"], threads=threads)
    with tempfile.TemporaryDirectory(prefix="omb-quantize-") as folder:
        path = Path(folder) / "model.onnx"
        onnx.save_model(proto, path, save_as_external_data=True, location="weights")
        return InferenceSession(path, providers=["cpu"], threads=threads)


def each_run(samples: Samples, report: Report, what: str) -> Iterator[Feeds]:
    """The runs, each announced; OmbError where there are none."""
    number = 0
    for feeds in samples:
        number += 1
        report(f"{what}: run {number}")
        yield feeds
    if number == 0:
        raise OmbError("the calibration data have no samples")


def calibrate(
    runner: Runner,
    names: Iterable[str],
    samples: Samples,
    options: QuantizeOptions,
    report: Report,
) -> dict[str, Range]:
    """The ranges of some values."""
    observers: dict[str, Extremes] = {name: observer(options.calibration, name) for name in names}
    for feeds in each_run(samples, report, "Calibrating"):
        values = runner.run(feeds)
        for name, each in observers.items():
            each.update(values[name])
    report("Choosing ranges")
    return {
        name: find_range(each, options.calibration, _LEVELS, options.percentile)
        for name, each in observers.items()
    }
