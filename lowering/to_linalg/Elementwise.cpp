//===- Elementwise.cpp - Lowering of elementwise arithmetic ---------------===//

#include "dialect/ir/ops/Elementwise.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// One element of the result of `op`; `type` is the operands' element type
/// before conversion, which knows signed from unsigned.
Value computeScalar(AddOp, OpBuilder &b, Location loc, Type type,
                    ValueRange operands) {
  if (isa<FloatType>(type))
    return arith::AddFOp::create(b, loc, operands[0], operands[1]);
  return arith::AddIOp::create(b, loc, operands[0], operands[1]);
}

template <typename OpT>
struct ElementwiseToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the result's rank isn't known");
    Type elementType = getElementTypeOrSelf(op->getOperand(0).getType());
    rewriter.replaceOp(
        op, omb::buildElementwise(
                rewriter, op.getLoc(), adaptor.getOperands(),
                op->getOperandTypes(), type,
                [&](OpBuilder &b, Location loc, ValueRange operands) {
                  return computeScalar(op, b, loc, elementType, operands);
                }));
    return success();
  }
};

} // namespace

void omb::populateElementwiseToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  patterns.add<ElementwiseToGeneric<AddOp>>(converter, patterns.getContext());
}
