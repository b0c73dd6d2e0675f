//===- Reduction.cpp - Lowering of reductions -----------------------------===//

#include "dialect/ir/ops/Reduction.h"
#include "dialect/shape/ShapeInference.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/ReductionSpace.h"
#include "lowering/to_linalg/Reshape.h"
#include "lowering/to_linalg/Transcendentals.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// Sums, products, extremes: one accumulator each
//===----------------------------------------------------------------------===//

// start: what a reduction of no elements gives. accumulate: takes one element
// `x`. finish: makes the result of the accumulator after `space` was reduced.

template <typename OpT> static Value start(OpT, Scalars &s, Type type) {
  return s.constant(type, 0);
}
static Value start(ReduceMaxOp, Scalars &s, Type type) {
  return s.lowest(type);
}
static Value start(ReduceMinOp, Scalars &s, Type type) {
  return s.highest(type);
}
static Value start(ReduceProdOp, Scalars &s, Type type) {
  return s.constant(type, 1);
}

template <typename OpT>
static Value accumulate(OpT, Scalars &s, Value sum, Value x) {
  return s.add(sum, x);
}
static Value accumulate(ReduceL1Op, Scalars &s, Value sum, Value x) {
  return s.add(sum, s.abs(x));
}
static Value accumulate(ReduceL2Op, Scalars &s, Value sum, Value x) {
  return s.add(sum, s.mul(x, x));
}
static Value accumulate(ReduceMaxOp, Scalars &s, Value max, Value x) {
  return s.max(max, x);
}
static Value accumulate(ReduceMinOp, Scalars &s, Value min, Value x) {
  return s.min(min, x);
}
static Value accumulate(ReduceProdOp, Scalars &s, Value product, Value x) {
  return s.mul(product, x);
}
static Value accumulate(ReduceSumSquareOp, Scalars &s, Value sum, Value x) {
  return s.add(sum, s.mul(x, x));
}

template <typename OpT>
static Value finish(OpT, Scalars &, Value total, const ReductionSpace &) {
  return total;
}
static Value finish(ReduceL2Op, Scalars &s, Value sum, const ReductionSpace &) {
  if (isa<FloatType>(sum.getType()))
    return buildSqrt(s, sum);
  Value root = buildSqrt(s, s.toFloat(sum, s.getF64Type()));
  return s.toInteger(root, sum.getType());
}
static Value finish(ReduceLogSumOp, Scalars &s, Value sum,
                    const ReductionSpace &) {
  return buildLog(s, sum);
}
static Value finish(ReduceMeanOp, Scalars &s, Value sum,
                    const ReductionSpace &space) {
  return s.div(sum, space.getCount(s, sum.getType()));
}

/// Whether finish() computes something.
template <typename OpT>
static constexpr bool isFinished =
    !llvm::is_one_of<OpT, ReduceL2Op, ReduceLogSumOp, ReduceMeanOp>::value;

/// The type of the accumulator. A mean of 32-bit integers doesn't overflow.
template <typename OpT> static Type getAccumulator(Type elementType) {
  if (std::is_same_v<OpT, ReduceMeanOp> && isa<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(), 64);
  return getAccumulatorType(elementType);
}

static Value widenTo(Scalars &s, Value x, Type type) {
  if (x.getType() == type)
    return x;
  if (isa<FloatType>(type))
    return s.widen(x);
  if (s.isUnsignedInteger())
    return arith::ExtUIOp::create(s, type, x);
  return arith::ExtSIOp::create(s, type, x);
}

static Value narrowTo(Scalars &s, Value x, Type type) {
  if (x.getType() == type || isa<FloatType>(type))
    return s.narrow(x, type);
  return arith::TruncIOp::create(s, type, x);
}

/// The reduction of `data` as a statistic of `space`.
template <typename OpT>
static Value buildReduction(OpT op, OpBuilder &builder, Value data,
                            ReductionSpace &space) {
  Location loc = op.getLoc();
  Type onnxType = getElementTypeOrSelf(op.getData().getType());
  Type elementType = getElementTypeOrSelf(data.getType());
  Type type = getAccumulator<OpT>(elementType);
  Scalars outside(builder, loc, onnxType);
  Value total =
      space.reduce(data, /*statistics=*/{}, start(op, outside, type),
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, onnxType);
                     return accumulate(op, s, x[1], widenTo(s, x[0], type));
                   });
  if (isFinished<OpT> && type == elementType)
    return total;
  return space.map(total, elementType,
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, onnxType);
                     return narrowTo(s, finish(op, s, x[0], space),
                                     elementType);
                   });
}

