//===- ToLinalg.cpp - convert-onnx-to-linalg ------------------------------===//

#include "dialect/ir/OnnxDialect.h"
#include "dialect/transforms/Passes.h"
#include "lowering/Passes.h"
#include "lowering/iree/Dialects.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_CONVERTONNXTOLINALG
#include "lowering/Passes.h.inc"
} // namespace omb

void omb::populateOnnxToLinalgPatterns(const TypeConverter &converter,
                                       RewritePatternSet &patterns) {
  populateActivationToLinalgPatterns(converter, patterns);
  populateCastToLinalgPatterns(converter, patterns);
  populateCol2ImToLinalgPatterns(converter, patterns);
  populateConstantToLinalgPatterns(converter, patterns);
  populateControlFlowToLinalgPatterns(converter, patterns);
  populateConvolutionToLinalgPatterns(converter, patterns);
  populateTransposedConvolutionToLinalgPatterns(converter, patterns);
  populateDataMovementToLinalgPatterns(converter, patterns);
  populateDeformConvToLinalgPatterns(converter, patterns);
  populateDeterminantToLinalgPatterns(converter, patterns);
  populateEinsumToLinalgPatterns(converter, patterns);
  populateElementwiseToLinalgPatterns(converter, patterns);
  populateGridSampleToLinalgPatterns(converter, patterns);
  populateIndexingToLinalgPatterns(converter, patterns);
  populateLogicalToLinalgPatterns(converter, patterns);
  populateMatmulToLinalgPatterns(converter, patterns);
  populateMaxUnpoolToLinalgPatterns(converter, patterns);
  populateNonMaxSuppressionToLinalgPatterns(converter, patterns);
  populateNormalizationToLinalgPatterns(converter, patterns);
  populatePaddingToLinalgPatterns(converter, patterns);
  populatePoolingToLinalgPatterns(converter, patterns);
  populateQuantizationToLinalgPatterns(converter, patterns);
  populateQuantizedConvolutionToLinalgPatterns(converter, patterns);
  populateQuantizedMatmulToLinalgPatterns(converter, patterns);
  populateRandomToLinalgPatterns(converter, patterns);
  populateRearrangingToLinalgPatterns(converter, patterns);
  populateRecurrentToLinalgPatterns(converter, patterns);
  populateReductionToLinalgPatterns(converter, patterns);
  populateReshapingToLinalgPatterns(converter, patterns);
  populateResizeToLinalgPatterns(converter, patterns);
  populateRoiAlignToLinalgPatterns(converter, patterns);
  populateScanToLinalgPatterns(converter, patterns);
  populateScatterToLinalgPatterns(converter, patterns);
  populateSelectionToLinalgPatterns(converter, patterns);
  populateSignalToLinalgPatterns(converter, patterns);
  populateSoftmaxToLinalgPatterns(converter, patterns);
  populateTopKToLinalgPatterns(converter, patterns);
  populateUniqueToLinalgPatterns(converter, patterns);
}

namespace {

/// An op of tensor that onnx-infer-shapes put beside the onnx ops.
template <typename OpT> struct ConvertOperands : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<OpT>(op, adaptor.getOperands());
    return success();
  }
};

using FailureReasons = DenseMap<Location, std::string>;

/// Keeps why the last pattern at a location did not match, on the reason's way
/// to the driver, which drops it.
struct FailureListener : RewriterBase::ForwardingListener {
  FailureListener(OpBuilder::Listener *driver, FailureReasons &reasons)
      : ForwardingListener(driver), reasons(reasons) {}

  void notifyMatchFailure(Location loc,
                          function_ref<void(Diagnostic &)> describe) override {
    Diagnostic diagnostic(loc, DiagnosticSeverity::Remark);
    describe(diagnostic);
    reasons[loc] = diagnostic.str();
    ForwardingListener::notifyMatchFailure(loc, describe);
  }
  FailureReasons &reasons;
};

/// A pattern whose rewriter is listened to while it runs.
struct HeardPattern : RewritePattern {
  HeardPattern(std::unique_ptr<RewritePattern> pattern, FailureReasons &reasons)
      : RewritePattern(pattern->getRootKind()->getStringRef(),
                       pattern->getBenefit(), pattern->getContext()),
        pattern(std::move(pattern)), reasons(reasons) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    OpBuilder::Listener *driver = rewriter.getListener();
    FailureListener listener(driver, reasons);
    rewriter.setListener(&listener);
    LogicalResult result = pattern->matchAndRewrite(op, rewriter);
    rewriter.setListener(driver);
    return result;
  }
  std::unique_ptr<RewritePattern> pattern;
  FailureReasons &reasons;
};

