"""Elementwise operators: broadcasting before opset 7, type names, changed defaults."""

from __future__ import annotations

import onnx

from onnx_mlir_bridge.importer.upgrade.registry import Rewrite, adapts


@adapts("Add Sub Mul Div", 1, 6)
@adapts("Pow And Or Xor Equal Greater Less", 1)
def broadcast(rewrite: Rewrite) -> None:
    """Version 7: numpy's broadcasting, in place of `broadcast` and the `axis` where B starts."""
    enabled, axis = rewrite.pop("broadcast", 0), rewrite.pop("axis")
    if not enabled or axis is None:
        return
    rank_a, rank_b = rewrite.rank(0), rewrite.rank(1)
    if rank_a is None or rank_b is None:
        raise rewrite.fail("the ranks of its inputs, which its broadcasting needs, are unknown")
    start = axis + rank_a if axis < 0 else axis
    behind = rank_a - start - rank_b
    if not 0 <= start <= rank_a or behind < 0:
        raise rewrite.fail(f"B of rank {rank_b} does not fit A of rank {rank_a} at axis {axis}")
    if behind:
        axes = rewrite.ints(range(rank_b, rank_b + behind))
        rewrite.set_input(1, rewrite.emit("Unsqueeze", [rewrite.input(1), axes]))


@adapts("PRelu", 1, 6)
def prelu(rewrite: Rewrite) -> None:
    """PRelu-7: numpy's broadcasting; before, a vector of slopes was one for every channel."""
    rank, slope_rank = rewrite.rank(0), rewrite.rank(1)
    if rank is None or slope_rank is None:
        raise rewrite.fail("the ranks of its inputs, which its broadcasting needs, are unknown")
    if slope_rank == 1 and rank > 2:
        axes = rewrite.ints(range(1, rank - 1))
        rewrite.set_input(1, rewrite.emit("Unsqueeze", [rewrite.input(1), axes]))


@adapts("Cast", 1)
def cast(rewrite: Rewrite) -> None:
    """Cast-6: `to` is a number; before, the type's name."""
    name = rewrite.pop("to", b"").decode(errors="replace").upper()
    if name not in onnx.TensorProto.DataType.keys():  # noqa: SIM118
        raise rewrite.fail(f"there is no element type '{name}'")
    rewrite.set("to", onnx.TensorProto.DataType.Value(name))


@adapts("Selu", 1)
def selu(rewrite: Rewrite) -> None:
    """Selu-6: more digits in the defaults."""
    rewrite.set("alpha", rewrite.pop("alpha", 1.6732))
    rewrite.set("gamma", rewrite.pop("gamma", 1.0507))


@adapts("Gemm", 1, 6)
def gemm(rewrite: Rewrite) -> None:
    """Gemm-7: C is always broadcast, as numpy does."""
    rewrite.pop("broadcast")
