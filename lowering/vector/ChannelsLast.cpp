//===- ChannelsLast.cpp - Images with their channels last -----------------===//

#include "lowering/vector/ChannelsLast.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

SmallVector<int64_t> omb::kernels::getChannelsLast(int64_t rank) {
  SmallVector<int64_t> order{0};
  for (int64_t dim = 2; dim < rank; ++dim)
    order.push_back(dim);
  order.push_back(1);
  return order;
}

SmallVector<int64_t> omb::kernels::getChannelsSecond(int64_t rank) {
  return invertPermutationVector(getChannelsLast(rank));
}

linalg::TransposeOp omb::kernels::createTransposed(OpBuilder &builder,
                                                   Location loc, Value tensor,
                                                   ArrayRef<int64_t> order) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  applyPermutationToVector(sizes, order);
  Value empty = tensor::EmptyOp::create(
      builder, loc, sizes,
      cast<RankedTensorType>(tensor.getType()).getElementType());
  return linalg::TransposeOp::create(builder, loc, tensor, empty, order);
}

Value omb::kernels::toChannelsLast(OpBuilder &builder, Location loc,
                                   Value image) {
  if (Value source = getChannelsLastSource(image))
    return source;
  int64_t rank = cast<RankedTensorType>(image.getType()).getRank();
  return createTransposed(builder, loc, image, getChannelsLast(rank))
      ->getResult(0);
}

Value omb::kernels::toChannelsSecond(OpBuilder &builder, Location loc,
                                     Value image) {
  int64_t rank = cast<RankedTensorType>(image.getType()).getRank();
  linalg::TransposeOp op =
      createTransposed(builder, loc, image, getChannelsSecond(rank));
  op->setAttr(kChannelsSecondAttrName, builder.getUnitAttr());
  return op->getResult(0);
}

Value omb::kernels::getChannelsLastSource(Value value) {
  auto op = value.getDefiningOp<linalg::TransposeOp>();
  bool isMoved = op && op->hasAttr(kChannelsSecondAttrName);
  return isMoved ? op.getInput() : Value();
}

bool omb::kernels::hasChannelsLast(AffineMap map, unsigned channel) {
  return map.getNumResults() > 0 &&
         map.getResults().back() ==
             getAffineDimExpr(channel, map.getContext()) &&
         llvm::none_of(map.getResults().drop_back(), [&](AffineExpr expr) {
           return expr.isFunctionOfDim(channel);
         });
}
