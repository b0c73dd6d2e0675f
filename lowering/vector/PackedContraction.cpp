//===- PackedContraction.cpp - What a kernel computes ---------------------===//

#include "lowering/vector/PackedContraction.h"

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// Whether a vector can hold the type's values as memory does.
static bool isVectorElement(Type type) {
  return type.isF16() || type.isF32() || type.isF64() || type.isInteger(8) ||
         type.isInteger(16) || type.isInteger(32) || type.isInteger(64);
}

/// Whether the last dimension of an operand can be read as a vector of
/// channels, or as one value for all.
static bool isReadable(AffineMap map, Type type) {
  if (!isa<RankedTensorType>(type) ||
      !isVectorElement(getElementTypeOrSelf(type)) ||
      !map.isProjectedPermutation())
    return false;
  unsigned channel = map.getNumDims() - 1;
  std::optional<unsigned> at =
      map.getResultPosition(getAffineDimExpr(channel, map.getContext()));
  return !at || *at + 1 == map.getNumResults();
}

/// Whether `op` can be done to vectors of what `product` gives.
static bool isEpilogue(linalg::GenericOp op, Value product) {
  if (!isElementwiseOfInputs(op) ||
      !isVectorElement(getElementTypeOrSelf(op.getResultTypes()[0])) ||
      cast<RankedTensorType>(op.getResultTypes()[0]).getShape() !=
          cast<RankedTensorType>(product.getType()).getShape())
    return false;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    if (operand->get() == product ? !map.isIdentity()
                                  : !isReadable(map, operand->get().getType()))
      return false;
  }
  auto isConstantOrInside = [&](Value value) {
    return value.getParentBlock() == op.getBody() ||
           matchPattern(value, m_Constant());
  };
  return llvm::all_of(*op.getBody(), [&](Operation &each) {
    return llvm::all_of(each.getOperands(), isConstantOrInside) &&
           (isa<linalg::YieldOp>(each) ||
            OpTrait::hasElementwiseMappableTraits(&each));
  });
}

FailureOr<PackedContraction> PackedContraction::match(linalg::UnPackOp unpack) {
  PackedContraction found;
  found.unpack = unpack;
  found.product = unpack.getSource().getDefiningOp<linalg::GenericOp>();
  auto type = dyn_cast<RankedTensorType>(unpack.getDest().getType());
  if (!type || !found.product || !found.product->hasOneUse() ||
      found.product.getNumDpsInputs() != 2 ||
      unpack.getInnerDimsPos() != ArrayRef<int64_t>{type.getRank() - 1} ||
      !unpack.getOuterDimsPerm().empty())
    return failure();
  found.fill = found.product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!found.fill || !matchPattern(found.fill.value(), m_AnyZeroFloat()))
    return failure();
  if (unpack->hasOneUse())
    if (auto user = dyn_cast<linalg::GenericOp>(*unpack->user_begin()))
      if (isEpilogue(user, unpack.getResult()))
        found.epilogue = user;
  return found;
}

Value PackedContraction::operand(unsigned index) const {
  auto op = product;
  return op.getDpsInputs()[index];
}

RankedTensorType PackedContraction::getPanelsType() const {
  return cast<RankedTensorType>(getPanels().getType());
}

Value PackedContraction::getResult() const {
  auto last = epilogue;
  auto plain = unpack;
  return last ? last.getResult(0) : plain.getResult();
}

RankedTensorType PackedContraction::getResultType() const {
  return cast<RankedTensorType>(getResult().getType());
}

SmallVector<unsigned> PackedContraction::getPositions() const {
  auto op = product;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<unsigned> loops;
  for (unsigned dim = 0; dim + 2 < map.getNumResults(); ++dim)
    loops.push_back(map.getDimPosition(dim));
  return loops;
}

/// The loops of one kind that the panels' dimensions have, in their order.
static SmallVector<unsigned> getPanelLoops(linalg::GenericOp product,
                                           utils::IteratorType kind) {
  AffineMap map = product.getMatchingIndexingMap(product.getDpsInputOperand(1));
  SmallVector<unsigned> loops;
  for (unsigned dim = 0; dim < map.getNumResults(); ++dim)
    if (product.getIteratorTypesArray()[map.getDimPosition(dim)] == kind)
      loops.push_back(map.getDimPosition(dim));
  return loops;
}

SmallVector<unsigned> PackedContraction::getReductions() const {
  return getPanelLoops(product, utils::IteratorType::reduction);
}

SmallVector<unsigned> PackedContraction::getBatches() const {
  // The last two count the panels and go through one.
  SmallVector<unsigned> loops =
      getPanelLoops(product, utils::IteratorType::parallel);
  loops.pop_back_n(2);
  return loops;
}
