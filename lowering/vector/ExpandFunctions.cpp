//===- ExpandFunctions.cpp - omb-expand-functions -------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/Functions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_EXPANDFUNCTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

template <typename Op> struct ExpandFunction : OpRewritePattern<Op> {
  ExpandFunction(MLIRContext *context, bool hasAVX512)
      : OpRewritePattern<Op>(context), hasAVX512(hasAVX512) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Value result =
        omb::kernels::buildFunction(rewriter, *op, op.getOperand(), hasAVX512);
    if (!result)
      return rewriter.notifyMatchFailure(op, "is not of f32");
    rewriter.replaceOp(op, result);
    return success();
  }

  bool hasAVX512;
};

struct ExpandFunctions : omb::impl::ExpandFunctionsBase<ExpandFunctions> {
  using ExpandFunctionsBase::ExpandFunctionsBase;

  void runOnOperation() override {
    constexpr unsigned ofAVX512 = 64;
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandFunction<math::ErfOp>, ExpandFunction<math::ExpOp>,
                 ExpandFunction<math::TanhOp>>(&getContext(),
                                               vectorBytes == ofAVX512);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
