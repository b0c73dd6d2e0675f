"""A model's way through the quantizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import value_info
from onnx_mlir_bridge.quantizer import blocks, dynamic
from onnx_mlir_bridge.quantizer.correction import correct_biases
from onnx_mlir_bridge.quantizer.equalization import equalize
from onnx_mlir_bridge.quantizer.layers import Exclusion, find_layers
from onnx_mlir_bridge.quantizer.model import Model, load
from onnx_mlir_bridge.quantizer.options import QuantizeOptions
from onnx_mlir_bridge.quantizer.placement import Plan, plan
from onnx_mlir_bridge.quantizer.prepare import fold_constants, fold_factors, prepare
from onnx_mlir_bridge.quantizer.quality import (
    Sensitivity,
    float_outputs,
    measure,
    sensitivities,
)
from onnx_mlir_bridge.quantizer.result import QuantizedLayer, QuantizedModel
from onnx_mlir_bridge.quantizer.rewrite import Scheme
from onnx_mlir_bridge.quantizer.rewrite import quantized as write_pairs
from onnx_mlir_bridge.quantizer.running import Runner, calibrate
from onnx_mlir_bridge.quantizer.samples import Samples, inputs_of, samples

if TYPE_CHECKING:
    from onnx_mlir_bridge.importer.load import ModelSource

    Data: TypeAlias = "str | PathLike[str] | Iterable[Mapping[str, Any]] | None"


class Quantization:
    """One call of omb.quantize()."""

    def __init__(
        self,
        source: ModelSource,
        data: Data,
        random: int | None,
        options: QuantizeOptions,
        report: Callable[[str], None],
    ) -> None:
        self._options = options
        self._report = report
        report("Reading the model")
        self._model = load(source, options.opset)
        self._notices = self._model.notices
        self._excluded = Exclusion(options.exclude, options.exclude_ops)
        self._excluded.check(self._model.nodes)
        self._samples = self._open(data, random)
        if random is not None:
            self._notices.append(
                "the calibration data are random: ranges and ratios of such data are only good "
                "for measuring speed"
            )

    def _open(self, data: Data, random: int | None) -> Samples | None:
        options = self._options
        if data is None and random is None:
            if options.method == "static":
                raise OmbError(
                    "static quantization needs calibration data: a .npz file, a folder of them, or "
                    "an iterable of dicts; or quantize with method='dynamic' or 'weight-only'"
                )
            if options.sensitivity:
                raise OmbError("sensitivities are measured on calibration data; give some")
        if isinstance(data, PathLike):
            data = Path(fspath(data))
        if data is None and random is None and not options.shapes and not options.batch_size:
            return None
        inputs = inputs_of([value_info(value) for value in self._model.frame.graph.input])
        return samples(
            data,
            random,
            inputs,
            batch_size=options.batch_size,
            seed=options.seed,
            shapes=options.shapes or {},
        )

    def result(self) -> QuantizedModel:
        """Quantizes; once."""
        method = {
            "static": self._static,
            "dynamic": self._dynamic,
            "weight-only": self._weight_only,
        }
        try:
            return method[self._options.method]()
        finally:
            if self._samples is not None:
                self._samples.close()

    # --- static ---------------------------------------------------------------------------------

    def _static(self) -> QuantizedModel:
        options, report = self._options, self._report
        model = prepare(self._model, self._excluded)
        if options.equalize:
            pairs = equalize(model, self._excluded)
            self._notices.append(f"the channels of {pairs} pairs of layers are evened out")
        found = plan(model, self._excluded, options.quantize_outputs)
        self._need(found.layers)
        report("Compiling the float model")
        exact = Runner(model, found.observed(), options.threads)
        ranges = calibrate(exact, found.observed(), self._samples, options, report)
        scheme = Scheme(ranges, options.activations, options.per_channel)
        if options.bias_correction:
            corrected = model.copy()
            arguments = (found, scheme, self._samples, options.threads, report)
            count = correct_biases(corrected, *arguments)
            self._notices.append(f"the biases of {count} layers are corrected")
            # Layers without a bias have one now.
            found = plan(corrected, self._excluded, options.quantize_outputs)
            made = write_pairs(corrected, found, scheme)
        else:
            made = write_pairs(model, found, scheme)
        names = [(layer.number, layer.name, layer.kind) for layer in found.layers]
        names += [(step.number, step.name, step.kind) for step in found.steps]
        layers = [QuantizedLayer(name, kind) for _, name, kind in sorted(names)]
        result = self._made(made, layers, exact)
        if options.sensitivity:
            result = replace(result, sensitivities=self._sensitivities(model, scheme))
        return result

    def _sensitivities(self, model: Model, scheme: Scheme) -> tuple[Sensitivity, ...]:
        found: Plan = plan(model, self._excluded, self._options.quantize_outputs)
        outputs = self._outputs()
        if not outputs:
            raise OmbError("sensitivities need an output of floats, which the model hasn't")
        return tuple(
            sensitivities(
                model, found, scheme, outputs, self._samples, self._options.threads, self._report
            )
        )

    # --- dynamic and weight-only ----------------------------------------------------------------

    def _dynamic(self) -> QuantizedModel:
        model = self._model.copy()
        fold_constants(model)
        fold_factors(model)
        layers = dynamic.dynamic_layers(model, find_layers(model, self._excluded))
        self._need(layers)
        self._report("Quantizing")
        made = dynamic.quantized(model, layers, self._options.per_channel)
        return self._made(made, [QuantizedLayer(layer.name, layer.kind) for layer in layers])

    def _weight_only(self) -> QuantizedModel:
        model = self._model.copy()
        fold_constants(model)
        places = blocks.find_weights(model, self._excluded, self._options)
        self._need(places)
        self._report("Quantizing")
        made = blocks.quantized(model, places, self._options)
        return self._made(made, [QuantizedLayer(place.name, place.kind) for place in places])

    # --- what all have in common ----------------------------------------------------------------

    def _need(self, layers: Sequence[object]) -> None:
        if layers:
            return
        wanted = {
            "static": "Conv, ConvTranspose, MatMul or Gemm of float32",
            "dynamic": "MatMul or Gemm of float32 with constant weights",
            "weight-only": "MatMul, Gemm or Gather with constant weights of float32",
        }[self._options.method]
        excluded = self._options.exclude or self._options.exclude_ops
        raise OmbError(
            "there is nothing to quantize: the model's main graph has no "
            f"{wanted}{' that is not excluded' if excluded else ''}"
        )

    def _outputs(self) -> list[str]:
        return float_outputs(self._model)

    def _made(
        self, made: Model, layers: Sequence[QuantizedLayer], exact: Runner | None = None
    ) -> QuantizedModel:
        """The result; `exact`: the float model, if it is compiled already."""
        options = self._options
        snr: dict[str, float] = {}
        outputs = self._outputs()
        if options.evaluate and self._samples is not None and outputs:
            if exact is None:
                self._report("Compiling the float model")
                exact = Runner(self._model, (), options.threads)
            self._report("Compiling the quantized model")
            rounded = Runner(made, (), options.threads)
            snr = measure(exact, rounded, outputs, self._samples, self._report)
        return QuantizedModel(
            model=made.to_proto(),
            method=options.method,
            layers=tuple(layers),
            float_bytes=self._model.weight_bytes(),
            quantized_bytes=made.weight_bytes(),
            snr=snr,
            notices=tuple(self._notices),
        )
