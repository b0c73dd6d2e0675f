"""Operators whose attributes became inputs: shapes, axes, bounds, sizes."""

from __future__ import annotations

import numpy as np
import onnx

from onnx_mlir_bridge.importer.upgrade.registry import Rewrite, adapts


@adapts("Reshape", 1)
def reshape(rewrite: Rewrite) -> None:
    """Reshape-5: `shape` is an input."""
    shape = rewrite.pop("shape")
    if shape is None:
        raise rewrite.fail("it has no shape")
    rewrite.set_input(1, rewrite.ints(shape))


@adapts("Squeeze Unsqueeze", 1, 11)
def squeeze(rewrite: Rewrite) -> None:
    """Squeeze-13, Unsqueeze-13: `axes` is an input."""
    axes = rewrite.pop("axes")
    if axes is not None:
        rewrite.set_input(1, rewrite.ints(axes))


@adapts("ReduceSum", 1, 11)
@adapts("ReduceMax ReduceMin", 1, 11, 12, 13)
@adapts(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMean ReduceProd ReduceSumSquare",
    1,
    11,
    13,
)
def reduce(rewrite: Rewrite) -> None:
    """ReduceSum-13, the others in 18: `axes` is an input; none or an empty list means all."""
    axes = rewrite.pop("axes")
    if axes:
        rewrite.set_input(1, rewrite.ints(axes))


@adapts("Slice", 1)
def slice_(rewrite: Rewrite) -> None:
    """Slice-10: `starts`, `ends` and `axes` are inputs."""
    starts, ends, axes = rewrite.pop("starts"), rewrite.pop("ends"), rewrite.pop("axes")
    if len(starts) != len(ends) or (axes is not None and len(axes) != len(starts)):
        raise rewrite.fail("starts, ends and axes differ in length")
    rewrite.set_input(1, rewrite.ints(starts))
    rewrite.set_input(2, rewrite.ints(ends))
    rewrite.set_input(3, rewrite.ints(axes if axes is not None else range(len(starts))))


@adapts("Split", 1, 2, 11)
def split(rewrite: Rewrite) -> None:
    """Split-13: `split` is an input. Split-1 had an input too, of the element type of the data."""
    sizes = rewrite.pop("split")
    given = rewrite.input(1)
    if given:
        rewrite.set_input(1, rewrite.emit("Cast", [given], to=onnx.TensorProto.INT64))
    elif sizes:
        rewrite.set_input(1, rewrite.ints(sizes))
    split_evenly(rewrite)


@adapts("Split", 13)
def split_evenly(rewrite: Rewrite) -> None:
    """Split-18: without sizes, the number of outputs is an attribute."""
    if not rewrite.input(1):
        del rewrite.node.input[1:]
        rewrite.set("num_outputs", len(rewrite.node.output))


@adapts("Pad", 1, 2)
def pad(rewrite: Rewrite) -> None:
    """Pad-2: `paddings` becomes `pads`. Pad-11: `pads` and `value` are inputs."""
    pads = rewrite.pop("paddings" if rewrite.since == 1 else "pads")
    value = rewrite.pop("value", 0.0)
    rewrite.set_input(1, rewrite.ints(pads))
    if value != 0.0:
        rewrite.set_input(2, rewrite.scalar_like(value))


@adapts("Clip", 1, 6)
def clip(rewrite: Rewrite) -> None:
    """Clip-11: `min` and `max` are inputs of the element type of the data."""
    for index, name in ((1, "min"), (2, "max")):
        bound = rewrite.pop(name)
        if bound is not None:
            rewrite.set_input(index, rewrite.scalar_like(bound))


@adapts("TopK", 1)
def top_k(rewrite: Rewrite) -> None:
    """TopK-10: `k` is an input."""
    rewrite.set_input(1, rewrite.ints([rewrite.pop("k")]))


@adapts("DFT", 17)
def dft(rewrite: Rewrite) -> None:
    """DFT-20: `axis` is an input, with another default."""
    axis = rewrite.pop("axis", 1)
    rewrite.set_input(2, rewrite.constant(np.array(axis, dtype=np.int64)))


@adapts("Dropout", 1, 6, 7, 10)
def dropout(rewrite: Rewrite) -> None:
    """Dropout-12: `ratio` is an input, and the op passes its input through unless told to train.

    The mask is of type bool since version 10; before, of the type of the data. `is_test` (before
    7) is ignored as by everybody who runs models: inference it is.
    """
    rewrite.pop("is_test")
    ratio = rewrite.pop("ratio", 0.5)
    rewrite.set_input(1, rewrite.constant(np.array(ratio, dtype=np.float32)))
    node = rewrite.node
    if rewrite.since >= 10 or len(node.output) < 2 or not node.output[1]:
        return
    mask = node.output[1]
    node.output[1] = rewrite.scope.names.new(f"{mask}/bool")
    rewrite.nodes.append(node)
    rewrite.emit("CastLike", [node.output[1], node.input[0]], [mask])
    rewrite.keep = False


@adapts("Tile", 1)
def tile(rewrite: Rewrite) -> None:
    """Tile-6: one number of repeats for every axis, in place of `tiles` and `axis`."""
    data, tiles, axis = rewrite.node.input
    one = onnx.numpy_helper.from_array(np.array([1], dtype=np.int64))
    minus_one = rewrite.ints([-1])
    rank = rewrite.emit("Shape", [rewrite.emit("Shape", [data])])
    ones = rewrite.emit("ConstantOfShape", [rank], value=one)
    index, count = (
        rewrite.emit(
            "Reshape",
            [rewrite.emit("Cast", [name], to=onnx.TensorProto.INT64), minus_one],
        )
        for name in (axis, tiles)
    )
    repeats = rewrite.emit("ScatterElements", [ones, index, count], axis=0)
    rewrite.finish("Tile", [data, repeats])


@adapts("Concat", 1)
def concat(rewrite: Rewrite) -> None:
    """Concat-4: `axis` has no default; it was 1."""
    rewrite.set("axis", rewrite.pop("axis", 1))


@adapts("Scatter", 9)
def scatter(rewrite: Rewrite) -> None:
    """Scatter-11 is deprecated: ScatterElements does the same."""
    rewrite.node.op_type = "ScatterElements"
