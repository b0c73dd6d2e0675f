//===- FuseElementwise.cpp - omb-fuse-elementwise -------------------------===//

#include "lowering/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "lowering/Passes.h.inc"
} // namespace omb

/// Whether `value` is a packed product, perhaps in another shape.
static bool isProduct(Value value) {
  if (auto reshape = value.getDefiningOp<tensor::ExpandShapeOp>())
    value = reshape.getSrc();
  return value.getDefiningOp<linalg::UnPackOp>();
}

namespace {

/// A named operation on each element becomes a generic one, which can be fused.
struct GeneralizeElementwise : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (isa<linalg::FillOp, linalg::TransposeOp>(op) ||
        !(linalg::isElementwise(op) || isa<linalg::BroadcastOp>(op)))
      return rewriter.notifyMatchFailure(op, "isn't elementwise");
    return linalg::generalizeNamedOp(rewriter, op);
  }
};

/// One op of two, of which one reads a product. (Upstream's patterns for this
/// also take constants into all ops; of an op without inputs that two sums
/// read, IREE 3.13 then makes wrong numbers.)
struct FuseAroundProduct : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp consumer,
                                PatternRewriter &rewriter) const override {
    if (!linalg::isElementwise(consumer))
      return rewriter.notifyMatchFailure(consumer, "isn't elementwise");
    bool readsProduct = llvm::any_of(consumer.getDpsInputs(), isProduct);
    for (OpOperand *operand : consumer.getDpsInputOperands()) {
      auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
      if (!producer || !producer->hasOneUse() ||
          !(readsProduct || llvm::any_of(producer.getDpsInputs(), isProduct)) ||
          !linalg::areElementwiseOpsFusable(operand))
        continue;
      FailureOr<linalg::ElementwiseOpFusionResult> fused =
          linalg::fuseElementwiseOps(rewriter, operand);
      if (failed(fused))
        continue;
      rewriter.replaceOp(consumer, fused->fusedOp->getResults().take_back(
                                       consumer->getNumResults()));
      rewriter.eraseOp(producer);
      return success();
    }
    return rewriter.notifyMatchFailure(consumer, "has no part of an epilogue");
  }
};

struct FuseElementwise : omb::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    // In the shapes that there are, then in that of the product.
    if (failed(fuse(/*collapse=*/false)) || failed(fuse(/*collapse=*/true)))
      signalPassFailure();
  }

private:
  LogicalResult fuse(bool collapse) {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<GeneralizeElementwise, FuseAroundProduct>(context);
    if (collapse)
      linalg::populateFoldReshapeOpsByCollapsingPatterns(
          patterns, [](OpOperand *operand) {
            auto reshape =
                operand->get().getDefiningOp<tensor::ExpandShapeOp>();
            return reshape && reshape->hasOneUse() && isProduct(reshape);
          });
    tensor::EmptyOp::getCanonicalizationPatterns(patterns, context);
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};

} // namespace
