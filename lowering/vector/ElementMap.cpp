//===- ElementMap.cpp - Inputs of kernels in another form -----------------===//

#include "lowering/vector/ElementMap.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// What `pad` fills up with; null where it isn't constant.
static TypedAttr getPadding(tensor::PadOp pad) {
  Value value = pad ? pad.getConstantPaddingValue() : Value();
  TypedAttr constant;
  if (!value || !matchPattern(value, m_Constant(&constant)))
    return nullptr;
  return constant;
}

static Value createPad(OpBuilder &builder, Location loc, Value source,
                       ArrayRef<OpFoldResult> low, ArrayRef<OpFoldResult> high,
                       TypedAttr padding) {
  return tensor::PadOp::create(
      builder, loc, /*resultType=*/Type(), source, low, high,
      arith::ConstantOp::create(builder, loc, padding).getResult());
}

static Value mapElements(OpBuilder &builder, Location loc, Value value,
                         const ElementMap &map) {
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, value), map.type);
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> parallel(rank,
                                            utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      builder, loc, empty.getType(), value, empty, maps, parallel,
      [&](OpBuilder &inner, Location at, ValueRange args) {
        linalg::YieldOp::create(inner, at, map.build(inner, at, args[0]));
      });
  if (!map.mark.empty())
    op->setAttr(map.mark, builder.getUnitAttr());
  return op.getResult(0);
}

Value omb::kernels::mapBelowShapes(OpBuilder &builder, Location loc,
                                   Value value, const ElementMap &map) {
  if (Value known = map.find ? map.find(value) : Value())
    return known;
  auto getType = [&](Value reshaped) {
    return cast<RankedTensorType>(reshaped.getType()).clone(map.type);
  };
  auto pad = value.getDefiningOp<tensor::PadOp>();
  if (TypedAttr padding = getPadding(pad))
    return createPad(
        builder, loc, mapBelowShapes(builder, loc, pad.getSource(), map),
        pad.getMixedLowPad(), pad.getMixedHighPad(), map.fold(padding));
  if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>())
    return tensor::CollapseShapeOp::create(
        builder, loc, getType(collapse),
        mapBelowShapes(builder, loc, collapse.getSrc(), map),
        collapse.getReassociationIndices());
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    return tensor::ExpandShapeOp::create(
        builder, loc, getType(expand),
        mapBelowShapes(builder, loc, expand.getSrc(), map),
        expand.getReassociationIndices(), expand.getMixedOutputShape());
  return mapElements(builder, loc, value, map);
}

Value omb::kernels::padLastDimension(OpBuilder &builder, Location loc,
                                     Value value, int64_t multiple) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t size = type.getShape().back();
  int64_t missing = llvm::alignTo(size, multiple) - size;
  if (missing == 0)
    return value;
  // What these are multiplied with is zeros: they may be anything.
  TypedAttr padding = builder.getZeroAttr(type.getElementType());
  SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0)),
      high(low);
  auto pad = value.getDefiningOp<tensor::PadOp>();
  TypedAttr known = getPadding(pad);
  if (known && isConstantIntValue(pad.getMixedLowPad().back(), 0) &&
      isConstantIntValue(pad.getMixedHighPad().back(), 0)) {
    padding = known;
    low = pad.getMixedLowPad();
    high = pad.getMixedHighPad();
    value = pad.getSource();
  }
  high.back() = builder.getIndexAttr(missing);
  return createPad(builder, loc, value, low, high, padding);
}
