#ifndef OMB_DIALECT_SHAPE_SHAPEINFERENCE_TD
#define OMB_DIALECT_SHAPE_SHAPEINFERENCE_TD

include "mlir/IR/OpBase.td"

def ShapeInferenceOpInterface : OpInterface<"ShapeInferenceOpInterface"> {
  let cppNamespace = "::omb::onnx";
  let description = [{
    An op that derives the shapes of its results, and where they are small
    integer tensors that shapes depend on also their contents, from those of
    its operands. An op with regions infers those too.
  }];
  let methods = [InterfaceMethod<
      [{Records in `analysis` what is known of the results. Fails, with a
        diagnostic, where the operands can't have these shapes.}],
      "::llvm::LogicalResult", "inferShapes",
      (ins "::omb::onnx::ShapeAnalysis &":$analysis)>];
}

#endif // OMB_DIALECT_SHAPE_SHAPEINFERENCE_TD
