//===- ElementwisePattern.h - The pattern of elementwise ops ----*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_ELEMENTWISEPATTERN_H
#define OMB_LOWERING_TO_LINALG_ELEMENTWISEPATTERN_H

#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

namespace omb {

/// Lowers an op whose result's elements are each computed from one element of
/// every operand, by `compute(op, scalars, elements)`. f16, bf16 and the types
/// below them are computed in f32 and rounded once.
template <typename OpT,
          mlir::Value (*compute)(OpT, Scalars &, mlir::ValueRange)>
struct ElementwiseToGeneric : mlir::OpConversionPattern<OpT> {
  using mlir::OpConversionPattern<OpT>::OpConversionPattern;

  llvm::LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  mlir::ConversionPatternRewriter &rewriter) const override {
    mlir::Type converted =
        this->getTypeConverter()->convertType(op->getResult(0).getType());
    auto result = llvm::dyn_cast_if_present<mlir::RankedTensorType>(converted);
    if (!result)
      return rewriter.notifyMatchFailure(
          op, "the result's rank or its element type is unknown to linalg");
    for (mlir::Type type : op->getOperandTypes())
      if (!llvm::isa<mlir::RankedTensorType>(type))
        return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    // The last operand: Where's first is its condition.
    mlir::Type elementType =
        mlir::getElementTypeOrSelf(op->getOperands().back());
    auto body = [&](mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::ValueRange elements) {
      Scalars scalars(builder, loc, elementType);
      llvm::SmallVector<mlir::Value> widened;
      for (mlir::Value element : elements)
        widened.push_back(scalars.widen(element));
      return scalars.narrow(compute(op, scalars, widened),
                            result.getElementType());
    };
    rewriter.replaceOp(
        op,
        buildElementwise(
            rewriter, op.getLoc(), adaptor.getOperands(), op->getOperandTypes(),
            llvm::cast<mlir::RankedTensorType>(op->getResult(0).getType()),
            body));
    return llvm::success();
  }
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_ELEMENTWISEPATTERN_H