/// The largest element, or 0 where it is infinite or NaN: what the elements
/// are shifted by before exp(), which overflows no more.
static Value getShift(Scalars &s, Value max) {
  Value isFinite = s.less(s.abs(max), s.highest(max.getType()));
  return s.select(isFinite, max, s.constant(max, 0));
}

/// log(sum(exp(x - m))) + m
static Value buildReduction(ReduceLogSumExpOp op, OpBuilder &builder,
                            Value data, ReductionSpace &space) {
  Location loc = op.getLoc();
  Type elementType = getElementTypeOrSelf(data.getType());
  Type type = getAccumulatorType(elementType);
  Scalars outside(builder, loc, elementType);
  Value max =
      space.reduce(data, /*statistics=*/{}, outside.lowest(type),
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, elementType);
                     return s.max(x[1], s.widen(x[0]));
                   });
  Value sum =
      space.reduce(data, max, outside.constant(type, 0),
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, elementType);
                     Value shifted = s.sub(s.widen(x[0]), getShift(s, x[1]));
                     return s.add(x[2], buildExp(s, shifted));
                   });
  return space.map({max, sum}, elementType,
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, elementType);
                     Value log = buildLog(s, x[1]);
                     return s.narrow(s.add(log, getShift(s, x[0])),
                                     elementType);
                   });
}

namespace {

/// The axes of a reduction, from the front and ascending; `isReduced` has an i1
/// for each dimension where they are known at run time only.
struct Axes {
  SmallVector<int64_t> known;
  SmallVector<Value> isReduced;
};

template <typename OpT> struct ReduceToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value data = adaptor.getData();
    auto dataType = dyn_cast<RankedTensorType>(data.getType());
    auto type =
        this->getTypeConverter()->template convertType<RankedTensorType>(
            op.getType());
    if (!dataType)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    if (!type)
      return rewriter.notifyMatchFailure(
          op, "the rank of the result isn't known: the number of axes is "
              "decided at run time");
    FailureOr<Axes> axes =
        getAxes(op, adaptor.getAxes(), data, dataType.getRank(), rewriter);
    if (failed(axes))
      return failure();
    Location loc = op.getLoc();
    if (axes->isReduced.empty()) {
      ReductionSpace space(rewriter, loc, data, axes->known);
      Value result = buildReduction(op, rewriter, data, space);
      if (op.getKeepdims())
        result = space.keepDims(result);
      rewriter.replaceOp(op, castTensor(rewriter, loc, result, type));
      return success();
    }
    ReductionSpace space(rewriter, loc, data, axes->isReduced);
    Value result = buildReduction(op, rewriter, data, space);
    if (!op.getKeepdims())
      result = dropReduced(op, rewriter, data, result, axes->isReduced);
    rewriter.replaceOp(op, castTensor(rewriter, loc, result, type));
    return success();
  }

  static FailureOr<Axes> getAxes(OpT op, Value converted, Value data,
                                 int64_t rank,
                                 ConversionPatternRewriter &rewriter) {
    SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    SmallVector<int64_t> none;
    ArrayRef<int64_t> whenEmpty = op.getNoopWithEmptyAxes() ? none : all;
    if (!op.getAxes())
      return Axes{SmallVector<int64_t>(whenEmpty), {}};
    if (std::optional<SmallVector<int64_t>> known =
            getConstantIntegers(op.getAxes())) {
      std::optional<SmallVector<int64_t>> dims = getAxesFromFront(*known, rank);
      if (!dims)
        return rewriter.notifyMatchFailure(op, "an axis is out of range");
      return Axes{known->empty() ? SmallVector<int64_t>(whenEmpty) : *dims, {}};
    }
    auto type = dyn_cast<RankedTensorType>(converted.getType());
    std::optional<int64_t> count = countAxes(op, type, rank);
    if (!count)
      return rewriter.notifyMatchFailure(
          op, "the axes aren't constant, and not even their number is known");
    if (*count == 0)
      return Axes{SmallVector<int64_t>(whenEmpty), {}};
    if (rank == 0)
      return rewriter.notifyMatchFailure(op, "a scalar has no axes");
    return Axes{{}, computeIsReduced(op, converted, *count, rank, rewriter)};
  }

  /// The number of axes of the type `axes`: all that the result, which has a
  /// dimension at least, lacks; or as many as there are elements.
  static std::optional<int64_t> countAxes(OpT op, RankedTensorType axes,
                                          int64_t rank) {
    if (!axes || axes.getRank() > 1)
      return std::nullopt;
    if (axes.hasStaticShape())
      return axes.getNumElements();
    auto result = cast<RankedTensorType>(op.getType());
    if (op.getKeepdims() || result.getRank() == 0 || result.getRank() >= rank)
      return std::nullopt;
    return rank - result.getRank();
  }

  static SmallVector<Value> computeIsReduced(OpT op, Value axes, int64_t count,
                                             int64_t rank, OpBuilder &builder) {
    IndexArithmetic index(builder, op.getLoc());
    Value size = index.constant(rank);
    index.requireLength(axes, count);
    SmallVector<Value> isReduced(rank);
    for (int64_t position = 0; position < count; ++position) {
      Value axis = index.fromFront(index.element(axes, position), size);
      index.require(index.isLess(index.constant(-1), axis),
                    "a reduction has an axis that is out of range");
      index.require(index.isLess(axis, size),
                    "a reduction has an axis that is out of range");
      for (int64_t dim = 0; dim < rank; ++dim) {
        Value isAxis = index.isEqual(axis, index.constant(dim));
        isReduced[dim] = isReduced[dim]
                             ? builder.createOrFold<arith::OrIOp>(
                                   op.getLoc(), isReduced[dim], isAxis)
                             : isAxis;
      }
    }
    return isReduced;
  }

  /// Leaves out the dimensions of size 1 that were reduced.
  static Value dropReduced(OpT op, OpBuilder &builder, Value data, Value kept,
                           ValueRange isReduced) {
    IndexArithmetic index(builder, op.getLoc());
    auto resultType = cast<RankedTensorType>(op.getType());
    // The sizes that aren't reduced, in order, each where its turn comes.
    SmallVector<Value> sizes(resultType.getRank(), index.constant(1));
    Value next = index.constant(0);
    for (auto [dim, reduced] : llvm::enumerate(isReduced)) {
      for (auto [position, size] : llvm::enumerate(sizes)) {
        Value isHere = index.isEqual(next, index.constant(position));
        size = index.select(
            isHere, index.select(reduced, size, index.size(data, dim)), size);
      }
      next = index.select(reduced, next, index.add(next, index.constant(1)));
    }
    return buildReshape(builder, op.getLoc(), kept,
                        cast<RankedTensorType>(kept.getType()), resultType,
                        sizes);
  }
};

