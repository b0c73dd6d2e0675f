//===- Constant.cpp - Lowering of constants and of shapes -----------------===//

#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/SparseTypes.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/SubByte.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

struct ConstantToArith : OpConversionPattern<ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConstantOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ElementsAttr elements;
    if (!matchPattern(op.getResult(), m_Constant(&elements)))
      return rewriter.notifyMatchFailure(op, "it has no value");
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the element type has no storage");
    type = RankedTensorType::get(elements.getShapedType().getShape(),
                                 type.getElementType(), type.getEncoding());
    TypedAttr signless = withType(elements, type);
    if (!signless)
      return rewriter.notifyMatchFailure(op, "the value has no known storage");
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, type, signless);
    return success();
  }

  /// The elements as a tensor of type `type`.
  static TypedAttr withType(ElementsAttr elements, RankedTensorType type) {
    if (auto sparse = dyn_cast<SparseElementsAttr>(elements)) {
      if (sparse.getType() == type)
        return sparse;
      if (omb::onnx::isSparse(type) && type.getElementType().isInteger(8) &&
          !omb::isSubByte(sparse.getElementType()))
        return SparseElementsAttr::get(
            type, sparse.getIndices(),
            DenseElementsAttr(
                sparse.getValues().bitcast(type.getElementType())));
      elements = omb::onnx::makeDense(sparse);
    }
    if (omb::isSubByte(elements.getElementType()))
      return omb::widenSubByte(elements);
    if (auto dense = dyn_cast<DenseElementsAttr>(elements))
      return dense.getElementType() == type.getElementType()
                 ? dense
                 : DenseElementsAttr(dense.bitcast(type.getElementType()));
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements))
      return DenseResourceElementsAttr::get(type, resource.getRawHandle());
    return {};
  }
};

struct ConstantOfShapeToFill : OpConversionPattern<ConstantOfShapeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConstantOfShapeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(
          op, "the rank of the result isn't known: the shape has a dynamic "
              "length");
    Location loc = op.getLoc();
    Value element = getElement(rewriter, op, type.getElementType());
    if (!element)
      return rewriter.notifyMatchFailure(
          op, "the value isn't of the result's element type");
    omb::IndexArithmetic index(rewriter, loc);
    index.requireLength(adaptor.getInput(), type.getRank());
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim)) {
        sizes.push_back(index.constant(type.getDimSize(dim)));
        continue;
      }
      sizes.push_back(index.element(adaptor.getInput(), dim));
      index.require(index.isLess(index.constant(-1), sizes.back()),
                    "ConstantOfShape has a negative size");
    }
    Value init = omb::createEmpty(rewriter, loc, type, sizes);
    rewriter.replaceOp(
        op, linalg::FillOp::create(rewriter, loc, element, init).getResult(0));
    return success();
  }

  /// The number to fill with; null where its type is another one.
  static Value getElement(OpBuilder &builder, ConstantOfShapeOp op,
                          Type elementType) {
    if (!op.getValue())
      return omb::createZero(builder, op.getLoc(), elementType);
    auto dense = dyn_cast<DenseElementsAttr>(*op.getValue());
    if (!dense || omb::getLoweredType(dense.getElementType()) != elementType)
      return nullptr;
    if (omb::isSubByte(dense.getElementType()))
      dense = cast<DenseElementsAttr>(omb::widenSubByte(dense));
    else if (dense.getElementType() != elementType)
      dense = dense.bitcast(elementType);
    auto number = *dense.value_begin<Attribute>();
    return arith::ConstantOp::create(builder, op.getLoc(),
                                     cast<TypedAttr>(number));
  }
};

struct EyeLikeToGeneric : OpConversionPattern<EyeLikeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(EyeLikeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    omb::IndexArithmetic index(rewriter, op.getLoc());
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, op.getLoc(), type, index.sizes(adaptor.getInput()),
                [&](OpBuilder &builder, Location loc, ValueRange at) -> Value {
                  omb::IndexArithmetic inner(builder, loc);
                  omb::Scalars scalars(builder, loc, type.getElementType());
                  Value diagonal = inner.add(at[0], inner.constant(op.getK()));
                  return scalars.select(
                      inner.isEqual(diagonal, at[1]),
                      getOne(builder, loc, type.getElementType()),
                      omb::createZero(builder, loc, type.getElementType()));
                }));
    return success();
  }

  static Value getOne(OpBuilder &builder, Location loc, Type elementType) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getOneAttr(elementType));
  }
};

//===----------------------------------------------------------------------===//
// Range
//===----------------------------------------------------------------------===//

