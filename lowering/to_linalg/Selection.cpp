//===- Selection.cpp - Lowering of what is picked by value ----------------===//

#include "dialect/ir/ops/Indexing.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Marks.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

//===----------------------------------------------------------------------===//
// TopK
//===----------------------------------------------------------------------===//

/// Whether `lhs` is greater in the order of numbers, in which NaN is last.
Value isGreater(omb::Scalars &s, Value lhs, Value rhs) {
  if (!isa<FloatType>(lhs.getType()))
    return s.less(rhs, lhs);
  Value greater = arith::CmpFOp::create(s, arith::CmpFPredicate::UGT, lhs, rhs);
  Value isNumber =
      arith::CmpFOp::create(s, arith::CmpFPredicate::ORD, rhs, rhs);
  return arith::AndIOp::create(s, greater, isNumber);
}

struct TopKToGeneric : OpConversionPattern<TopKOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TopKOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getValues().getType());
    auto indexType = getTypeConverter()->convertType<RankedTensorType>(
        op.getIndices().getType());
    Value x = adaptor.getX();
    auto input = dyn_cast<RankedTensorType>(x.getType());
    if (!type || !indexType || !input)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t rank = input.getRank();
    int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
    SmallVector<Value> sizes = index.sizes(x);
    Value size = sizes[axis];
    sizes[axis] = type.isDynamicDim(axis)
                      ? index.element(adaptor.getK(), 0)
                      : index.constant(type.getDimSize(axis));
    index.require(index.isLess(index.constant(-1), sizes[axis]),
                  "the K of TopK is negative");
    index.require(index.isLess(sizes[axis], index.add(size, index.constant(1))),
                  "the K of TopK is larger than the dimension");
    if (llvm::is_contained(type.getShape(), 0) ||
        llvm::is_contained(input.getShape(), 0)) {
      rewriter.replaceOp(op,
                         {omb::createEmpty(rewriter, loc, type, sizes),
                          omb::createEmpty(rewriter, loc, indexType, sizes)});
      return success();
    }
    Value ranks = rankElements(rewriter, op, x, axis);
    Value places = findRanks(rewriter, loc, ranks, axis, type, sizes);
    Value values = omb::buildFromIndices(
        rewriter, loc, type, sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          SmallVector<Value> position(at);
          Value place = tensor::ExtractOp::create(b, loc, places, at);
          position[axis] =
              arith::IndexCastOp::create(b, loc, b.getIndexType(), place);
          return tensor::ExtractOp::create(b, loc, x, position);
        });
    Value indices = omb::buildFromIndices(
        rewriter, loc, indexType, sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          Value place = tensor::ExtractOp::create(b, loc, places, at);
          return arith::ExtSIOp::create(b, loc, b.getI64Type(), place);
        });
    rewriter.replaceOp(op, {values, indices});
    return success();
  }

  /// For each element, how many come before it in the order asked for.
  static Value rankElements(OpBuilder &builder, TopKOp op, Value x,
                            int64_t axis) {
    Location loc = op.getLoc();
    auto input = cast<RankedTensorType>(x.getType());
    int64_t rank = input.getRank();
    SmallVector<int64_t> own = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    SmallVector<int64_t> other(own);
    other[axis] = rank;
    Type onnxType = getElementTypeOrSelf(op.getX().getType());
    bool isLargest = op.getLargest() != 0;
    return omb::buildSum(
        builder, loc,
        RankedTensorType::get(input.getShape(), builder.getI32Type()),
        omb::IndexArithmetic(builder, loc).sizes(x), {x, x}, {own, other},
        [&](OpBuilder &b, ValueRange elements, ValueRange at) -> Value {
          omb::Scalars s(b, loc, onnxType);
          Value mine = s.widen(elements[0]), theirs = s.widen(elements[1]);
          Value theirsFirst = isLargest ? isGreater(s, theirs, mine)
                                        : isGreater(s, mine, theirs);
          Value mineFirst = isLargest ? isGreater(s, mine, theirs)
                                      : isGreater(s, theirs, mine);
          // Of two that are equal, the one with the lower index.
          Value isEarlier =
              omb::IndexArithmetic(b, loc).isLess(at[rank], at[axis]);
          Value isBefore = s.select(
              mineFirst, s.constant(s.getI1Type(), 0),
              s.select(theirsFirst, s.constant(s.getI1Type(), 1), isEarlier));
          return arith::ExtUIOp::create(s, s.getI32Type(), isBefore);
        });
  }

  /// For each rank below K, the element that has it: a sum with one term.
  static Value findRanks(OpBuilder &builder, Location loc, Value ranks,
                         int64_t axis, RankedTensorType type,
                         ValueRange sizes) {
    int64_t rank = type.getRank();
    SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    dims[axis] = rank;
    return omb::buildSum(
        builder, loc,
        RankedTensorType::get(type.getShape(), builder.getI32Type()), sizes,
        ranks, {dims},
        [&](OpBuilder &b, ValueRange elements, ValueRange at) -> Value {
          Type i32 = b.getI32Type();
          Value wanted = arith::IndexCastOp::create(b, loc, i32, at[axis]);
          Value place = arith::IndexCastOp::create(b, loc, i32, at[rank]);
          Value isIt = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                             elements[0], wanted);
          Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
          return arith::SelectOp::create(b, loc, isIt, place, zero);
        });
  }
};

