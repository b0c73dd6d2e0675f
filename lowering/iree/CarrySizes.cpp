//===- CarrySizes.cpp - omb-carry-sizes -----------------------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_CARRYSIZES
#include "lowering/Passes.h.inc"
} // namespace omb

/// The number of dynamic sizes of values of these types.
static unsigned countSizes(TypeRange types) {
  unsigned count = 0;
  for (Type type : types)
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      count += tensor.getNumDynamicDims();
  return count;
}

/// The dynamic sizes of `values`, in their order.
static SmallVector<Value> getSizes(OpBuilder &builder, Location loc,
                                   ValueRange values) {
  SmallVector<Value> sizes;
  for (Value value : values)
    if (auto type = dyn_cast<RankedTensorType>(value.getType()))
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          sizes.push_back(builder.createOrFold<tensor::DimOp>(loc, value, dim));
  return sizes;
}

/// `values`, then their sizes.
static SmallVector<Value> appendSizes(OpBuilder &builder, Location loc,
                                      ValueRange values) {
  SmallVector<Value> all(values);
  llvm::append_range(all, getSizes(builder, loc, values));
  return all;
}

/// Says of `values` which sizes they have, to all that reads them.
static void tieSizes(OpBuilder &builder, Location loc, ValueRange values,
                     ValueRange sizes) {
  for (Value value : values) {
    unsigned count = countSizes(value.getType());
    if (count == 0)
      continue;
    Value tied = omb::tieShape(builder, loc, value, sizes.take_front(count));
    sizes = sizes.drop_front(count);
    value.replaceAllUsesExcept(tied, tied.getDefiningOp());
  }
}

/// Adds arguments for the sizes of those that `block` has.
static void takeSizes(OpBuilder &builder, Location loc, Block *block,
                      unsigned first) {
  unsigned before = block->getNumArguments();
  SmallVector<Type> present(block->getArgumentTypes());
  unsigned count = countSizes(TypeRange(present).drop_front(first));
  SmallVector<Type> types(count, builder.getIndexType());
  block->addArguments(types, SmallVector<Location>(count, loc));
  ValueRange arguments = block->getArguments();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(block);
  tieSizes(builder, loc, arguments.slice(first, before - first),
           arguments.drop_front(before));
}

/// Has `terminator` pass on the sizes of `values`, some of its operands, after
/// its last one.
static void passSizes(Operation *terminator, ValueRange values) {
  OpBuilder builder(terminator);
  SmallVector<Value> sizes = getSizes(builder, terminator->getLoc(), values);
  terminator->insertOperands(terminator->getNumOperands(), sizes);
}

/// `with` instead of `op`, whose results it has, and their sizes after them.
static void replace(Operation *op, Operation *with) {
  OpBuilder builder(op);
  unsigned count = op->getNumResults();
  op->replaceAllUsesWith(with->getResults().take_front(count));
  tieSizes(builder, op->getLoc(), with->getResults().take_front(count),
           with->getResults().drop_front(count));
  op->erase();
}

static void carrySizes(scf::ForOp loop) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  passSizes(loop.getBody()->getTerminator(), loop.getYieldedValues());
  auto with = scf::ForOp::create(builder, loc, loop.getLowerBound(),
                                 loop.getUpperBound(), loop.getStep(),
                                 appendSizes(builder, loc, loop.getInitArgs()));
  with->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
  with.getRegion().takeBody(loop.getRegion());
  takeSizes(builder, loc, with.getBody(), /*first=*/1);
  replace(loop, with);
}

static void carrySizes(scf::WhileOp loop) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  passSizes(loop.getConditionOp(), loop.getConditionOp().getArgs());
  passSizes(loop.getYieldOp(), loop.getYieldOp().getResults());
  SmallVector<Type> types(loop.getResultTypes());
  types.append(countSizes(loop.getResultTypes()), builder.getIndexType());
  auto with = scf::WhileOp::create(builder, loc, types,
                                   appendSizes(builder, loc, loop.getInits()));
  with.getBefore().takeBody(loop.getBefore());
  with.getAfter().takeBody(loop.getAfter());
  takeSizes(builder, loc, with.getBeforeBody(), /*first=*/0);
  takeSizes(builder, loc, with.getAfterBody(), /*first=*/0);
  replace(loop, with);
}

static void carrySizes(scf::IfOp branch) {
  OpBuilder builder(branch);
  passSizes(branch.thenYield(), branch.thenYield().getResults());
  passSizes(branch.elseYield(), branch.elseYield().getResults());
  SmallVector<Type> types(branch.getResultTypes());
  types.append(countSizes(branch.getResultTypes()), builder.getIndexType());
  auto with =
      scf::IfOp::create(builder, branch.getLoc(), types, branch.getCondition(),
                        /*addThenBlock=*/false, /*addElseBlock=*/false);
  with.getThenRegion().takeBody(branch.getThenRegion());
  with.getElseRegion().takeBody(branch.getElseRegion());
  replace(branch, with);
}

namespace {

struct CarrySizes : omb::impl::CarrySizesBase<CarrySizes> {
  void runOnOperation() override {
    SmallVector<Operation *> found;
    getOperation().walk([&](Operation *op) {
      if (isa<scf::ForOp, scf::WhileOp, scf::IfOp>(op) &&
          countSizes(op->getResultTypes()) + countSizes(op->getOperandTypes()))
        found.push_back(op);
    });
    for (Operation *op : found) {
      if (auto loop = dyn_cast<scf::ForOp>(op))
        carrySizes(loop);
      else if (auto loop = dyn_cast<scf::WhileOp>(op))
        carrySizes(loop);
      else
        carrySizes(cast<scf::IfOp>(op));
    }
  }
};

} // namespace
