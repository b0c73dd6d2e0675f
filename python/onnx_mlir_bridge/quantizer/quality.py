"""How much of a model's outputs quantization leaves: signal-to-noise ratios, in dB.

The ratio of an output is the sum of the squares of the float model's numbers, by that of the
squares of the differences; over all samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto, helper

from onnx_mlir_bridge.quantizer.model import Model, clone
from onnx_mlir_bridge.quantizer.placement import Plan
from onnx_mlir_bridge.quantizer.rewrite import Scheme, Writer
from onnx_mlir_bridge.quantizer.running import Report, Runner, each_run
from onnx_mlir_bridge.quantizer.samples import Samples

_FLAGS = "quantized_layers"


class Noise:
    """Signal and noise of outputs, summed up over runs."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self._signal = dict.fromkeys(outputs, 0.0)
        self._noise = dict.fromkeys(outputs, 0.0)

    def update(self, exact: Mapping[str, np.ndarray], rounded: Mapping[str, np.ndarray]) -> None:
        """Add a run."""
        for name in self._signal:
            wanted = exact[name].astype(np.float64)
            self._signal[name] += float(np.square(wanted).sum())
            self._noise[name] += float(np.square(rounded[name] - wanted).sum())

    def ratios(self) -> dict[str, float]:
        """The ratio of each output, in dB: infinite where nothing differs."""
        return {name: _decibels(self._signal[name], self._noise[name]) for name in self._signal}


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def float_outputs(model: Model) -> list[str]:
    """The outputs whose ratios can be told: tensors of floats."""
    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return [name for name in dict.fromkeys(model.outputs) if model.element(name) in floats]


def measure(
    exact: Runner,
    rounded: Runner,
    outputs: Sequence[str],
    samples: Samples,
    report: Report,
) -> dict[str, float]:
    """The ratios of a model's outputs."""
    noise = Noise(outputs)
    for feeds in each_run(samples, report, "Comparing"):
        noise.update(exact.run(feeds), rounded.run(feeds))
    return noise.ratios()


@dataclass(frozen=True)
class Sensitivity:
    """What the outputs lose where one layer alone is quantized: their lowest ratio, in dB."""

    layer: str
    kind: str
    snr: float


@dataclass(frozen=True)
class _Switch:
    """A quantized node. data: the inputs that are rounded; result: what is rounded behind it."""

    number: int
    name: str
    kind: str
    data: tuple[int, ...]
    result: str


def sensitivities(
    model: Model,
    plan: Plan,
    scheme: Scheme,
    outputs: Sequence[str],
    samples: Samples,
    threads: int | None,
    report: Report,
) -> list[Sensitivity]:
    """The ratio for each layer, and each other quantized node, quantized alone; the worst first.

    All are in one model that is compiled once, with an input of switches.
    """
    switches = [
        _Switch(each.number, each.name, each.kind, each.data, plan.results[each.output])
        for each in plan.layers
    ]
    switches += [
        _Switch(each.number, each.name, each.kind, each.data, each.result) for each in plan.steps
    ]
    report("Compiling with switches")
    runner = Runner(_switched(model, plan, scheme, switches), (), threads)
    noises = [Noise(outputs) for _ in switches]
    off = np.zeros(len(switches), bool)
    for feeds in each_run(samples, report, "Quantizing layers one by one"):
        exact = runner.run({**feeds, _FLAGS: off})
        for number, noise in enumerate(noises):
            flags = off.copy()
            flags[number] = True
            noise.update(exact, runner.run({**feeds, _FLAGS: flags}))
    found = [
        Sensitivity(switch.name, switch.kind, min(noise.ratios().values(), default=math.inf))
        for switch, noise in zip(switches, noises, strict=True)
    ]
    return sorted(found, key=lambda each: each.snr)


def _switched(model: Model, plan: Plan, scheme: Scheme, switches: Sequence[_Switch]) -> Model:
    """The model with each quantized node's operands chosen, by a flag, rounded or not."""
    made = model.copy()
    made.frame.graph.input.append(
        helper.make_tensor_value_info(_FLAGS, TensorProto.BOOL, [len(switches)])
    )
    writer = Writer(made, plan, scheme)
    by_number = {switch.number: (at, switch) for at, switch in enumerate(switches)}
    layers = {layer.number: layer for layer in plan.layers}
    results = {switch.result: at for at, switch in enumerate(switches)}
    kept = frozenset(results) - plan.produced  # outputs that stay float
    nodes: list[NodeProto] = []
    chosen: dict[str, str] = {}

    def choose(flag: int, rounded: str, exact: str) -> str:
        index = made.add_constant(f"{_FLAGS}_index", np.asarray(flag, np.int64))
        is_on, result = made.names.new(f"{exact}_flag"), made.names.new(f"{exact}_chosen")
        nodes.append(helper.make_node("Gather", [_FLAGS, index], [is_on]))
        nodes.append(helper.make_node("Where", [is_on, rounded, exact], [result]))
        return result

    for number, original in enumerate(made.nodes):
        node = clone(original)
        for position, name in enumerate(node.input):
            node.input[position] = chosen.get(name, name)
        if number in by_number:
            flag, switch = by_number[number]
            for position in switch.data:
                pair, rounded = writer.pair(original.input[position])
                pair[0].input[0] = node.input[position]
                nodes += pair
                node.input[position] = choose(flag, rounded, node.input[position])
            if number in layers:
                added, inputs = writer.weight_nodes(layers[number])
                nodes += added
                for position, name in inputs.items():
                    node.input[position] = choose(flag, name, node.input[position])
        nodes.append(node)
        for name in node.output:
            if name in results and name not in kept and name not in made.outputs:
                pair, rounded = writer.pair(name)
                nodes += pair
                chosen[name] = choose(results[name], rounded, name)
    made.nodes = nodes
    return made
