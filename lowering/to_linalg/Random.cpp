//===- Random.cpp - Lowering of random numbers ----------------------------===//

#include "dialect/ir/ops/Random.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// Dropout outside of training, which keeps everything.
struct DropoutToTensor : OpConversionPattern<DropoutOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DropoutOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (Value mode = op.getTrainingMode()) {
      std::optional<SmallVector<int64_t>> known =
          omb::getConstantIntegers(mode);
      if (!known)
        return rewriter.notifyMatchFailure(
            op, "'training_mode' is decided at run time; only inference is "
                "lowered");
      if (!llvm::is_contained(*known, 0))
        return rewriter.notifyMatchFailure(
            op, "it is in training mode; only inference is lowered");
    }
    Location loc = op.getLoc();
    auto type = getTypeConverter()->convertType(op.getOutput().getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    SmallVector<Value> results{
        omb::castTensor(rewriter, loc, adaptor.getData(), type)};
    if (op.getMask()) {
      auto maskType = getTypeConverter()->convertType<RankedTensorType>(
          op.getMask().getType());
      if (!maskType || !isa<RankedTensorType>(adaptor.getData().getType()))
        return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
      Value init = omb::createEmpty(
          rewriter, loc, maskType,
          omb::IndexArithmetic(rewriter, loc).sizes(adaptor.getData()));
      Value yes =
          arith::ConstantOp::create(rewriter, loc, rewriter.getBoolAttr(true));
      results.push_back(
          linalg::FillOp::create(rewriter, loc, yes, init).getResult(0));
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void omb::populateRandomToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<DropoutToTensor>(converter, patterns.getContext());
}
