//===- IndexArithmetic.cpp - Sizes and positions at run time --------------===//

#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

Value omb::IndexArithmetic::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value omb::IndexArithmetic::add(Value lhs, Value rhs) {
  return builder.createOrFold<arith::AddIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::sub(Value lhs, Value rhs) {
  return builder.createOrFold<arith::SubIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::mul(Value lhs, Value rhs) {
  return builder.createOrFold<arith::MulIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::min(Value lhs, Value rhs) {
  return builder.createOrFold<arith::MinSIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::max(Value lhs, Value rhs) {
  return builder.createOrFold<arith::MaxSIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::div(Value lhs, Value rhs) {
  return builder.createOrFold<arith::DivSIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::ceilDiv(Value lhs, Value rhs) {
  return builder.createOrFold<arith::CeilDivSIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::floorDiv(Value lhs, Value rhs) {
  return builder.createOrFold<arith::FloorDivSIOp>(loc, lhs, rhs);
}

Value omb::IndexArithmetic::floorMod(Value lhs, Value rhs) {
  Value remainder = builder.createOrFold<arith::RemSIOp>(loc, lhs, rhs);
  Value shifted = add(remainder, rhs);
  return builder.createOrFold<arith::RemSIOp>(loc, shifted, rhs);
}

Value omb::IndexArithmetic::clamp(Value value, Value low, Value high) {
  return max(min(value, high), low);
}

Value omb::IndexArithmetic::isEqual(Value lhs, Value rhs) {
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, lhs,
                                             rhs);
}

Value omb::IndexArithmetic::isLess(Value lhs, Value rhs) {
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt,
                                             lhs, rhs);
}

Value omb::IndexArithmetic::select(Value condition, Value yes, Value no) {
  return builder.createOrFold<arith::SelectOp>(loc, condition, yes, no);
}

Value omb::IndexArithmetic::product(ValueRange factors) {
  Value result = constant(1);
  for (Value factor : factors)
    result = mul(result, factor);
  return result;
}

Value omb::IndexArithmetic::fromFront(Value position, Value size) {
  return select(isLess(position, constant(0)), add(position, size), position);
}

Value omb::IndexArithmetic::inBounds(Value index, Value size) {
  Value last = sub(size, constant(1));
  return clamp(fromFront(index, size), constant(0), last);
}

Value omb::IndexArithmetic::size(Value tensor, int64_t dim) {
  return builder.createOrFold<tensor::DimOp>(loc, tensor, dim);
}

SmallVector<Value> omb::IndexArithmetic::sizes(Value tensor) {
  SmallVector<Value> result;
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  for (int64_t dim = 0; dim < rank; ++dim)
    result.push_back(size(tensor, dim));
  return result;
}

/// The part of a concatenation that has element `position`, which becomes the
/// position in it; null where that isn't known.
static Value findPart(tensor::ConcatOp concat, int64_t &position) {
  if (concat.getResultType().getRank() != 1)
    return nullptr;
  int64_t left = position;
  for (Value part : concat.getInputs()) {
    int64_t size = cast<RankedTensorType>(part.getType()).getDimSize(0);
    if (ShapedType::isDynamic(size))
      return nullptr;
    if (left < size) {
      position = left;
      return part;
    }
    left -= size;
  }
  return nullptr;
}

/// Goes on to the part of a concatenation that has element `position`. That
/// saves its computation where single elements are read, and on Vulkan IREE
/// copies such an element before it is there.
static void enterConcatenation(Value &tensor, int64_t &position) {
  while (auto concat = tensor.getDefiningOp<tensor::ConcatOp>()) {
    Value part = findPart(concat, position);
    if (!part)
      return;
    tensor = part;
  }
}

Value omb::IndexArithmetic::element(Value tensor, int64_t position) {
  enterConcatenation(tensor, position);
  if (std::optional<SmallVector<int64_t>> known = getConstantIntegers(tensor))
    return constant((*known)[position]);
  SmallVector<Value> at;
  if (cast<RankedTensorType>(tensor.getType()).getRank() == 1)
    at.push_back(constant(position));
  Value scalar = builder.createOrFold<tensor::ExtractOp>(loc, tensor, at);
  return builder.createOrFold<arith::IndexCastOp>(loc, builder.getIndexType(),
                                                  scalar);
}

void omb::IndexArithmetic::require(Value condition, const Twine &message) {
  if (!matchPattern(condition, m_One()))
    createAssert(builder, loc, condition, message);
}

void omb::IndexArithmetic::requireLength(Value vector, int64_t length) {
  bool isScalar = cast<RankedTensorType>(vector.getType()).getRank() == 0;
  Value actual = isScalar ? constant(1) : size(vector, 0);
  require(isEqual(actual, constant(length)),
          "the result has another rank than the model declares");
}

void omb::requireElements(IndexArithmetic index, Value size,
                          ValueRange resultSizes, const Twine &message) {
  Value zero = index.constant(0);
  Value isNeeded = index.isLess(zero, index.product(resultSizes));
  index.require(index.select(isNeeded, index.isLess(zero, size),
                             index.isEqual(zero, zero)),
                message);
}

SmallVector<OpFoldResult> omb::IndexArithmetic::mixed(ValueRange sizes) {
  return getAsOpFoldResult(sizes);
}

std::optional<SmallVector<int64_t>> omb::getConstantIntegers(Value value) {
  DenseIntElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    return std::nullopt;
  bool isUnsigned = elements.getElementType().isUnsignedInteger();
  SmallVector<int64_t> integers;
  for (const APInt &element : elements)
    integers.push_back(isUnsigned ? element.getZExtValue()
                                  : element.getSExtValue());
  return integers;
}

Value omb::getComputedAxis(OpBuilder &builder, Location loc, Value axes,
                           int64_t position, int64_t rank) {
  IndexArithmetic index(builder, loc);
  Value size = index.constant(rank);
  Value axis = index.fromFront(index.element(axes, position), size);
  index.require(builder.createOrFold<arith::CmpIOp>(
                    loc, arith::CmpIPredicate::ult, axis, size),
                "an axis is out of range");
  return axis;
}

Value omb::castTensor(OpBuilder &builder, Location loc, Value value,
                      Type type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(builder, loc, type, value);
}

Value omb::createEmpty(OpBuilder &builder, Location loc, RankedTensorType type,
                       ValueRange sizes) {
  SmallVector<Value> dynamicSizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      dynamicSizes.push_back(sizes[dim]);
  return tensor::EmptyOp::create(builder, loc, type, dynamicSizes);
}

Value omb::buildFromIndices(OpBuilder &builder, Location loc,
                            RankedTensorType type, ValueRange sizes,
                            ElementBody body) {
  Value init = createEmpty(builder, loc, type, sizes);
  if (llvm::is_contained(type.getShape(), 0))
    return init;
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, /*inputs=*/ValueRange(), init,
      builder.getMultiDimIdentityMap(type.getRank()), iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange) {
        SmallVector<Value> indices;
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          indices.push_back(linalg::IndexOp::create(b, bodyLoc, dim));
        linalg::YieldOp::create(b, bodyLoc, body(b, bodyLoc, indices));
      });
  return generic.getResult(0);
}

Value omb::createZero(OpBuilder &builder, Location loc, Type elementType) {
  if (auto type = dyn_cast<ComplexType>(elementType)) {
    Attribute part = builder.getZeroAttr(type.getElementType());
    return complex::ConstantOp::create(builder, loc, type,
                                       builder.getArrayAttr({part, part}));
  }
  if (auto type = dyn_cast<FloatType>(elementType)) {
    // By bits: f8E8M0FNU has no number 0.
    const llvm::fltSemantics &semantics = type.getFloatSemantics();
    APFloat zero(semantics, APInt::getZero(type.getWidth()));
    return arith::ConstantOp::create(builder, loc, type,
                                     FloatAttr::get(type, zero));
  }
  return arith::ConstantOp::create(builder, loc,
                                   builder.getZeroAttr(elementType));
}
