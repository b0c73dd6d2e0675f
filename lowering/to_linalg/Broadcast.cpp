//===- Broadcast.cpp - Elementwise computations with broadcasting ---------===//

#include "lowering/to_linalg/Broadcast.h"

#include "dialect/ir/OnnxDialect.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

static StringAttr getDimName(RankedTensorType type, int64_t dim) {
  auto dims = dyn_cast_if_present<omb::onnx::DimsAttr>(type.getEncoding());
  return dims ? dims.getNames()[dim] : StringAttr();
}

bool omb::isSameDim(RankedTensorType lhs, int64_t lhsDim, RankedTensorType rhs,
                    int64_t rhsDim) {
  if (!lhs.isDynamicDim(lhsDim) || !rhs.isDynamicDim(rhsDim))
    return lhs.getDimSize(lhsDim) == rhs.getDimSize(rhsDim);
  StringAttr name = getDimName(lhs, lhsDim);
  return name && !name.empty() && name == getDimName(rhs, rhsDim);
}

TypedAttr omb::getNumber(Value tensor) {
  SplatElementsAttr splat;
  if (!matchPattern(tensor, m_Constant(&splat)))
    return {};
  return dyn_cast<TypedAttr>(splat.getSplatValue<Attribute>());
}

namespace {

/// How the operands of one elementwise computation meet.
class Broadcast {
public:
  Broadcast(OpBuilder &builder, Location loc, ValueRange operands,
            TypeRange onnxOperands, RankedTensorType onnxResult)
      : builder(builder), loc(loc), operands(operands), result(onnxResult) {
    for (Type type : onnxOperands)
      types.push_back(cast<RankedTensorType>(type));
    for (int64_t dim = 0; dim < result.getRank(); ++dim)
      resolveDim(dim);
  }

  Value build(omb::ScalarBody body);

private:
  /// The dimension of operand `index` that meets dimension `dim` of the
  /// result; negative where it has none.
  int64_t getOperandDim(size_t index, int64_t dim) const {
    return dim - (result.getRank() - types[index].getRank());
  }
  /// Whether operand `index` is known to be 1 or missing there.
  bool isUnit(size_t index, int64_t dim) const {
    int64_t operandDim = getOperandDim(index, dim);
    return operandDim < 0 || types[index].getDimSize(operandDim) == 1;
  }

  void resolveDim(int64_t dim);
  void resolveUncertainDim(int64_t dim, ArrayRef<size_t> participants);
  Value getSize(size_t index, int64_t dim) {
    return tensor::DimOp::create(builder, loc, operands[index],
                                 getOperandDim(index, dim));
  }
  AffineMap getMap(size_t index) const;
  Value extract(OpBuilder &b, size_t index) const;

  OpBuilder &builder;
  Location loc;
  ValueRange operands;
  RankedTensorType result;
  SmallVector<RankedTensorType> types;
  SmallVector<Value> dynamicSizes;
  /// By operand and result dimension: whether the operand has size 1 there, as
  /// an i1 computed at run time.
  llvm::DenseMap<std::pair<size_t, int64_t>, Value> isOne;
};

void Broadcast::resolveDim(int64_t dim) {
  SmallVector<size_t> participants;
  SmallVector<size_t> uncertain;
  for (size_t index = 0; index < types.size(); ++index) {
    if (isUnit(index, dim))
      continue;
    participants.push_back(index);
    if (!omb::isSameDim(types[index], getOperandDim(index, dim), result, dim))
      uncertain.push_back(index);
  }
  bool isDynamic = result.isDynamicDim(dim);
  if (participants.size() > 1 && !uncertain.empty())
    return resolveUncertainDim(dim, participants);
  if (!isDynamic)
    return;
  dynamicSizes.push_back(
      participants.empty()
          ? arith::ConstantIndexOp::create(builder, loc, 1).getResult()
          : getSize(participants.front(), dim));
}

void Broadcast::resolveUncertainDim(int64_t dim,
                                    ArrayRef<size_t> participants) {
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value size;
  if (!result.isDynamicDim(dim))
    size = arith::ConstantIndexOp::create(builder, loc, result.getDimSize(dim));
  SmallVector<std::tuple<size_t, Value, Value>> sizes;
  Value common = one;
  for (size_t index : participants) {
    Value own = getSize(index, dim);
    Value unit =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, own, one);
    common = arith::SelectOp::create(builder, loc, unit, common, own);
    sizes.emplace_back(index, own, unit);
  }
  if (!size) {
    size = common;
    dynamicSizes.push_back(size);
  }
  for (auto [index, own, unit] : sizes) {
    Value same = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       own, size);
    Value fits = arith::OrIOp::create(builder, loc, unit, same);
    omb::createAssert(
        builder, loc, fits,
        "operand " + Twine(index) + " can't be broadcast: dimension " +
            Twine(getOperandDim(index, dim)) + " has another size");
    isOne[{index, dim}] = unit;
  }
}