struct RangeToGeneric : OpConversionPattern<RangeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RangeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the result has no tensor type");
    for (Value operand : adaptor.getOperands())
      if (!isa<RankedTensorType>(operand.getType()))
        return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    Location loc = op.getLoc();
    Type elementType = type.getElementType();
    omb::Scalars scalars(rewriter, loc, elementType);
    Value start = read(scalars, adaptor.getStart());
    Value delta = read(scalars, adaptor.getDelta());
    Value count =
        type.isDynamicDim(0)
            ? getCount(scalars, start, read(scalars, adaptor.getLimit()), delta)
            : omb::IndexArithmetic(rewriter, loc).constant(type.getDimSize(0));
    rewriter.replaceOp(
        op,
        omb::buildFromIndices(
            rewriter, loc, type, count,
            [&](OpBuilder &builder, Location bodyLoc, ValueRange at) -> Value {
              omb::Scalars s(builder, bodyLoc, elementType);
              Value position =
                  arith::IndexCastOp::create(s, s.getI64Type(), at.front());
              position = convert(s, position, delta.getType());
              return s.narrow(s.add(start, s.mul(position, delta)),
                              elementType);
            }));
    return success();
  }

  /// The number that `tensor` holds.
  static Value read(omb::Scalars &scalars, Value tensor) {
    int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
    Value zero = arith::ConstantIndexOp::create(scalars, 0);
    return tensor::ExtractOp::create(scalars, tensor,
                                     SmallVector<Value>(rank, zero));
  }

  /// The i64 `position` as a number of `type`.
  static Value convert(omb::Scalars &s, Value position, Type type) {
    if (isa<FloatType>(type))
      return arith::SIToFPOp::create(s, type, position);
    if (position.getType() == type)
      return position;
    return arith::TruncIOp::create(s, type, position);
  }

  static Value getCount(omb::Scalars &s, Value start, Value limit,
                        Value delta) {
    omb::IndexArithmetic index(s, s.getLoc());
    Value zero = index.constant(0);
    if (isa<FloatType>(start.getType())) {
      Value count = countFloats(s, start, limit, delta);
      index.require(index.isLess(index.constant(-1), count),
                    "the delta of Range is 0");
      return count;
    }
    index.require(s.notEqual(delta, s.constant(delta, 0)),
                  "the delta of Range is 0");
    auto toIndex = [&](Value x) -> Value {
      return arith::IndexCastOp::create(s, s.getIndexType(), x);
    };
    Value step = toIndex(delta);
    step = index.select(index.isEqual(step, zero), index.constant(1), step);
    Value difference = index.sub(toIndex(limit), toIndex(start));
    return index.max(index.ceilDiv(difference, step), zero);
  }

  /// -1 where the delta is 0. Computed in a tensor: IREE's host code has no
  /// such arithmetic.
  static Value countFloats(omb::Scalars &s, Value start, Value limit,
                           Value delta) {
    auto type = RankedTensorType::get({}, s.getI64Type());
    Value count = omb::buildFromIndices(
        s, s.getLoc(), type, {},
        [&](OpBuilder &builder, Location loc, ValueRange) -> Value {
          omb::Scalars inner(builder, loc, start.getType());
          // Quotients are rounded up: f32 is too coarse.
          auto widen = [&](Value x) -> Value {
            if (x.getType().isF64())
              return x;
            return arith::ExtFOp::create(inner, inner.getF64Type(), x);
          };
          Value step = widen(inner.widen(delta));
          Value difference = inner.sub(inner.widen(limit), inner.widen(start));
          Value quotient = inner.max(inner.div(widen(difference), step), 0);
          Value size = arith::FPToSIOp::create(inner, inner.getI64Type(),
                                               inner.ceil(quotient));
          return inner.select(inner.equal(step, inner.constant(step, 0)),
                              inner.constant(size, -1), size);
        });
    return omb::IndexArithmetic(s, s.getLoc()).element(count, 0);
  }
};

//===----------------------------------------------------------------------===//
// Shape, Size
//===----------------------------------------------------------------------===//

/// Sizes that no expression tells are read from the tensor.
struct ShapeToTensor : OpConversionPattern<ShapeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ShapeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getData().getType());
    if (!input || !type || type.isDynamicDim(0))
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    int64_t rank = input.getRank();
    int64_t start = std::clamp<int64_t>(
        op.getStart() < 0 ? op.getStart() + rank : op.getStart(), 0, rank);
    omb::IndexArithmetic index(rewriter, op.getLoc());
    SmallVector<Value> elements;
    for (int64_t dim = start; dim < start + type.getDimSize(0); ++dim)
      elements.push_back(arith::IndexCastOp::create(
          rewriter, op.getLoc(), type.getElementType(),
          index.size(adaptor.getData(), dim)));
    rewriter.replaceOpWithNewOp<tensor::FromElementsOp>(op, type, elements);
    return success();
  }
};

struct SizeToTensor : OpConversionPattern<SizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type || !isa<RankedTensorType>(adaptor.getData().getType()))
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    omb::IndexArithmetic index(rewriter, op.getLoc());
    Value size = arith::IndexCastOp::create(
        rewriter, op.getLoc(), type.getElementType(),
        index.product(index.sizes(adaptor.getData())));
    rewriter.replaceOpWithNewOp<tensor::FromElementsOp>(op, type, size);
    return success();
  }
};

} // namespace

void omb::populateConstantToLinalgPatterns(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<ConstantToArith, ConstantOfShapeToFill, EyeLikeToGeneric,
               RangeToGeneric, ShapeToTensor, SizeToTensor>(
      converter, patterns.getContext());
}
