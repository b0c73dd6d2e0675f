"""Bias correction: the mean error of each layer's result, found on calibration data, taken off.

Each layer is computed of the float model's values, once with them and its weight, and once with
both rounded; so that the errors of the layers before it, which are corrected too, don't count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto, helper

from onnx_mlir_bridge.quantizer.layers import Layer, channels
from onnx_mlir_bridge.quantizer.model import Index, Model, clone
from onnx_mlir_bridge.quantizer.placement import Plan, bias_add
from onnx_mlir_bridge.quantizer.prepare import set_bias
from onnx_mlir_bridge.quantizer.rewrite import Scheme, Writer
from onnx_mlir_bridge.quantizer.running import Report, Runner, each_run
from onnx_mlir_bridge.quantizer.samples import Samples


def correct_biases(
    model: Model,
    plan: Plan,
    scheme: Scheme,
    samples: Samples,
    threads: int | None,
    report: Report,
) -> int:
    """Corrects the biases of the layers that have one, or can have one, in place; how many."""
    layers = [layer for layer in plan.layers if _bias_place(model, layer) is not None]
    if not layers:
        return 0
    report("Compiling for bias correction")
    twin, names = _twin(model, plan, scheme, layers)
    runner = Runner(twin, [name for pair in names for name in pair], threads, own_outputs=False)
    sums = [0.0] * len(layers)
    count = 0
    for feeds in each_run(samples, report, "Correcting biases"):
        values = runner.run(feeds)
        count += 1
        for number, (exact, rounded) in enumerate(names):
            error = values[exact].astype(np.float64) - values[rounded]
            sums[number] = sums[number] + error.reshape(-1)
    for layer, total in zip(layers, sums, strict=True):
        _add(model, layer, total / count)
    return len(layers)


def _bias_place(model: Model, layer: Layer) -> tuple[NodeProto, int] | None:
    """The node, and which input of it, that has a layer's bias or can have one."""
    node = model.nodes[layer.number]
    if layer.weight != 1:
        return None
    if layer.kind == "MatMul":
        found = bias_add(model, Index(model), layer.output)
        weight = model.constants[node.input[1]]
        if found is None or weight.ndim != 2 or not model.rank(layer.output):
            return None
        size = model.constants[found[0].input[found[1]]].size
        return found if size == weight.shape[1] else None
    has_other = len(node.input) > 2 and node.input[2] and layer.bias is None
    return None if has_other else (node, 2)


def _twin(
    model: Model, plan: Plan, scheme: Scheme, layers: Sequence[Layer]
) -> tuple[Model, list[tuple[str, str]]]:
    """The float model and each layer's rounded twin, without biases; the names of their means."""
    made = model.copy()
    writer = Writer(made, plan, scheme)
    by_number = {layer.number: layer for layer in layers}
    names: list[tuple[str, str]] = []
    nodes: list[NodeProto] = []
    for number, node in enumerate(made.nodes):
        nodes.append(node)
        layer = by_number.get(number)
        if layer is None:
            continue
        pair, rounded_data = writer.pair(node.input[0])
        weights, inputs = writer.weight_nodes(layer)
        nodes += [*pair, *weights]
        means = []
        for data, weight in ((node.input[0], node.input[1]), (rounded_data, inputs[1])):
            result = made.names.new(f"{layer.output}_unbiased")
            twin = clone(node)
            del twin.input[:], twin.output[:]
            twin.name = result
            twin.input.extend([data, weight])
            twin.output.append(result)
            nodes.append(twin)
            means.append(_mean(made, nodes, layer, result))
        names.append((means[0], means[1]))
    made.nodes = nodes
    return made, names


def _mean(model: Model, nodes: list[NodeProto], layer: Layer, value: str) -> str:
    """The mean of each channel of a value."""
    node = model.nodes[layer.number]
    rank = model.constants[node.input[1]].ndim
    if layer.kind == "MatMul":
        rank = model.rank(layer.output) or rank
    channel = 1 if layer.kind.startswith("Conv") else rank - 1
    axes = [axis for axis in range(rank) if axis != channel]
    result = model.names.new(f"{value}_mean")
    inputs, more = [value], {"axes": axes}
    if model.opset >= 18:
        inputs, more = [value, model.add_constant(f"{value}_axes", np.asarray(axes))], {}
    nodes.append(helper.make_node("ReduceMean", inputs, [result], keepdims=0, **more))
    count = channels(node, model.constants[node.input[1]])
    model.types[result] = helper.make_tensor_type_proto(TensorProto.FLOAT, [count])
    return result


def _add(model: Model, layer: Layer, error: np.ndarray) -> None:
    node, position = _bias_place(model, layer)
    if layer.kind != "MatMul":
        bias = 0.0 if layer.bias is None else model.constants[node.input[2]].reshape(-1)
        set_bias(model, node, bias + error)
        return
    bias = model.constants[node.input[position]]
    corrected = (bias.reshape(-1) + error).astype(bias.dtype).reshape(bias.shape)
    node.input[position] = model.add_constant(node.input[position], corrected)
