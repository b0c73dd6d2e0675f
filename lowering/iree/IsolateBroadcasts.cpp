//===- IsolateBroadcasts.cpp - omb-isolate-broadcasts ---------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_ISOLATEBROADCASTS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

/// What IREE may compute in the dispatch that a value is computed in: each kind
/// includes the ones before.
enum class Reductions {
  None,
  /// Each element is a reduction's, or computed from one at the same place.
  OfElement,
  /// Elements share those of reductions.
  Shared
};

} // namespace

/// Whether each thread that computes an element of `op` reads the element of
/// the operand that has its own place in the outer loops: the loops over the
/// operand are the first ones, in order, or, where no elements share what is
/// read, all of them. Loops of one iteration don't count, nor do constant
/// positions.
static bool isReadInPlace(linalg::LinalgOp op, OpOperand &operand,
                          Reductions reductions) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (map.isPermutation() && reductions == Reductions::OfElement)
    return true;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  unsigned next = 0;
  for (AffineExpr position : map.getResults()) {
    if (isa<AffineConstantExpr>(position))
      continue;
    auto loop = dyn_cast<AffineDimExpr>(position);
    if (!loop)
      return false;
    if (ranges[loop.getPosition()] == 1)
      continue;
    while (next < ranges.size() && ranges[next] == 1)
      ++next;
    if (loop.getPosition() != next++)
      return false;
  }
  return true;
}

/// Whether `value` is what an operation of linalg computes, perhaps reshaped.
static bool isComputed(Value value) {
  Operation *op = value.getDefiningOp();
  while (omb::isReshape(op))
    op = op->getOperand(0).getDefiningOp();
  return isa_and_nonnull<linalg::LinalgOp>(op);
}

/// Whether IREE computes `op` again in each dispatch that reads it, without
/// inlining it: it makes larger elements of each, for more than one reader.
static bool isCloned(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() > 0 || op->getNumResults() != 1 ||
      op->use_empty() || op->hasOneUse() || op.getNumDpsInputs() == 0)
    return false;
  auto getBits = [](Value value) {
    Type type = getElementTypeOrSelf(value);
    return type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 0;
  };
  return llvm::all_of(op.getDpsInputs(), [&](Value input) {
    return getBits(input) < getBits(op->getResult(0));
  });
}

/// Whether `operand` are windows of what is computed element by element. If
/// that makes larger elements, IREE puts it into the dispatch of the windows,
/// and doesn't compute all that they have of the neighbors.
static bool isWindowOfComputed(linalg::LinalgOp op, OpOperand &operand) {
  if (op.getMatchingIndexingMap(&operand).isProjectedPermutation(
          /*allowZeroInResults=*/true))
    return false;
  Operation *source = operand.get().getDefiningOp();
  while (omb::isReshape(source) || isa_and_nonnull<tensor::PadOp>(source))
    source = source->getOperand(0).getDefiningOp();
  auto computed = dyn_cast_or_null<linalg::LinalgOp>(source);
  return computed && computed.getNumReductionLoops() == 0 &&
         computed.getNumDpsInputs() > 0;
}

namespace {

struct IsolateBroadcasts : omb::impl::IsolateBroadcastsBase<IsolateBroadcasts> {
  void runOnOperation() override {
    llvm::SmallSetVector<OpOperand *, 8> exchanged;
    getOperation().walk([&](linalg::LinalgOp op) {
      for (OpOperand *operand : op.getDpsInputOperands())
        if (isa<RankedTensorType>(operand->get().getType()))
          if (Reductions found = getReductions(operand->get());
              found != Reductions::None && !isReadInPlace(op, *operand, found))
            exchanged.insert(operand);
    });
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isCloned(op))
        for (OpOperand &use : op->getUses())
          exchanged.insert(&use);
      for (OpOperand *operand : op.getDpsInputOperands())
        if (isWindowOfComputed(op, *operand))
          exchanged.insert(operand);
    });
    getOperation().walk([&](tensor::ExtractSliceOp op) {
      if (isComputed(op.getSource()))
        exchanged.insert(&op.getSourceMutable());
    });
    DenseMap<Value, Value> isolated;
    for (OpOperand *operand : exchanged) {
      Value value = operand->get();
      Value &barrier = isolated[value];
      if (!barrier) {
        OpBuilder builder(&getContext());
        builder.setInsertionPointAfterValue(value);
        barrier = omb::isolateTensor(builder, value.getLoc(), value);
      }
      operand->set(barrier);
    }
  }

private:
  Reductions getReductions(Value value) {
    auto [known, isNew] = reductions.try_emplace(value, Reductions::None);
    if (!isNew)
      return known->second;
    Reductions found = Reductions::None;
    Operation *op = value.getDefiningOp();
    if (auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op))
      found = getReductionsOf(linalgOp);
    else if (omb::isReshape(op) || isa_and_nonnull<tensor::PadOp>(op))
      found = getReductions(op->getOperand(0));
    reductions[value] = found;
    return found;
  }

  Reductions getReductionsOf(linalg::LinalgOp op) {
    // With these, a dispatch begins.
    if (linalg::isaContractionOpInterface(op) ||
        linalg::isaConvolutionOpInterface(op))
      return Reductions::OfElement;
    Reductions found = op.getNumReductionLoops() > 0 ? Reductions::OfElement
                                                     : Reductions::None;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      Reductions read = getReductions(operand->get());
      if (read != Reductions::None &&
          !op.getMatchingIndexingMap(operand).isPermutation())
        read = Reductions::Shared;
      found = std::max(found, read);
    }
    return found;
  }

  DenseMap<Value, Reductions> reductions;
};

} // namespace
