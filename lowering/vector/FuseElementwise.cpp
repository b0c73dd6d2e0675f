//===- FuseElementwise.cpp - omb-fuse-elementwise -------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/ReadNarrowed.h"
#include "lowering/vector/SparseContraction.h"
#include "lowering/vector/Winograd.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "lowering/Passes.h.inc"
} // namespace omb

/// Whether `value` is a packed product, perhaps in another shape, or what
/// omb-winograd-convolutions made of one.
static bool isProduct(Value value) {
  if (omb::kernels::isWinogradOutput(value) ||
      omb::kernels::isImageProduct(value))
    return true;
  if (auto reshape = value.getDefiningOp<tensor::ExpandShapeOp>())
    value = reshape.getSrc();
  return value.getDefiningOp<linalg::UnPackOp>();
}

static bool readsProduct(linalg::GenericOp op) {
  return llvm::any_of(op.getDpsInputs(), isProduct);
}

/// Adds the products that `op` reads, and those that elementwise ops which it
/// could be one with read.
static void collectProducts(linalg::GenericOp op,
                            llvm::SmallSetVector<Value, 2> &products) {
  constexpr size_t most = 8; // of a sum of hundreds, the first say enough
  for (Value input : op.getDpsInputs()) {
    if (products.size() >= most)
      return;
    auto producer = input.getDefiningOp<linalg::GenericOp>();
    if (isProduct(input))
      products.insert(input);
    else if (producer && producer->hasOneUse() &&
             linalg::isElementwise(producer))
      collectProducts(producer, products);
  }
}

/// The products that `op` depends on, in the order in which they are computed.
static SmallVector<Value> getProducts(linalg::GenericOp op) {
  llvm::SmallSetVector<Value, 2> products;
  collectProducts(op, products);
  SmallVector<Value> sorted(products.begin(), products.end());
  llvm::stable_sort(sorted, [](Value lhs, Value rhs) {
    return lhs.getParentBlock() == rhs.getParentBlock() &&
           lhs.getDefiningOp()->isBeforeInBlock(rhs.getDefiningOp());
  });
  return sorted;
}

/// Whether `value` is what is done to a product. (What a normalization gives is
/// kept as exact as it is.)
static bool isOfProduct(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  return op && linalg::isElementwise(op) && !getProducts(op).empty();
}

/// Whether `op` makes wider elements of a tensor's, and nothing else.
static bool widens(linalg::GenericOp op) {
  auto getWidth = [](Value value) {
    return getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  };
  return op.getNumDpsInputs() == 1 && !readsProduct(op) &&
         getWidth(op.getDpsInputs()[0]) < getWidth(op.getResult(0));
}

/// Whether `op` is read by what depends on a later product: there, it is better
/// made wide than stored wide.
static bool isWidenedLater(linalg::GenericOp op) {
  if (!op->hasOneUse() || !widens(op))
    return false;
  auto user = dyn_cast<linalg::GenericOp>(*op->user_begin());
  if (!user || !linalg::isElementwise(user))
    return false;
  SmallVector<Value> own = getProducts(op), all = getProducts(user);
  return !own.empty() && !all.empty() && own.back() != all.back();
}

/// Whether `producer` depends on products, but not on the last of those that
/// `consumer` depends on. As one op they would be the epilogue of one product,
/// and the others' sums would be written to memory as they are.
static bool isOfEarlierProduct(linalg::GenericOp producer,
                               linalg::GenericOp consumer) {
  SmallVector<Value> all = getProducts(consumer), own = getProducts(producer);
  return !own.empty() && !all.empty() && !llvm::is_contained(own, all.back());
}

/// Whether `value` is a packed product, or what becomes part of its epilogue.
static bool isKernel(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  return isProduct(value) ||
         (op && linalg::isElementwise(op) && readsProduct(op));
}

/// Whether `operand` of an elementwise op is a product in fewer dimensions, as
/// that of a grouped convolution, for nothing else.
static bool isCollapsedKernel(OpOperand *operand) {
  auto reshape = operand->get().getDefiningOp<tensor::CollapseShapeOp>();
  auto user = dyn_cast<linalg::GenericOp>(operand->getOwner());
  // What others read, too, can't have an epilogue.
  return reshape && user && linalg::isElementwise(user) &&
         reshape->hasOneUse() && reshape.getSrc().hasOneUse() &&
         isKernel(reshape.getSrc());
}

/// Whether `operand` is a product, or what becomes part of its epilogue, in
/// more dimensions for nothing else.
static bool isExpandedKernel(OpOperand *operand) {
  auto reshape = operand->get().getDefiningOp<tensor::ExpandShapeOp>();
  return reshape && reshape->hasOneUse() &&
         (isProduct(reshape) || isKernel(reshape.getSrc()));
}

/// Whether `op` reads `value`, perhaps through elementwise ops that nothing
/// else reads.
static bool readsThrough(linalg::GenericOp op, Value value) {
  return llvm::any_of(op.getDpsInputs(), [&](Value input) {
    auto producer = input.getDefiningOp<linalg::GenericOp>();
    return input == value ||
           (producer && producer->hasOneUse() &&
            linalg::isElementwise(producer) && readsThrough(producer, value));
  });
}

