#ifndef OMB_DIALECT_TRANSFORMS_PASSES_TD
#define OMB_DIALECT_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def DecomposeSequences
    : Pass<"onnx-decompose-sequences", "::mlir::ModuleOp"> {
  let summary = "Replace sequences and optionals by tensors";
  let description = [{
    A sequence of tensors of rank R becomes two tensors: all values, one tensor
    after the other in row-major order, and the shapes, a row of R sizes for
    each tensor. An optional becomes a `tensor<i1>`, whether there is a value,
    and what the value becomes; something of the right type stands in for an
    absent one. This holds for the arguments and results of functions, for what
    `onnx.If` gives and for what `onnx.Loop` carries, too; the attributes of an
    argument or result are repeated for each tensor that it becomes.

    A position that is out of range and the value of an absent optional end the
    run (`cf.assert`).

    Runs after `onnx-infer-shapes`, which finds the ranks, and infers the shapes
    of what it makes. Does nothing to a module without sequences and optionals.
    Fails where the tensors of a sequence are known to differ in rank, or their
    rank isn't known.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def InferShapes : Pass<"onnx-infer-shapes", "::mlir::ModuleOp"> {
  let summary = "Derive the shapes of all values, and fold what shapes compute";
  let description = [{
    Gives every value the most precise type that follows from the types of the
    entry function's arguments: static sizes where they are known, and names for
    the dynamic ones (`#onnx.dims`), so that dimensions known to be equal can be
    recognized. Small integer tensors whose contents follow from the sizes of
    tensors (a `Shape`, and what is computed from it) are replaced: by
    `onnx.Constant` where they are known, else by `tensor.from_elements` of what
    `tensor.dim` and `arith` compute, so that no shape is computed on a device.

    An `onnx.If` whose condition follows from sizes is replaced by the branch
    that it takes. Where its branches give results of different ranks, and the
    ops that follow accept one of the ranks only, it is replaced by the branch
    that gives this rank, after a `cf.assert` of the condition.

    Fails where the operands of an op can't have the shapes that they have.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

#endif // OMB_DIALECT_TRANSFORMS_PASSES_TD
