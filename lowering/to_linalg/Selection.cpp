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
  patterns.add<NonZeroToGeneric, CompressToGeneric>(converter,
                                                    patterns.getContext());
}
