//===- Broadcasting.h - Shape functions of elementwise ops ------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_BROADCASTING_H
#define OMB_DIALECT_SHAPE_BROADCASTING_H

#include "dialect/shape/Contents.h"

namespace omb::onnx {

/// The result has the shape that all operands broadcast to.
llvm::LogicalResult inferBroadcast(mlir::Operation *op,
                                   ShapeAnalysis &analysis);

/// The result has the shape of the first operand.
llvm::LogicalResult inferSameShape(mlir::Operation *op,
                                   ShapeAnalysis &analysis);

/// inferBroadcast, and the contents of small integer tensors by
/// `evaluate(op, arithmetic, elements)`, which returns null for an unknown.
template <typename OpT, DimExpr (*evaluate)(OpT, const ContentsArithmetic &,
                                            llvm::ArrayRef<DimExpr>)>
llvm::LogicalResult inferBroadcastContents(OpT op, ShapeAnalysis &analysis) {
  if (failed(inferBroadcast(op, analysis)))
    return llvm::failure();
  propagateContents(op, analysis,
                    [&](const ContentsArithmetic &arithmetic,
                        llvm::ArrayRef<DimExpr> elements) {
                      return evaluate(op, arithmetic, elements);
                    });
  return llvm::success();
}

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_BROADCASTING_H
