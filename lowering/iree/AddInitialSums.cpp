//===- AddInitialSums.cpp - omb-add-initial-sums --------------------------===//

#include "lowering/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_ADDINITIALSUMS
#include "lowering/Passes.h.inc"
} // namespace omb

/// What adds up, in `op` with one result, what it computes of its inputs; null
/// if it does something else.
static Operation *getAddition(linalg::LinalgOp op) {
  BlockArgument sum = op.getRegionOutputArgs()[0];
  if (op.getNumReductionLoops() == 0 || !sum.hasOneUse())
    return nullptr;
  Operation *add = *sum.getUsers().begin();
  bool isLast =
      op.getBlock()->getTerminator()->getOperand(0).getDefiningOp() == add;
  return isLast && isa<arith::AddFOp, arith::AddIOp>(add) ? add : nullptr;
}

/// Whether `op` adds to values that are computed elsewhere.
static bool addsToValues(linalg::LinalgOp op) {
  return op.getNumDpsInits() == 1 && op->getNumResults() == 1 &&
         !op.getDpsInits()[0].getDefiningOp<linalg::FillOp>() &&
         getAddition(op);
}

/// Has `op` start with zeros, and adds what it started with to its result.
static void addAfterwards(linalg::LinalgOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  OpOperand &init = op.getDpsInitsMutable()[0];
  Value start = init.get(), result = op->getResult(0);
  auto type = cast<RankedTensorType>(start.getType());
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, start),
      type.getElementType());
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(type.getElementType()));
  init.set(linalg::FillOp::create(builder, loc, zero, empty).getResult(0));
  builder.setInsertionPointAfter(op);
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> loops(type.getRank(),
                                         utils::IteratorType::parallel);
  auto sum = linalg::GenericOp::create(
      builder, loc, type, ValueRange{result, start}, empty,
      ArrayRef<AffineMap>{identity, identity, identity}, loops,
      [&](OpBuilder &inner, Location innerLoc, ValueRange elements) {
        Operation *add = inner.clone(*getAddition(op));
        add->setOperands(elements.take_front(2));
        linalg::YieldOp::create(inner, innerLoc, add->getResults());
      });
  result.replaceAllUsesExcept(sum->getResult(0), sum);
}

namespace {

struct AddInitialSums : omb::impl::AddInitialSumsBase<AddInitialSums> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> sums;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (addsToValues(op))
        sums.push_back(op);
    });
    for (linalg::LinalgOp op : sums)
      addAfterwards(op);
  }
};

} // namespace
