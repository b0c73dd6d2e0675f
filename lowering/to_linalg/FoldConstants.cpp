//===- FoldConstants.cpp - omb-fold-constants -----------------------------===//

#include "lowering/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "lowering/Passes.h.inc"
} // namespace omb

/// The points of a loop nest that are evaluated at most, one by one.
static constexpr int64_t kMostPoints = 4096;

/// The operations that are folded at most, at all points together: a twentieth
/// of a second. IREE compiles the program in less where there are more.
static constexpr int64_t kMostSteps = 1 << 16;

namespace {

/// Computes the body of a linalg op, point by point, with the folders of its
/// operations.
class Evaluator {
public:
  explicit Evaluator(linalg::LinalgOp op)
      : op(op), maps(op.getIndexingMapsArray()),
        isReduction(op.getNumReductionLoops() > 0) {}

  /// Fails, and says why, where an operand isn't known.
  LogicalResult bind(StringRef &why) {
    for (OpOperand *operand : op.getDpsInputOperands())
      if (failed(bind(operand->get(), why)))
        return failure();
    for (OpOperand &init : op.getDpsInitsMutable()) {
      auto type = cast<RankedTensorType>(init.get().getType());
      bool isRead =
          !op.getMatchingBlockArgument(&init).use_empty() || isReduction;
      if (isRead && failed(bind(init.get(), why)))
        return failure();
      if (!isRead)
        values.push_back({});
      auto known = isRead ? values.back() : SmallVector<Attribute>();
      results.push_back(known);
      results.back().resize(type.getNumElements());
    }
    return success();
  }

  /// Fails where an operation has no folder for such numbers.
  LogicalResult run() {
    SmallVector<int64_t> sizes = op.getStaticLoopRanges();
    SmallVector<int64_t> strides = computeStrides(sizes);
    for (int64_t point : llvm::seq(llvm::product_of(sizes)))
      if (failed(evaluate(delinearize(point, strides))))
        return failure();
    return success(llvm::none_of(results, [](ArrayRef<Attribute> each) {
      return llvm::is_contained(each, nullptr);
    }));
  }

  DenseElementsAttr getResult(unsigned index) const {
    auto linalgOp = op;
    auto type = cast<RankedTensorType>(linalgOp->getResult(index).getType());
    return DenseElementsAttr::get(type, results[index]);
  }

private:
  LogicalResult bind(Value value, StringRef &why) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    Attribute known;
    auto fill = value.getDefiningOp<linalg::FillOp>();
    if (!matchPattern(fill ? fill.value() : value, m_Constant(&known))) {
      why = "has an operand that isn't constant";
      return failure();
    }
    if (!type || fill) {
      values.emplace_back(type ? type.getNumElements() : 1, known);
      return success();
    }
    auto elements = dyn_cast<DenseElementsAttr>(known);
    if (!elements) {
      why = "has a constant whose elements aren't in the module";
      return failure();
    }
    values.push_back(llvm::to_vector(elements.getValues<Attribute>()));
    return success();
  }

  /// Where an operand is read at a point.
  int64_t locate(unsigned operand, ArrayRef<int64_t> point) {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(operand).getType());
    if (!type)
      return 0;
    return linearize(maps[operand].compose(point),
                     computeStrides(type.getShape()));
  }

  LogicalResult evaluate(ArrayRef<int64_t> point) {
    DenseMap<Value, Attribute> known;
    unsigned inputs = op.getNumDpsInputs();
    for (auto [number, argument] :
         llvm::enumerate(op.getBlock()->getArguments())) {
      int64_t at = locate(number, point);
      if (number >= inputs && isReduction)
        known[argument] = results[number - inputs][at];
      else if (!values[number].empty())
        known[argument] = values[number][at];
    }
    for (Operation &each : op.getBlock()->without_terminator())
      if (failed(evaluate(each, point, known)))
        return failure();
    for (auto [number, yielded] :
         llvm::enumerate(op.getBlock()->getTerminator()->getOperands())) {
      Attribute result = lookup(yielded, known);
      if (!result)
        return failure();
      results[number][locate(inputs + number, point)] = result;
    }
    return success();
  }

  static Attribute lookup(Value value,
                          const DenseMap<Value, Attribute> &known) {
    if (Attribute found = known.lookup(value))
      return found;
    Attribute constant;
    return matchPattern(value, m_Constant(&constant)) ? constant : Attribute();
  }

  static LogicalResult evaluate(Operation &each, ArrayRef<int64_t> point,
                                DenseMap<Value, Attribute> &known) {
    if (auto index = dyn_cast<linalg::IndexOp>(each)) {
      known[index.getResult()] =
          IntegerAttr::get(index.getType(), point[index.getDim()]);
      return success();
    }
    SmallVector<Attribute> operands;
    for (Value operand : each.getOperands())
      operands.push_back(lookup(operand, known));
    SmallVector<OpFoldResult> folded;
    if (each.getNumRegions() != 0 || llvm::is_contained(operands, nullptr) ||
        failed(each.fold(operands, folded)) ||
        folded.size() != each.getNumResults())
      return failure();
    for (auto [result, value] : llvm::zip(each.getResults(), folded)) {
      auto attribute = dyn_cast<Attribute>(value);
      known[result] = attribute ? attribute : lookup(cast<Value>(value), known);
      if (!known[result])
        return failure();
    }
    return success();
  }

  linalg::LinalgOp op;
  SmallVector<AffineMap> maps;
  bool isReduction;
  /// The elements of each operand; none where it isn't read.
  SmallVector<SmallVector<Attribute>> values;
  SmallVector<SmallVector<Attribute>> results;
};

