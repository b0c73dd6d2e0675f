//===- SparseContraction.cpp - A product with sparse weights --------------===//

#include "lowering/vector/SparseContraction.h"

#include "lowering/sparse/SparseWeights.h"
#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/EpilogueEmitter.h"
#include "lowering/vector/LoopFactors.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

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

/// The factors of a product of images; null where `product` is none.
static sparse_tensor::AssembleOp matchImageProduct(linalg::GenericOp product) {
  if (!product || product.getNumDpsInputs() != 2 ||
      product.getNumReductionLoops() != 1)
    return nullptr;
  auto weights =
      product.getDpsInputs()[1].getDefiningOp<sparse_tensor::AssembleOp>();
  AffineMap images = product.getIndexingMapsArray()[0];
  // Rows are read at single loops.
  bool readsWindows = images.getNumResults() == 2 &&
                      isa<AffineDimExpr>(images.getResult(0)) &&
                      isa<AffineBinaryOpExpr>(images.getResult(1));
  return readsWindows ? weights : nullptr;
}

bool omb::kernels::isImageProduct(Value value) {
  return bool(matchImageProduct(value.getDefiningOp<linalg::GenericOp>()));
}

FailureOr<SparseContraction>
SparseContraction::match(linalg::GenericOp product) {
  SparseContraction found;
  found.product = product;
  found.weights = matchImageProduct(product);
  if (!found.weights || !isZeroFill(product.getDpsInits()[0]))
    return failure();
  found.fill = product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  Value sums = product.getResult(0);
  if (sums.hasOneUse())
    if (auto user = dyn_cast<linalg::GenericOp>(*sums.user_begin()))
      if (isEpilogue(user, sums))
        found.epilogue = user;
  return found;
}

SmallVector<int64_t> SparseContraction::getSteps() const {
  auto op = product;
  auto factors = getLoopFactors(op.getIndexingMapsArray()[0].getResult(1),
                                op.getNumLoops());
  assert(factors && "matched as a sum of loops");
  // Loops: batch, positions, channels, the sum's; and a constant.
  return SmallVector<int64_t>(ArrayRef(*factors).drop_front().drop_back(3));
}

int64_t SparseContraction::getChunk() const {
  return getChunkSize(sparse_tensor::getSparseTensorEncoding(getWeightsType()));
}

Value SparseContraction::getSums() const {
  auto op = product;
  auto unpacking = unpack;
  return unpacking ? unpacking.getResult() : op.getResult(0);
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
  return op && op.getInnerDimsPos() == ArrayRef<int64_t>{1};
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
  return op ? op.getResult(0) : getSums();
}

RankedTensorType SparseContraction::getResultType() const {
  return cast<RankedTensorType>(getResult().getType());
}

FailureOr<ImagePlanes> ImagePlanes::match(tensor::InsertSliceOp insert) {
  ImagePlanes found;
  found.insert = insert;
  found.collapse = insert.getSource().getDefiningOp<tensor::CollapseShapeOp>();
  if (!found.collapse || !insert.getDest().getDefiningOp<tensor::EmptyOp>() ||
      !llvm::any_of(insert->getUsers(), [](Operation *user) {
        auto product = dyn_cast<linalg::GenericOp>(user);
        return isa<func::ReturnOp>(user) || matchImageProduct(product);
      }))
    return failure();
  found.copy = found.collapse.getSrc().getDefiningOp<linalg::GenericOp>();
  if (!found.copy || found.copy.getNumDpsInputs() != 1)
    return failure();
  found.pad = found.copy.getDpsInputs()[0].getDefiningOp<tensor::PadOp>();
  return found;
}

Value ImagePlanes::getSource() const {
  auto padding = pad;
  auto op = copy;
  return padding ? padding.getSource() : op.getDpsInputs()[0];
}

ArrayRef<int64_t> ImagePlanes::getShape() const {
  auto op = copy;
  return cast<RankedTensorType>(op.getResult(0).getType()).getShape();
}

int64_t ImagePlanes::getLow(unsigned dim) const {
  auto padding = pad;
  return padding ? padding.getStaticLow()[1 + dim] : 0;
}

int64_t ImagePlanes::getStride(unsigned dim) const {
  auto op = copy;
  auto factors = getLoopFactors(op.getIndexingMapsArray()[0].getResult(1 + dim),
                                op.getNumLoops());
  assert(factors && "made as a sum of loops");
  return (*factors)[2 + getRank() + dim];
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