//===----------------------------------------------------------------------===//
// ArgMax, ArgMin
//===----------------------------------------------------------------------===//

template <typename OpT> struct ArgExtremeToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value data = adaptor.getData();
    auto dataType = dyn_cast<RankedTensorType>(data.getType());
    auto type =
        this->getTypeConverter()->template convertType<RankedTensorType>(
            op.getType());
    if (!dataType || !type)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    std::optional<int64_t> axis =
        normalizeAxis(op.getAxis(), dataType.getRank());
    if (!axis)
      return rewriter.notifyMatchFailure(op, "the axis is out of range");
    Location loc = op.getLoc();
    ReductionSpace space(rewriter, loc, data, *axis);
    IndexArithmetic index(rewriter, loc);
    index.require(index.isLess(index.constant(0), space.getCount()),
                  op->getName().stripDialect() + " of no elements");
    Value result = buildArgExtreme(rewriter, loc, space, data, *axis,
                                   getElementTypeOrSelf(op.getData().getType()),
                                   /*isMax=*/std::is_same_v<OpT, ArgMaxOp>,
                                   op.getSelectLastIndex());
    if (op.getKeepdims())
      result = space.keepDims(result);
    rewriter.replaceOp(op, castTensor(rewriter, loc, result, type));
    return success();
  }
};

template <typename... OpTs>
void addReductions(const TypeConverter &converter,
                   RewritePatternSet &patterns) {
  patterns.add<ReduceToGeneric<OpTs>...>(converter, patterns.getContext());
}

} // namespace

void omb::populateReductionToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {
  addReductions<ReduceL1Op, ReduceL2Op, ReduceLogSumOp, ReduceLogSumExpOp,
                ReduceMaxOp, ReduceMeanOp, ReduceMinOp, ReduceProdOp,
                ReduceSumOp, ReduceSumSquareOp>(converter, patterns);
  patterns.add<ArgExtremeToGeneric<ArgMaxOp>, ArgExtremeToGeneric<ArgMinOp>>(
      converter, patterns.getContext());
}
