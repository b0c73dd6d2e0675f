//===- ReadNarrowed.cpp - One form of a value that is rounded -------------===//

#include "lowering/vector/ReadNarrowed.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

/// The other uses of what `op` rounds; none where one of them needs it as it
/// is.
static SmallVector<OpOperand *> getOtherReads(linalg::GenericOp op) {
  SmallVector<OpOperand *> reads;
  for (OpOperand &use : op.getDpsInputs()[0].getUses()) {
    if (use.getOwner() == op || isa<tensor::DimOp>(use.getOwner()))
      continue;
    auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!user || !linalg::isElementwise(user) || user.isDpsInit(&use))
      return {};
    reads.push_back(&use);
  }
  return reads;
}

/// The elements of `narrow` as those of `type`.
static Value widen(OpBuilder &builder, Location loc, Value narrow,
                   RankedTensorType type) {
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, narrow),
      type.getElementType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> parallel(type.getRank(),
                                            utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, narrow, empty, ArrayRef{identity, identity},
             parallel,
             [&](OpBuilder &inner, Location at, ValueRange args) {
               Value wide = arith::ExtFOp::create(
                   inner, at, type.getElementType(), args[0]);
               linalg::YieldOp::create(inner, at, wide);
             })
      .getResult(0);
}

void omb::kernels::readNarrowed(func::FuncOp function,
                                function_ref<bool(Value)> mayRound) {
  SmallVector<linalg::GenericOp> narrowings;
  function.walk([&](linalg::GenericOp op) {
    if (op->hasAttr(kNarrowingAttrName) && mayRound(op.getDpsInputs()[0]))
      narrowings.push_back(op);
  });
  for (linalg::GenericOp op : narrowings) {
    SmallVector<OpOperand *> reads = getOtherReads(op);
    if (reads.empty())
      continue;
    Value wide = op.getDpsInputs()[0];
    // Rounded right where it is computed, it comes before all that read it.
    OpBuilder builder(op);
    builder.setInsertionPointAfterValue(wide);
    IRMapping map;
    auto empty = op.getDpsInits()[0];
    Value init = tensor::EmptyOp::create(
        builder, op.getLoc(), tensor::getMixedSizes(builder, op.getLoc(), wide),
        getElementTypeOrSelf(empty.getType()));
    map.map(empty, init);
    Value narrow = builder.clone(*op, map)->getResult(0);
    for (OpOperand *read : reads) {
      // For each reader one of its own, which becomes part of it.
      builder.setInsertionPoint(read->getOwner());
      read->set(widen(builder, op.getLoc(), narrow,
                      cast<RankedTensorType>(wide.getType())));
    }
    op.getResult(0).replaceAllUsesWith(narrow);
    op.erase();
  }
}
