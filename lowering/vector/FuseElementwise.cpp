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

struct FuseElementwise : omb::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<GeneralizeElementwise>(context);
    linalg::populateElementwiseOpsFusionPatterns(
        patterns, [](OpOperand *operand) {
          auto consumer = cast<linalg::GenericOp>(operand->getOwner());
          return operand->get().hasOneUse() && linalg::isElementwise(consumer);
        });
    // What comes after a product is computed in the product's shape.
    linalg::populateFoldReshapeOpsByCollapsingPatterns(
        patterns, [](OpOperand *operand) {
          auto reshape = operand->get().getDefiningOp<tensor::ExpandShapeOp>();
          return reshape && reshape->hasOneUse() &&
                 reshape.getSrc().getDefiningOp<linalg::UnPackOp>();
        });
    tensor::EmptyOp::getCanonicalizationPatterns(patterns, context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
