//===- Rearrange.cpp - Dimensions split, permuted and joined --------------===//

#include "lowering/to_linalg/Rearrange.h"

#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using omb::SizeGroups;

SmallVector<ReassociationIndices>
omb::getReassociation(const SizeGroups &groups) {
  SmallVector<ReassociationIndices> reassociation;
  int64_t next = 0;
  for (ArrayRef<Value> group : groups) {
    ReassociationIndices dims;
    for (size_t count = 0; count < group.size(); ++count)
      dims.push_back(next++);
    reassociation.push_back(dims);
  }
  return reassociation;
}

Value omb::expandDims(OpBuilder &builder, Location loc, Value source,
                      const SizeGroups &groups) {
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> shape;
  for (ArrayRef<Value> group : groups)
    for (Value size : group) {
      sizes.push_back(getAsOpFoldResult(size));
      shape.push_back(
          getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
    }
  auto type = cast<RankedTensorType>(source.getType());
  if (type.getRank() == int64_t(sizes.size()))
    return source;
  // What the groups make may be known better than the source's type.
  SmallVector<int64_t> collapsed;
  ArrayRef<int64_t> rest(shape);
  for (ArrayRef<Value> group : groups) {
    int64_t product = 1;
    for (int64_t size : rest.take_front(group.size()))
      product = ShapedType::isDynamic(size) || ShapedType::isDynamic(product)
                    ? ShapedType::kDynamic
                    : product * size;
    collapsed.push_back(product);
    rest = rest.drop_front(group.size());
  }
  source =
      omb::castTensor(builder, loc, source,
                      RankedTensorType::get(collapsed, type.getElementType()));
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), source,
      getReassociation(groups), sizes);
}

static Value transpose(OpBuilder &builder, Location loc, Value source,
                       ArrayRef<int64_t> perm) {
  auto type = cast<RankedTensorType>(source.getType());
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes;
  SmallVector<int64_t> shape;
  for (int64_t axis : perm) {
    sizes.push_back(index.size(source, axis));
    shape.push_back(type.getDimSize(axis));
  }
  Value init = omb::createEmpty(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), sizes);
  return linalg::TransposeOp::create(builder, loc, source, init, perm)
      ->getResult(0);
}

Value omb::permuteAndJoin(OpBuilder &builder, Location loc, Value source,
                          ArrayRef<int64_t> perm,
                          ArrayRef<ReassociationIndices> groups) {
  Value transposed = transpose(builder, loc, source, perm);
  return tensor::CollapseShapeOp::create(builder, loc, transposed, groups);
}
