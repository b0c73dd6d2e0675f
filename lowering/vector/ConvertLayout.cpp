//===- ConvertLayout.cpp - omb-convert-layout -----------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/ChannelsLast.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_CONVERTLAYOUT
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

struct ConvertLayout : omb::impl::ConvertLayoutBase<ConvertLayout> {
  using ConvertLayoutBase::ConvertLayoutBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    omb::kernels::populateConvolutionLayoutPatterns(patterns, named);
    omb::kernels::populateLayoutPropagationPatterns(patterns,
                                                    /*movesPools=*/!named);
    linalg::TransposeOp::getCanonicalizationPatterns(patterns, context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    getOperation().walk([](linalg::TransposeOp op) {
      op->removeAttr(omb::kernels::kChannelsSecondAttrName);
    });
  }
};

} // namespace
