"""Writes pairs of QuantizeLinear and DequantizeLinear into a model, as a plan says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from onnx_mlir_bridge.quantizer.layers import Layer, channel_axis, groups
from onnx_mlir_bridge.quantizer.model import Model, clone
from onnx_mlir_bridge.quantizer.observers import Range
from onnx_mlir_bridge.quantizer.placement import Plan
from onnx_mlir_bridge.quantizer.weights import (
    Parameters,
    Weight,
    activation_parameters,
    least_scales,
    quantize_bias,
    quantize_weight,
)


@dataclass(frozen=True)
class Scheme:
    """The integers of a model. ranges: of the values that tell them."""

    ranges: Mapping[str, Range]
    activations: str
    per_channel: bool


class Writer:
    """Makes the nodes and constants of pairs; each constant is there once."""

    def __init__(self, model: Model, plan: Plan, scheme: Scheme) -> None:
        self.model = model
        self._plan = plan
        self._scheme = scheme
        self._constants: dict[str, tuple[str, str]] = {}
        self._weights: dict[tuple[str, bytes, int | None], str] = {}

    def parameters(self, name: str) -> Parameters:
        """Of a quantized value."""
        found = self._scheme.ranges[self._plan.source(name)]
        return activation_parameters(found, self._scheme.activations)

    def pair(self, name: str) -> tuple[list[NodeProto], str]:
        """A QuantizeLinear and a DequantizeLinear of a value, and what they give."""
        source = self._plan.source(name)
        if source not in self._constants:
            found = self.parameters(name)
            self._constants[source] = (
                self.model.add_constant(f"{source}_scale", np.asarray(found.scale)),
                self.model.add_constant(f"{source}_zero_point", found.zero),
            )
        parameters = self._constants[source]
        stored = self.model.names.new(f"{name}_quantized")
        result = self.model.names.new(f"{name}_dequantized")
        return [
            self._node("QuantizeLinear", [name, *parameters], stored),
            self._node("DequantizeLinear", [stored, *parameters], result),
        ], result

    def _node(self, op_type: str, inputs: list[str], output: str, **more: int) -> NodeProto:
        return helper.make_node(op_type, inputs, [output], name=f"{output}/{op_type}", **more)

    def constant(
        self, hint: str, values: np.ndarray, scale: np.ndarray, axis: int | None
    ) -> tuple[NodeProto, str]:
        """A constant of integers, dequantized."""
        stored = self.model.add_constant(f"{hint}_quantized", values)
        parameters = [
            self.model.add_constant(f"{hint}_scale", np.asarray(scale, np.float32)),
            self.model.add_constant(f"{hint}_zero_point", np.zeros(scale.shape, values.dtype)),
        ]
        result = self.model.names.new(f"{hint}_dequantized")
        more = {} if axis is None or scale.ndim == 0 else {"axis": axis}
        return self._node("DequantizeLinear", [stored, *parameters], result, **more), result

    def weight(self, layer: Layer) -> Weight:
        """The weight of a layer, as integers."""
        node = self.model.nodes[layer.number]
        array = self.model.constants[node.input[layer.weight]]
        axis = channel_axis(node, layer.weight, array.ndim) if self._scheme.per_channel else None
        least = None
        if layer.bias is not None:
            bias = self.model.constants[node.input[layer.bias]]
            least = least_scales(bias, self._input_scale(layer))
            if node.op_type == "ConvTranspose":  # a scale for all groups
                least = least.reshape(groups(node), -1).max(axis=0)
        return quantize_weight(array, axis, least)

    def _input_scale(self, layer: Layer) -> np.float32:
        node = self.model.nodes[layer.number]
        return self.parameters(node.input[layer.data[0]]).scale

    def weight_nodes(self, layer: Layer) -> tuple[list[NodeProto], dict[int, str]]:
        """What dequantizes a layer's weight and bias, and what becomes of those inputs."""
        if layer.weight is None:
            return [], {}
        node = self.model.nodes[layer.number]
        name = node.input[layer.weight]
        weight = self.weight(layer)
        # Layers that share a weight share its integers, if they have the same scales.
        key = name, weight.scale.tobytes(), weight.axis
        nodes: list[NodeProto] = []
        if key not in self._weights:
            constants = weight.values, weight.scale, weight.axis
            added, self._weights[key] = self.constant(name, *constants)
            nodes.append(added)
        inputs = {layer.weight: self._weights[key]}
        if layer.bias is not None:
            name = node.input[layer.bias]
            scale = weight.scale
            if scale.ndim and node.op_type == "ConvTranspose":
                scale = np.tile(scale, groups(node))
            values, scale = quantize_bias(
                self.model.constants[name], self._input_scale(layer), scale
            )
            added, result = self.constant(name, values, scale, 0)
            nodes.append(added)
            inputs[layer.bias] = result
        return nodes, inputs


def quantized(model: Model, plan: Plan, scheme: Scheme) -> Model:
    """A copy of the model with the pairs of a plan."""
    made = model.copy()
    writer = Writer(made, plan, scheme)
    layers = {layer.number: layer for layer in plan.layers}
    through_pair = {place: name for name, places in plan.edges.items() for place in places}
    dequantized: dict[str, str] = {}
    nodes: list[NodeProto] = []
    for number, original in enumerate(made.nodes):
        node = clone(original)
        for position, name in enumerate(node.input):
            if (number, position) in through_pair and name not in dequantized:
                added, dequantized[name] = writer.pair(name)
                nodes += added
            if (number, position) in through_pair or name in plan.produced:
                node.input[position] = dequantized[name]
        if number in layers:
            added, inputs = writer.weight_nodes(layers[number])
            nodes += added
            for position, name in inputs.items():
                node.input[position] = name
        nodes.append(node)
        for position, name in enumerate(node.output):
            if name not in plan.produced:
                continue
            if name in made.outputs:
                # The output keeps its name: it is what is dequantized.
                node.output[position] = made.names.new(f"{name}_float")
                _append_output_pair(writer, nodes, node.output[position], name)
                dequantized[name] = name
            else:
                added, dequantized[name] = writer.pair(name)
                nodes += added
    made.nodes = nodes
    return made


def _append_output_pair(
    writer: Writer, nodes: list[NodeProto], float_name: str, output: str
) -> None:
    added, _ = writer.pair(output)
    added[0].input[0] = float_name
    added[1].output[0] = output
    writer.model.types[float_name] = writer.model.types[output]
    nodes += added
