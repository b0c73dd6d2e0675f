//===- ReluToLinalg.cpp - An example of a lowering pass -------------------===//
//
// Lowers onnx.Relu to the named op linalg.max.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Activation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace {

struct ReluToMax : OpRewritePattern<omb::onnx::ReluOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(omb::onnx::ReluOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getX().getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the operand's rank isn't known");
    if (type != op.getType())
      return rewriter.notifyMatchFailure(op, "the result has another type");
    if (!isa<FloatType>(type.getElementType()))
      return rewriter.notifyMatchFailure(op, "only floats are lowered");

    Location loc = op.getLoc();
    Value empty = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, op.getX()),
        type.getElementType());
    Value zero = arith::ConstantOp::create(
        rewriter, loc, rewriter.getZeroAttr(type.getElementType()));
    Value zeros =
        linalg::FillOp::create(rewriter, loc, zero, empty).getResult(0);
    rewriter.replaceOpWithNewOp<linalg::MaxOp>(op, ValueRange{op.getX(), zeros},
                                               empty);
    return success();
  }
};

struct ReluToLinalg : PassWrapper<ReluToLinalg, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ReluToLinalg)

  StringRef getArgument() const override { return "example-relu-to-linalg"; }
  StringRef getDescription() const override {
    return "Lower onnx.Relu to linalg.max";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, linalg::LinalgDialect,
                    tensor::TensorDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ReluToMax>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

extern "C" PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "ReluToLinalg", "1.0",
          [] { PassRegistration<ReluToLinalg>(); }};
}
