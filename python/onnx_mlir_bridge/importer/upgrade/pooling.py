"""Pooling and region operators, and recurrent ones: attributes with another type or default."""

from __future__ import annotations

from onnx_mlir_bridge.importer.upgrade.registry import Rewrite, adapts


@adapts("LpPool GlobalLpPool", 1)
def lp_pool(rewrite: Rewrite) -> None:
    """Version 2: `p` is an integer."""
    p = rewrite.pop("p", 2.0)
    if p != int(p):
        raise rewrite.fail(f"p is {p}, which is not an integer")
    rewrite.set("p", int(p))
    named = {attribute.name for attribute in rewrite.node.attribute}
    if rewrite.node.op_type == "LpPool" and "kernel_shape" not in named:
        raise rewrite.fail("it has no kernel_shape")


@adapts("RoiAlign", 10)
def roi_align(rewrite: Rewrite) -> None:
    """RoiAlign-16: coordinates are shifted by half a pixel unless told otherwise."""
    rewrite.set("coordinate_transformation_mode", "output_half_pixel")


@adapts("GRU", 1, 3)
@adapts("LSTM RNN", 1)
def recurrent(rewrite: Rewrite) -> None:
    """Version 7: which outputs exist follows from the node; `output_sequence` is gone.

    The default `direction` of GRU-1 has a typing error in the standard.
    """
    rewrite.pop("output_sequence")
    direction = rewrite.pop("direction")
    if direction is not None:
        rewrite.set("direction", "forward" if direction == b"foward" else direction)


@adapts("GridSample", 16)
def grid_sample(rewrite: Rewrite) -> None:
    """GridSample-20: modes are named for any number of dimensions."""
    mode = rewrite.pop("mode", b"bilinear")
    rewrite.set("mode", {b"bilinear": b"linear", b"bicubic": b"cubic"}.get(mode, mode))