struct ConvertOnnxToLinalg
    : omb::impl::ConvertOnnxToLinalgBase<ConvertOnnxToLinalg> {
  void runOnOperation() override {
    omb::OnnxTypeConverter converter;
    RewritePatternSet patterns(&getContext());
    omb::populateOnnxToLinalgPatterns(converter, patterns);
    FailureReasons reasons;
    for (std::unique_ptr<RewritePattern> &pattern :
         patterns.getNativePatterns())
      if (pattern->getRootKind())
        pattern = std::make_unique<HeardPattern>(std::move(pattern), reasons);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   converter);
    patterns.add<ConvertOperands<tensor::DimOp>,
                 ConvertOperands<tensor::ExtractOp>>(converter, &getContext());
    populateReturnOpTypeConversionPattern(patterns, converter);

    ConversionTarget target(getContext());
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return converter.isSignatureLegal(op.getFunctionType());
    });
    target.addDynamicallyLegalOp<func::ReturnOp>(
        [&](func::ReturnOp op) { return converter.isLegal(op); });
    target.addDynamicallyLegalOp<tensor::DimOp, tensor::ExtractOp>(
        [&](Operation *op) { return converter.isLegal(op); });
    target.addLegalDialect<arith::ArithDialect, cf::ControlFlowDialect,
                           complex::ComplexDialect, linalg::LinalgDialect,
                           math::MathDialect, omb::iree::UtilDialect,
                           scf::SCFDialect, tensor::TensorDialect>();
    target.addLegalOp<UnrealizedConversionCastOp>();

    // Onnx ops are neither legal nor illegal: those that stay are reported
    // here, with the reason, rather than by the driver, without.
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      return signalPassFailure();
    if (reportRemaining(reasons))
      return signalPassFailure();
    SmallVector<UnrealizedConversionCastOp> casts;
    getOperation().walk(
        [&](UnrealizedConversionCastOp op) { casts.push_back(op); });
    reconcileUnrealizedCasts(casts);
  }

  /// Whether onnx ops are left; each is an error.
  bool reportRemaining(const FailureReasons &reasons) {
    bool isFailure = false;
    getOperation().walk([&](Operation *op) {
      if (!isa_and_nonnull<omb::onnx::OnnxDialect>(op->getDialect()) ||
          op->hasTrait<OpTrait::IsTerminator>())
        return;
      isFailure = true;
      auto reason = reasons.find(op->getLoc());
      if (reason == reasons.end())
        op->emitOpError("has no lowering to linalg");
      else
        op->emitOpError("can't be lowered to linalg: ") << reason->second;
    });
    return isFailure;
  }
};

} // namespace

/// Canonicalization, but for a pattern that gives what a loop carries the
/// static type that it has before the first iteration, though it may grow.
static std::unique_ptr<Pass> createSafeCanonicalizer() {
  // A pattern's name is the class's, as one or the other compiler spells it.
  return createCanonicalizerPass(
      GreedyRewriteConfig(), {"{anonymous}::ForOpTensorCastFolder",
                              "(anonymous namespace)::ForOpTensorCastFolder"});
}

void omb::buildToLinalgPipeline(OpPassManager &passes,
                                const ToLinalgOptions &options) {
  onnx::buildSimplifyPipeline(passes);
  passes.addPass(onnx::createDecomposeSequences());
  passes.addPass(onnx::createQdqToQuant());
  onnx::SparsifyConstantsOptions sparse;
  sparse.mode = options.sparse;
  sparse.threshold = options.zeros;
  sparse.costsOf = options.sparseCosts;
  passes.addPass(onnx::createSparsifyConstants(sparse));
  passes.addPass(onnx::createDensifyConstants());
  onnx::QuantToQdqOptions quantized;
  quantized.keepContractions = true;
  passes.addPass(onnx::createQuantToQdq(quantized));
  passes.addPass(onnx::createDequantizeGathered());
  passes.addPass(createConvertOnnxToLinalg());
  passes.addPass(createSafeCanonicalizer());
  passes.addPass(createFoldConstants());
  passes.addPass(createCSEPass());
}
