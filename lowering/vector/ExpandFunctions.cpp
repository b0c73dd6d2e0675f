//===- ExpandFunctions.cpp - omb-expand-functions -------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/RationalFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_EXPANDFUNCTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

template <typename Op> struct ExpandRational : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Value result = omb::kernels::buildRational(rewriter, *op, op.getOperand());
    if (!result)
      return rewriter.notifyMatchFailure(op, "is not of f32");
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct ExpandFunctions : omb::impl::ExpandFunctionsBase<ExpandFunctions> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandRational<math::ErfOp>, ExpandRational<math::TanhOp>>(
        &getContext());
    FrozenRewritePatternSet frozen(std::move(patterns));
    for (auto function : getOperation().getOps<func::FuncOp>())
      walkAndApplyPatterns(function, frozen);
  }
};

} // namespace
