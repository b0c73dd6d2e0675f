"""A pass written in Python: squares written as Pow(x, 2) become Mul(x, x).

    python examples/python_pass.py MODEL.onnx

Imports the model, runs the pass between two of the project's own, and prints the onnx dialect.
"""

from __future__ import annotations

import sys

import onnx_mlir_bridge as omb
from onnx_mlir_bridge._mlir import passmanager
from onnx_mlir_bridge._mlir.dialects import onnx
from onnx_mlir_bridge._mlir.ir import DenseFPElementsAttr, InsertionPoint, Module, Operation
from onnx_mlir_bridge._mlir.rewrite import (
    PatternRewriter,
    RewritePatternSet,
    apply_patterns_and_fold_greedily,
)


def square_to_mul(op: onnx.PowOp, rewriter: PatternRewriter) -> bool | None:
    """Rewrites `op` where its exponent is the constant 2; returns True where it does not match."""
    constant = op.Y.owner
    if constant.name != "onnx.Constant" or op.Z.type != op.X.type:
        return True
    exponent = constant.attributes["value"]
    if not isinstance(exponent, DenseFPElementsAttr) or not exponent.is_splat or exponent[0] != 2.0:
        return True
    with InsertionPoint(op):
        product = onnx.MulOp(op.Z.type, op.X, op.X, loc=op.location)
    rewriter.replace_op(op, product)
    return None


def squares_to_mul(op: Operation, _: object) -> None:
    """The pass: applies the pattern to everything in `op`."""
    patterns = RewritePatternSet()
    patterns.add(onnx.PowOp, square_to_mul)
    apply_patterns_and_fold_greedily(op, patterns.freeze())


def run(module: Module) -> None:
    """Runs the pass on `module`, after shapes are known and before what is unused goes."""
    with module.context:
        passes = passmanager.PassManager("builtin.module")
        passes.add("onnx-infer-shapes")
        passes.add(squares_to_mul)
        passes.add("canonicalize")
        passes.run(module.operation)


if __name__ == "__main__":
    imported = omb.import_model(sys.argv[1])
    run(imported)
    print(imported)