/// Whether a shape has few points; one of unknown size may have many.
bool hasFewPoints(ArrayRef<int64_t> shape) {
  int64_t points = 1;
  for (int64_t size : shape) {
    if (ShapedType::isDynamic(size) || size > kMostPoints)
      return false;
    points = std::min(points * size, kMostPoints + 1);
    if (size == 0)
      return true;
  }
  return points <= kMostPoints;
}

bool hasFewElements(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return !tensor || hasFewPoints(tensor.getShape());
}

/// Whether there is little to do, in tensors of few elements.
bool isSmall(linalg::LinalgOp op) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  if (!op.hasPureTensorSemantics() || !hasFewPoints(sizes) ||
      !llvm::all_of(op->getOperandTypes(), hasFewElements) ||
      !llvm::all_of(op->getResultTypes(), hasFewElements))
    return false;
  int64_t steps = 0;
  op.getBlock()->walk([&](Operation *) { ++steps; });
  return llvm::product_of(sizes) * steps <= kMostSteps;
}

/// Whether the numbers that `op` computes depend on who computes them.
bool isApproximate(Operation &op) {
  return isa<math::MathDialect>(op.getDialect()) &&
         !isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::FloorOp,
              math::RoundEvenOp, math::SqrtOp, math::TruncOp>(op);
}

/// Why the results of `op` better stay computed; empty if they needn't.
StringRef getObstacle(linalg::LinalgOp op) {
  // What fills a tensor with one number says so, and is read as such.
  if (isa<linalg::FillOp>(op))
    return "fills a tensor";
  if (llvm::any_of(*op.getBlock(), isApproximate))
    return "calls a function, whose last digit is the target's";
  // IREE 3.13 can't compile sums that start at a constant tensor, or does so
  // wrongly.
  for (OpOperand &use : op->getUses()) {
    auto owner = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
    if (owner && owner.isDpsInit(&use))
      return "is what another op starts with";
  }
  int64_t most = op.getNumDpsInputs() == 0 ? kMostPoints : 1;
  for (Value input : op.getDpsInputs())
    if (auto type = dyn_cast<RankedTensorType>(input.getType()))
      most = std::max(most, type.getNumElements());
  for (Type type : op->getResultTypes())
    if (cast<RankedTensorType>(type).getNumElements() > most)
      return "repeats a constant";
  return "";
}

/// A linalg op of small constants is the constant that it computes.
struct FoldConstantOp : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!isSmall(op))
      return rewriter.notifyMatchFailure(op, "is large, or of unknown size");
    if (llvm::any_of(op->getResultTypes(), [](Type type) {
          return cast<RankedTensorType>(type).getNumElements() == 0;
        }))
      return rewriter.notifyMatchFailure(op, "computes nothing");
    if (StringRef obstacle = getObstacle(op); !obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    // Folders may change what they don't fold.
    OwningOpRef<Operation *> copy = op->clone();
    Evaluator evaluator(cast<linalg::LinalgOp>(*copy));
    StringRef why;
    if (failed(evaluator.bind(why)))
      return rewriter.notifyMatchFailure(op, why);
    if (failed(evaluator.run()))
      return rewriter.notifyMatchFailure(op, "computes what nothing folds");
    SmallVector<Value> constants;
    for (unsigned index = 0; index < op->getNumResults(); ++index)
      constants.push_back(arith::ConstantOp::create(
          rewriter, op.getLoc(), evaluator.getResult(index)));
    rewriter.replaceOp(op, constants);
    return success();
  }
};

/// An op without any point gives what it starts with: sums of nothing, and
/// results without elements. IREE divides by such sizes.
struct FoldEmptyOp : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() ||
        !llvm::is_contained(op.getStaticLoopRanges(), 0))
      return rewriter.notifyMatchFailure(op, "has points");
    rewriter.replaceOp(op, op.getDpsInits());
    return success();
  }
};

struct FoldConstants : omb::impl::FoldConstantsBase<FoldConstants> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldConstantOp, FoldEmptyOp>(&getContext());
    tensor::populateFoldConstantExtractSlicePatterns(
        patterns,
        [](tensor::ExtractSliceOp op) { return hasFewElements(op.getType()); });
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
