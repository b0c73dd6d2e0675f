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

static Value transpose(OpBuilder &builder, Location loc, Value image,
                       ArrayRef<int64_t> order) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, image);
  applyPermutationToVector(sizes, order);
  Value empty = tensor::EmptyOp::create(
      builder, loc, sizes,
      cast<RankedTensorType>(image.getType()).getElementType());
  return linalg::TransposeOp::create(builder, loc, image, empty, order)
      ->getResult(0);
}

Value omb::kernels::toChannelsLast(OpBuilder &builder, Location loc,
                                   Value image) {
  if (Value source = getChannelsLastSource(image))
    return source;
  int64_t rank = cast<RankedTensorType>(image.getType()).getRank();
  return transpose(builder, loc, image, getChannelsLast(rank));
}

Value omb::kernels::toChannelsSecond(OpBuilder &builder, Location loc,
                                     Value image) {
  int64_t rank = cast<RankedTensorType>(image.getType()).getRank();
  return transpose(builder, loc, image, getChannelsSecond(rank));
}

Value omb::kernels::getChannelsLastSource(Value value) {
  auto op = value.getDefiningOp<linalg::TransposeOp>();
  if (!op)
    return nullptr;
  ArrayRef<int64_t> order = op.getPermutation();
  bool matches = order.size() > 2 &&
                 order == ArrayRef(getChannelsSecond(order.size()));
  return matches ? op.getInput() : Value();
}