/// Whether `producer` and `consumer` read the same of a product, as those of x
/// and erf(x) do: once they are one op, what they read has one reader.
static bool shareOfProduct(linalg::GenericOp producer,
                           linalg::GenericOp consumer) {
  return linalg::isElementwise(producer) &&
         llvm::any_of(consumer.getDpsInputs(), [&](Value shared) {
           return !shared.hasOneUse() && isOfProduct(shared) &&
                  readsThrough(producer, shared);
         });
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

/// What is read at the only place of some dimensions, as the (d3, 0, 0) of a
/// number for each channel, is read without them: kernels read vectors of the
/// last dimension.
struct ReadWithoutUnits : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!linalg::isElementwise(op))
      return rewriter.notifyMatchFailure(op, "isn't elementwise");
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    SmallVector<Value> inputs = op.getDpsInputs();
    bool isChanged = false;
    for (auto [input, map] : llvm::zip_first(inputs, maps)) {
      SmallVector<AffineExpr> kept;
      SmallVector<ReassociationIndices> groups = groupUnits(input, map, kept);
      if (groups.empty())
        continue;
      input = rewriter.createOrFold<tensor::CollapseShapeOp>(op.getLoc(), input,
                                                             groups);
      map = AffineMap::get(map.getNumDims(), 0, kept, rewriter.getContext());
      isChanged = true;
    }
    if (!isChanged)
      return rewriter.notifyMatchFailure(op, "reads no dimensions of 1");
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputsMutable().assign(inputs);
      op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    });
    return success();
  }

private:
  /// The dimensions of `input`, a group for each that isn't read at 0, which
  /// `kept` gets; none if there is nothing to drop.
  static SmallVector<ReassociationIndices>
  groupUnits(Value input, AffineMap map, SmallVector<AffineExpr> &kept) {
    SmallVector<ReassociationIndices> groups;
    auto type = dyn_cast<RankedTensorType>(input.getType());
    if (!type)
      return {};
    ReassociationIndices units;
    for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
      if (isa<AffineConstantExpr>(expr)) {
        if (type.getDimSize(dim) != 1)
          return {};
        (groups.empty() ? units : groups.back()).push_back(dim);
        continue;
      }
      groups.push_back(std::exchange(units, {}));
      groups.back().push_back(dim);
      kept.push_back(expr);
    }
    return kept.size() < map.getNumResults()
               ? groups
               : SmallVector<ReassociationIndices>();
  }
};

/// One op of two, of which one reads a product, or both read what has become of
/// one. (Upstream's patterns for this also take constants into all ops; of an
/// op without inputs that two sums read, IREE 3.13 then makes wrong numbers.)
struct FuseAroundProduct : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp consumer,
                                PatternRewriter &rewriter) const override {
    if (!linalg::isElementwise(consumer))
      return rewriter.notifyMatchFailure(consumer, "isn't elementwise");
    for (OpOperand *operand : consumer.getDpsInputOperands()) {
      auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
      if (!producer || !producer->hasOneUse() ||
          !(readsProduct(consumer) || readsProduct(producer) ||
            shareOfProduct(producer, consumer)) ||
          !linalg::areElementwiseOpsFusable(operand) ||
          isWidenedLater(consumer) ||
          (isOfEarlierProduct(producer, consumer) && !widens(producer)))
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
    MLIRContext *context = &getContext();
    RewritePatternSet named(context);
    named.add<GeneralizeElementwise>(context);
    FrozenRewritePatternSet generalize(std::move(named));
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function->hasAttr(omb::kernels::kKernelAttrName))
        continue;
      walkAndApplyPatterns(function, generalize);
      omb::kernels::readNarrowed(function, isOfProduct);
    }
    // In the shapes that there are, then in those of the products.
    auto none = [](RewritePatternSet &patterns) {};
    auto collapse = [](RewritePatternSet &patterns) {
      linalg::populateFoldReshapeOpsByCollapsingPatterns(patterns,
                                                         isExpandedKernel);
    };
    auto expand = [](RewritePatternSet &patterns) {
      linalg::populateFoldReshapeOpsByExpansionPatterns(patterns,
                                                        isCollapsedKernel);
    };
    if (failed(fuse(none)) || failed(fuse(collapse)) || failed(fuse(expand)))
      signalPassFailure();
  }

private:
  LogicalResult fuse(function_ref<void(RewritePatternSet &)> populate) {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<FuseAroundProduct, ReadWithoutUnits>(context);
    populate(patterns);
    // An op that reads a value several times reads it once.
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    tensor::EmptyOp::getCanonicalizationPatterns(patterns, context);
    FrozenRewritePatternSet frozen(std::move(patterns));
    // A long chain of ops takes an iteration for each of them.
    GreedyRewriteConfig config;
    config.setMaxIterations(GreedyRewriteConfig::kNoLimit);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(omb::kernels::kKernelAttrName) &&
          failed(applyPatternsGreedily(function, frozen, config)))
        return failure();
    return success();
  }
};

} // namespace
