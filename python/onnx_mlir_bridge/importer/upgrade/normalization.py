"""Normalization and the softmax family."""

from __future__ import annotations

import onnx

from onnx_mlir_bridge.importer.upgrade.registry import Rewrite, adapts


@adapts("Softmax LogSoftmax Hardmax", 1, 11)
def softmax(rewrite: Rewrite) -> None:
    """Version 13: along one axis; before, over all dimensions from `axis` on, taken as one."""
    axis, rank = rewrite.pop("axis", 1), rewrite.rank()
    if rank is not None and axis in (rank - 1, -1):
        rewrite.set("axis", -1)
        return
    data, operator = rewrite.input(0), rewrite.node.op_type
    shape = rewrite.emit("Shape", [data])
    flat = rewrite.emit("Flatten", [data], axis=axis)
    result = rewrite.emit(operator, [flat], axis=-1)
    # allowzero: a dimension of size 0 is one, not "the same as the input's".
    rewrite.finish("Reshape", [result, shape], allowzero=1)


@adapts("BatchNormalization", 1, 6, 7, 9)
def batch_normalization(rewrite: Rewrite) -> None:
    """BatchNormalization-14: training is asked for by an attribute; always one value a channel."""
    rewrite.drop_unused_outputs(1)
    rewrite.pop("is_test")
    if rewrite.pop("spatial", 1):
        return
    # One mean and variance for every element of a sample, not for every channel.
    data, scale, bias, mean, variance = rewrite.node.input
    epsilon = rewrite.scalar_like(rewrite.pop("epsilon", 1e-5))
    deviation = rewrite.emit("Sqrt", [rewrite.emit("Add", [variance, epsilon])])
    centered = rewrite.emit("Sub", [data, mean])
    scaled = rewrite.emit("Mul", [rewrite.emit("Div", [centered, deviation]), scale])
    rewrite.finish("Add", [scaled, bias])


@adapts("GroupNormalization", 18)
def group_normalization(rewrite: Rewrite) -> None:
    """GroupNormalization-21: scale and bias are given for every channel, not for every group."""
    groups = onnx.helper.get_attribute_value(
        next(a for a in rewrite.node.attribute if a.name == "num_groups")
    )
    channels = rewrite.emit("Shape", [rewrite.input(0)], start=1, end=2)
    size = rewrite.emit("Div", [channels, rewrite.ints([groups])])
    expanded = rewrite.emit("Concat", [rewrite.ints([1]), size], axis=0)
    column, vector = rewrite.ints([-1, 1]), rewrite.ints([-1])
    for index in (1, 2):
        rows = rewrite.emit("Reshape", [rewrite.input(index), column])
        rows = rewrite.emit("Expand", [rows, expanded])
        rewrite.set_input(index, rewrite.emit("Reshape", [rows, vector]))
    if rewrite.element() == onnx.TensorProto.DOUBLE:
        rewrite.set("stash_type", int(onnx.TensorProto.DOUBLE))
