//===- SparseContraction.cpp - A product with sparse weights --------------===//

#include "lowering/vector/SparseContraction.h"

#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/EpilogueEmitter.h"

using namespace mlir;
using namespace omb::kernels;

FailureOr<SparseContraction> SparseContraction::match(linalg::UnPackOp unpack) {
  SparseContraction found;
  found.unpack = unpack;
  found.product = unpack.getSource().getDefiningOp<linalg::GenericOp>();
  if (!found.product || !found.product->hasOneUse() ||
      found.product.getNumDpsInputs() != 2)
    return failure();
  found.weights = found.product.getDpsInputs()[1]
                      .getDefiningOp<sparse_tensor::AssembleOp>();
  found.fill = found.product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!found.weights || !isZeroFill(found.product.getDpsInits()[0]))
    return failure();
  found.pack = found.product.getDpsInputs()[0].getDefiningOp<linalg::PackOp>();
  bool isOfChannels = unpack.getInnerDimsPos() == ArrayRef<int64_t>{1};
  // A kernel of tiles takes them; they are packed by another one.
  bool isPacked =
      cast<RankedTensorType>(found.product.getDpsInputs()[0].getType())
          .getRank() == 3;
  if (isPacked == isOfChannels)
    return failure();
  if (unpack->hasOneUse())
    if (auto user = dyn_cast<linalg::GenericOp>(*unpack->user_begin()))
      if (isEpilogue(user, unpack.getResult()))
        found.epilogue = user;
  return found;
}

RankedTensorType SparseContraction::getWeightsType() const {
  auto op = weights;
  return cast<RankedTensorType>(op.getResult().getType());
}

int64_t SparseContraction::getTile() const {
  auto op = unpack;
  return op.getSourceType().getShape().back();
}

bool SparseContraction::isBlocked() const {
  auto op = unpack;
  return op.getInnerDimsPos() == ArrayRef<int64_t>{1};
}

Value SparseContraction::getInput() const {
  auto op = product;
  auto packing = pack;
  return packing && readsRows() ? packing.getSource() : op.getDpsInputs()[0];
}

Value SparseContraction::getPositions() const {
  auto op = weights;
  return op.getLevels()[0];
}

Value SparseContraction::getCoordinates() const {
  auto op = weights;
  return op.getLevels()[1];
}

Value SparseContraction::getValues() const {
  auto op = weights;
  return op.getValues();
}

Value SparseContraction::getResult() const {
  auto op = epilogue;
  auto unpacking = unpack;
  return op ? op.getResult(0) : unpacking.getResult();
}

RankedTensorType SparseContraction::getResultType() const {
  return cast<RankedTensorType>(getResult().getType());
}

bool omb::kernels::packsLanes(linalg::PackOp pack) {
  auto type = dyn_cast<RankedTensorType>(pack.getResult().getType());
  return type && type.getRank() == 3 && type.getDimSize(2) > 1 &&
         pack.getInnerDimsPos() == ArrayRef<int64_t>{0} &&
         pack.getOuterDimsPerm().empty() &&
         llvm::any_of(pack->getUsers(), [](Operation *user) {
           auto product = dyn_cast<linalg::GenericOp>(user);
           return product && product.getNumDpsInputs() == 2 &&
                  product.getDpsInputs()[1]
                      .getDefiningOp<sparse_tensor::AssembleOp>();
         });
}
