#ifndef OMB_LOWERING_PASSES_TD
#define OMB_LOWERING_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertOnnxToLinalg : Pass<"convert-onnx-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower onnx ops to linalg, tensor, arith, math and scf";
  let description = [{
    Replaces every onnx op by linalg on tensors: a named op where there is one,
    `linalg.generic` elsewhere. Unsigned integers become signless, and the names
    of dynamic dimensions (`#onnx.dims`), which decide here whether two
    dimensions can differ, are dropped.

    Fails with one diagnostic for each op that has no lowering, or whose
    lowering doesn't take it; the diagnostic gives the lowering's reason.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect",
    "::mlir::complex::ComplexDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

#endif // OMB_LOWERING_PASSES_TD
