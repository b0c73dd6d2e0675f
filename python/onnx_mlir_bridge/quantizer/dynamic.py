"""Dynamic quantization: products of integers whose parameters are found in each run.

MatMul and Gemm with constant weights become DynamicQuantizeLinear, MatMulInteger, and the product
of the scales.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper

from onnx_mlir_bridge.quantizer.layers import Layer, attribute, channel_axis
from onnx_mlir_bridge.quantizer.model import Model, clone
from onnx_mlir_bridge.quantizer.weights import Weight, quantize_weight


def dynamic_layers(model: Model, layers: list[Layer]) -> list[Layer]:
    """Those of the layers that can be quantized this way."""
    return [layer for layer in layers if layer.weight == 1 and _fits(model, layer)]


def _fits(model: Model, layer: Layer) -> bool:
    node = model.nodes[layer.number]
    weight = model.constants[node.input[1]]
    if layer.kind == "MatMul":
        return weight.ndim >= 2
    factors = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    return layer.kind == "Gemm" and not attribute(node, "transA", 0) and factors == (1.0, 1.0)


def quantized(model: Model, layers: list[Layer], per_channel: bool) -> Model:
    """A copy of the model in which some layers are products of integers."""
    made = model.copy()
    by_number = {layer.number: layer for layer in layers}
    inputs: dict[str, list[str]] = {}  # value -> its integers, scale and zero point
    weights: dict[tuple[str, bool], tuple[str, str]] = {}
    nodes: list[NodeProto] = []
    for number, node in enumerate(made.nodes):
        if number not in by_number:
            nodes.append(clone(node))
            continue
        data = node.input[0]
        if data not in inputs:
            hints = (f"{data}_quantized", f"{data}_scale", f"{data}_zero_point")
            inputs[data] = [made.names.new(hint) for hint in hints]
            nodes.append(_node("DynamicQuantizeLinear", [data], inputs[data]))
        is_transposed = node.op_type == "Gemm" and bool(attribute(node, "transB", 0))
        key = node.input[1], is_transposed
        if key not in weights:
            weights[key] = _constants(made, node, per_channel, is_transposed)
        nodes += _product(made, node, inputs[data], weights[key])
    made.nodes = nodes
    return made


def _node(op_type: str, inputs: list[str], outputs: list[str], **more: int) -> NodeProto:
    return helper.make_node(op_type, inputs, outputs, name=f"{outputs[0]}/{op_type}", **more)


def _constants(
    model: Model, node: NodeProto, per_channel: bool, is_transposed: bool
) -> tuple[str, str]:
    name = node.input[1]
    array = model.constants[name]
    axis = channel_axis(node, 1, array.ndim) if per_channel else None
    weight: Weight = quantize_weight(array, axis)
    values = weight.values.T if is_transposed else weight.values
    return (
        model.add_constant(f"{name}_quantized", values),
        model.add_constant(f"{name}_scale", np.asarray(weight.scale, np.float32)),
    )


def _product(
    model: Model, node: NodeProto, data: list[str], weight: tuple[str, str]
) -> list[NodeProto]:
    stored, scale, zero = data
    output = node.output[0]
    bias = node.input[2] if len(node.input) > 2 else ""
    names = {what: model.names.new(f"{output}_{what}") for what in ("integers", "float", "scale")}
    scaled = model.names.new(f"{output}_scaled") if bias else output
    nodes = [
        _node("MatMulInteger", [stored, weight[0], zero], [names["integers"]]),
        _node("Cast", [names["integers"]], [names["float"]], to=TensorProto.FLOAT),
        _node("Mul", [scale, weight[1]], [names["scale"]]),
        _node("Mul", [names["float"], names["scale"]], [scaled]),
    ]
    if bias:
        nodes.append(_node("Add", [scaled, bias], [output]))
    return nodes