AffineMap Broadcast::getMap(size_t index) const {
  MLIRContext *context = builder.getContext();
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < result.getRank(); ++dim) {
    if (getOperandDim(index, dim) < 0)
      continue;
    bool stays = isUnit(index, dim) && result.getDimSize(dim) != 1;
    exprs.push_back(stays ? getAffineConstantExpr(0, context)
                          : getAffineDimExpr(dim, context));
  }
  return AffineMap::get(result.getRank(), 0, exprs, context);
}

/// The element of an operand whose position is decided at run time.
Value Broadcast::extract(OpBuilder &b, size_t index) const {
  SmallVector<Value> position;
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  for (int64_t dim = 0; dim < result.getRank(); ++dim) {
    if (getOperandDim(index, dim) < 0)
      continue;
    if (isUnit(index, dim)) {
      position.push_back(zero);
      continue;
    }
    Value at = linalg::IndexOp::create(b, loc, dim);
    if (Value unit = isOne.lookup({index, dim}))
      at = arith::SelectOp::create(b, loc, unit, zero, at);
    position.push_back(at);
  }
  return tensor::ExtractOp::create(b, loc, operands[index], position);
}

Value Broadcast::build(omb::ScalarBody body) {
  // Numbers become constants of the body. Operands that may or may not be
  // broadcast are read by position, the others by an indexing map.
  SmallVector<TypedAttr> numbers;
  for (Value operand : operands)
    numbers.push_back(omb::getNumber(operand));
  SmallVector<bool> isExtracted(operands.size(), false);
  for (const auto &entry : isOne)
    isExtracted[entry.first.first] = true;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (size_t index = 0; index < operands.size(); ++index) {
    if (numbers[index] || isExtracted[index])
      continue;
    inputs.push_back(operands[index]);
    maps.push_back(getMap(index));
  }
  maps.push_back(builder.getMultiDimIdentityMap(result.getRank()));
  Type elementType = omb::getLoweredType(result.getElementType());
  Value init = tensor::EmptyOp::create(builder, loc, result.getShape(),
                                       elementType, dynamicSizes);
  SmallVector<utils::IteratorType> iterators(result.getRank(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), inputs, init, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        SmallVector<Value> scalars;
        size_t next = 0;
        for (size_t index = 0; index < operands.size(); ++index) {
          if (numbers[index])
            scalars.push_back(
                arith::ConstantOp::create(b, bodyLoc, numbers[index]));
          else
            scalars.push_back(isExtracted[index] ? extract(b, index)
                                                 : arguments[next++]);
        }
        linalg::YieldOp::create(b, bodyLoc, body(b, bodyLoc, scalars));
      });
  return generic.getResult(0);
}

} // namespace

Value omb::buildElementwise(OpBuilder &builder, Location loc,
                            ValueRange operands, TypeRange onnxOperands,
                            RankedTensorType onnxResult, ScalarBody body) {
  return Broadcast(builder, loc, operands, onnxOperands, onnxResult)
      .build(body);
}