//===----------------------------------------------------------------------===//
// NonZero, Compress
//===----------------------------------------------------------------------===//

/// Whether `x`, a number of any type, is not 0.
Value isNonZero(OpBuilder &builder, Location loc, Value x) {
  if (auto type = dyn_cast<ComplexType>(x.getType()))
    return complex::NotEqualOp::create(builder, loc, x,
                                       omb::createZero(builder, loc, type));
  omb::Scalars s(builder, loc, x.getType());
  x = s.widen(x);
  return s.notEqual(x, s.constant(x, 0));
}

struct NonZeroToGeneric : OpConversionPattern<NonZeroOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(NonZeroOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    Value x = adaptor.getX();
    auto input = dyn_cast<RankedTensorType>(x.getType());
    if (!type || !input)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t rank = input.getRank();
    Value height = index.constant(rank);
    if (llvm::is_contained(input.getShape(), 0)) {
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type,
                                              {height, index.constant(0)}));
      return success();
    }
    SmallVector<Value> sizes = index.sizes(x);
    Type i32 = rewriter.getI32Type();
    Value isMarked = omb::buildFromIndices(
        rewriter, loc, RankedTensorType::get(input.getShape(), i32), sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          Value element = tensor::ExtractOp::create(b, loc, x, at);
          return arith::ExtUIOp::create(b, loc, i32,
                                        isNonZero(b, loc, element));
        });
    omb::Marks marks(rewriter, loc, omb::flatten(rewriter, loc, isMarked));
    SmallVector<Value> resultSizes{height, marks.count()};
    if (rank == 0) {
      rewriter.replaceOp(op,
                         omb::createEmpty(rewriter, loc, type, resultSizes));
      return success();
    }
    marks.rank();
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, resultSizes,
                [&](OpBuilder &b, Location, ValueRange at) -> Value {
                  Value place = marks.find(b, at[1]);
                  Value coordinate = getCoordinate(b, loc, place, at[0], sizes);
                  return arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                                    coordinate);
                }));
    return success();
  }

  /// Coordinate number `dim` of the element at the flat position `place`.
  static Value getCoordinate(OpBuilder &b, Location loc, Value place, Value dim,
                             ArrayRef<Value> sizes) {
    omb::IndexArithmetic index(b, loc);
    Value result = place;
    for (int64_t at = sizes.size() - 1; at >= 0; --at) {
      // Nothing is found in an empty tensor, so that no size is 0 here.
      Value size = index.max(sizes[at], index.constant(1));
      Value coordinate =
          at == 0 ? place
                  : arith::RemUIOp::create(b, loc, place, size).getResult();
      result = index.select(index.isEqual(dim, index.constant(at)), coordinate,
                            result);
      if (at > 0)
        place = arith::DivUIOp::create(b, loc, place, size);
    }
    return result;
  }
};

struct CompressToGeneric : OpConversionPattern<CompressOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(CompressOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    Value input = adaptor.getInput();
    auto condition =
        dyn_cast<RankedTensorType>(adaptor.getCondition().getType());
    if (!type || !condition || !isa<RankedTensorType>(input.getType()))
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t axis = 0;
    if (op.getAxis())
      axis = *op.getAxis() < 0 ? *op.getAxis() + type.getRank() : *op.getAxis();
    else
      input = omb::flatten(rewriter, loc, input);
    SmallVector<Value> sizes = index.sizes(input);
    if (condition.getDimSize(0) == 0 ||
        llvm::is_contained(cast<RankedTensorType>(input.getType()).getShape(),
                           0)) {
      sizes[axis] = index.constant(0);
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    Value size = sizes[axis];
    Type i32 = rewriter.getI32Type();
    Value isMarked = omb::buildFromIndices(
        rewriter, loc, RankedTensorType::get(condition.getShape(), i32),
        index.size(adaptor.getCondition(), 0),
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          omb::IndexArithmetic inner(b, loc);
          Value isTrue =
              tensor::ExtractOp::create(b, loc, adaptor.getCondition(), at);
          // What lies beyond the input marks nothing.
          Value isInside = inner.isLess(at[0], size);
          return arith::ExtUIOp::create(
              b, loc, i32, arith::AndIOp::create(b, loc, isTrue, isInside));
        });
    omb::Marks marks(rewriter, loc, isMarked);
    sizes[axis] = marks.count();
    marks.rank();
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, sizes,
                [&](OpBuilder &b, Location, ValueRange at) -> Value {
                  SmallVector<Value> position(at);
                  position[axis] = marks.find(b, at[axis]);
                  return tensor::ExtractOp::create(b, loc, input, position);
                }));
    return success();
  }
};

} // namespace

void omb::populateSelectionToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {
  patterns.add<TopKToGeneric, NonZeroToGeneric, CompressToGeneric>(
      converter, patterns.getContext());
}
