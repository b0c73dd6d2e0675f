//===- Random.cpp - Lowering of random numbers ----------------------------===//

#include "dialect/ir/ops/Random.h"
#include "dialect/ir/ops/Normalization.h"
#include "dialect/ir/ops/Reduction.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/RandomStream.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

#include <cmath>

using namespace mlir;
using namespace omb::onnx;
using omb::RandomStream;

/// The stream of an op whose seed is a float: its bits.
template <typename OpT>
static RandomStream getStream(OpBuilder &builder, OpT op) {
  std::optional<float> seed = op.getSeed();
  if (!seed)
    return RandomStream::fresh(builder, op);
  return RandomStream::seeded(builder, op.getLoc(),
                              llvm::bit_cast<uint32_t>(*seed));
}

/// The type that floats of `type` are computed in.
static FloatType getComputeType(Type type) {
  return cast<FloatType>(omb::getAccumulatorType(type));
}

//===----------------------------------------------------------------------===//
// RandomUniform, RandomUniformLike, RandomNormal, RandomNormalLike
//===----------------------------------------------------------------------===//

namespace {

/// The numbers of an element type that are in an interval.
struct Interval {
  double first;
  double last;
};

} // namespace

/// Those in [low, high), for finite bounds in order; `low`, rounded, where
/// there are none.
static Interval getInterval(const APFloat &low, const APFloat &high,
                            FloatType type) {
  const llvm::fltSemantics &semantics = type.getFloatSemantics();
  bool isInexact;
  APFloat first = low, last = high, nearest = low;
  first.convert(semantics, APFloat::rmTowardPositive, &isInexact);
  nearest.convert(semantics, APFloat::rmNearestTiesToEven, &isInexact);
  last.convert(semantics, APFloat::rmTowardNegative, &isInexact);
  if (!isInexact)
    last.next(/*nextDown=*/true);
  if (!(first <= last))
    first = last = nearest;
  auto toDouble = [&](APFloat number) {
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                   &isInexact);
    return number.convertToDouble();
  };
  return {toDouble(first), toDouble(last)};
}

template <typename OpT>
constexpr bool kIsUniform = std::is_same_v<OpT, RandomUniformOp> ||
                            std::is_same_v<OpT, RandomUniformLikeOp>;

/// One number in [low, high), not rounded to `type` yet, but so that it stays
/// there.
template <typename OpT>
static Value buildUniform(OpT op, omb::Scalars &s, const RandomStream &stream,
                          Value position, FloatType type) {
  Value unit = stream.uniform(s, position, type);
  double low = op.getLow();
  double high = op.getHigh();
  if (low == 0 && high == 1)
    return unit;
  // Not low + (high - low) * unit: the difference may be too large.
  Value rest = s.sub(s.constant(unit, 1), unit);
  Value number = s.add(s.mul(rest, low), s.mul(unit, high));
  Interval interval =
      getInterval(APFloat(op.getLow()), APFloat(op.getHigh()), type);
  return s.min(s.max(number, interval.first), interval.last);
}

template <typename OpT>
static Value buildNumber(OpT op, omb::Scalars &s, const RandomStream &stream,
                         Value position, FloatType type) {
  if constexpr (kIsUniform<OpT>) {
    return buildUniform(op, s, stream, position, type);
  } else {
    Value number = stream.normal(s, position, getComputeType(type));
    return s.add(s.mul(number, op.getScale()), op.getMean());
  }
}

namespace {

/// Ops that compute every element from its position alone. Those that have an
/// operand take their shape from it.
template <typename OpT> struct RandomToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type =
        this->getTypeConverter()->template convertType<RankedTensorType>(
            op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the result has no tensor type");
    auto elementType = dyn_cast<FloatType>(type.getElementType());
    if (!elementType)
      return rewriter.notifyMatchFailure(
          op, "the elements would be no floats; 'dtype' is needed");
    if constexpr (kIsUniform<OpT>) {
      if (!std::isfinite(op.getLow()) || !std::isfinite(op.getHigh()))
        return rewriter.notifyMatchFailure(op, "'low' or 'high' is not finite");
      if (op.getHigh() < op.getLow())
        return rewriter.notifyMatchFailure(op, "'high' is less than 'low'");
    }
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> sizes;
    if (adaptor.getOperands().empty()) {
      if (!type.hasStaticShape())
        return rewriter.notifyMatchFailure(op, "the shape isn't known");
      for (int64_t size : type.getShape())
        sizes.push_back(index.constant(size));
    } else {
      Value like = adaptor.getOperands().front();
      if (!isa<RankedTensorType>(like.getType()))
        return rewriter.notifyMatchFailure(op, "the input has no tensor type");
      sizes = index.sizes(like);
    }
    RandomStream stream = getStream(rewriter, op);
    auto body = [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
      omb::Scalars s(b, bodyLoc, elementType);
      Value position = omb::getElementNumber(s, at, sizes);
      return s.narrow(buildNumber(op, s, stream, position, elementType),
                      elementType);
    };
    rewriter.replaceOp(op,
                       omb::buildFromIndices(rewriter, loc, type, sizes, body));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Bernoulli
//===----------------------------------------------------------------------===//

/// 1 where a number in [0, 1) is less than the probability. (The function of
/// the standard compares the other way, against its text.)
struct BernoulliToGeneric : OpConversionPattern<BernoulliOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(BernoulliOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getInput().getType());
    if (!type || !input)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    Type elementType = type.getElementType();
    FloatType computeType = getComputeType(input.getElementType());
    RandomStream stream = getStream(rewriter, op);
    SmallVector<Value> sizes =
        omb::IndexArithmetic(rewriter, loc).sizes(adaptor.getInput());
    Value drawn = omb::mapElements(
        rewriter, loc, adaptor.getInput(), elementType,
        [&](OpBuilder &b, Location bodyLoc, Value probability) -> Value {
          omb::Scalars s(b, bodyLoc, computeType);
          SmallVector<Value> at;
          for (int64_t dim = 0; dim < input.getRank(); ++dim)
            at.push_back(linalg::IndexOp::create(s, dim));
          Value number = stream.uniform(s, omb::getElementNumber(s, at, sizes),
                                        computeType);
          Value one = arith::ConstantOp::create(s, s.getOneAttr(elementType));
          Value zero = arith::ConstantOp::create(s, s.getZeroAttr(elementType));
          return s.select(s.less(number, s.widen(probability)), one, zero);
        });
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, drawn, type));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Multinomial
//===----------------------------------------------------------------------===//

/// Draws by the inverse of the distribution function: a sample is the number of
/// classes that end at or before a random part of the sum.
struct MultinomialToGeneric : OpConversionPattern<MultinomialOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MultinomialOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getInput().getType());
    if (!type || !input || input.getRank() != 2)
      return rewriter.notifyMatchFailure(op, "the input is not of rank 2");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> inputSizes = index.sizes(adaptor.getInput());
    index.require(index.isLess(index.constant(0), inputSizes[1]),
                  "Multinomial has no classes to draw from");
    Value sums = accumulate(rewriter, loc, adaptor.getInput());
    RandomStream stream = getStream(rewriter, op);
    SmallVector<Value> sizes{inputSizes[0], index.constant(op.getSampleSize())};
    Value parts = draw(rewriter, loc, stream, sums, type, sizes);
    rewriter.replaceOp(op, countBelow(rewriter, loc, sums, parts, type, sizes));
    return success();
  }

  /// For each class the sum of the probabilities up to it.
  static Value accumulate(OpBuilder &builder, Location loc, Value input) {
    auto type = cast<RankedTensorType>(input.getType());
    FloatType computeType = getComputeType(type.getElementType());
    type = type.clone(computeType);
    input = omb::convertFloats(builder, loc, input, computeType);
    Value probabilities =
        SoftmaxOp::create(builder, loc, type, input, /*axis=*/1);
    Value axis = arith::ConstantOp::create(
        builder, loc,
        DenseIntElementsAttr::get(
            RankedTensorType::get({}, builder.getI64Type()),
            ArrayRef<int64_t>{1}));
    return CumSumOp::create(builder, loc, type, probabilities, axis,
                            /*exclusive=*/0, /*reverse=*/0);
  }

  /// A random part of the sum of all, for each sample.
  static Value draw(OpBuilder &builder, Location loc,
                    const RandomStream &stream, Value sums,
                    RankedTensorType type, ValueRange sizes) {
    auto elementType = cast<FloatType>(getElementTypeOrSelf(sums.getType()));
    omb::IndexArithmetic index(builder, loc);
    Value last = index.sub(index.size(sums, 1), index.constant(1));
    return omb::buildFromIndices(
        builder, loc, type.clone(elementType), sizes,
        [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
          omb::Scalars s(b, bodyLoc, elementType);
          Value number = stream.uniform(s, omb::getElementNumber(s, at, sizes),
                                        elementType);
          Value total =
              tensor::ExtractOp::create(s, sums, ValueRange{at[0], last});
          return s.mul(number, total);
        });
  }

  /// The part is less than the last sum, so the count is less than that of the
  /// classes. It is 0 where there are NaN.
  static Value countBelow(OpBuilder &builder, Location loc, Value sums,
                          Value parts, RankedTensorType type,
                          ValueRange sizes) {
    Type elementType = type.getElementType();
    Value init =
        omb::createFilled(builder, loc, type, sizes,
                          arith::ConstantOp::create(
                              builder, loc, builder.getZeroAttr(elementType)));
    if (llvm::is_contained(type.getShape(), 0))
      return init;
    AffineExpr batch, sample, entry;
    bindDims(builder.getContext(), batch, sample, entry);
    AffineMap sumsMap =
        AffineMap::get(3, 0, {batch, entry}, builder.getContext());
    AffineMap sampleMap =
        AffineMap::get(3, 0, {batch, sample}, builder.getContext());
    SmallVector<AffineMap> maps{sumsMap, sampleMap, sampleMap};
    SmallVector<utils::IteratorType> iterators{utils::IteratorType::parallel,
                                               utils::IteratorType::parallel,
                                               utils::IteratorType::reduction};
    auto generic = linalg::GenericOp::create(
        builder, loc, type, ValueRange{sums, parts}, init, maps, iterators,
        [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
          omb::Scalars s(b, bodyLoc, elementType);
          Value isBefore = s.lessEqual(arguments[0], arguments[1]);
          Value step = arith::ExtUIOp::create(s, elementType, isBefore);
          linalg::YieldOp::create(
              s, arith::AddIOp::create(s, arguments[2], step).getResult());
        });
    return generic.getResult(0);
  }
};

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

/// Whether it is never in training; nullopt where that is decided at run time.
std::optional<bool> isInference(DropoutOp op) {
  if (!op.getTrainingMode())
    return true;
  std::optional<SmallVector<int64_t>> known =
      omb::getConstantIntegers(op.getTrainingMode());
  if (!known)
    return std::nullopt;
  return llvm::is_contained(*known, 0);
}

struct DropoutToLinalg : OpConversionPattern<DropoutOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DropoutOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    return isInference(op).value_or(false) ? keepAll(op, adaptor, rewriter)
                                           : drop(op, adaptor, rewriter);
  }

  LogicalResult keepAll(DropoutOp op, OpAdaptor adaptor,
                        ConversionPatternRewriter &rewriter) const {
    Location loc = op.getLoc();
    auto type = getTypeConverter()->convertType(op.getOutput().getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    SmallVector<Value> results{
        omb::castTensor(rewriter, loc, adaptor.getData(), type)};
    if (op.getMask()) {
      auto maskType = getTypeConverter()->convertType<RankedTensorType>(
          op.getMask().getType());
      if (!maskType || !isa<RankedTensorType>(adaptor.getData().getType()))
        return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
      Value yes =
          arith::ConstantOp::create(rewriter, loc, rewriter.getBoolAttr(true));
      results.push_back(omb::createFilled(
          rewriter, loc, maskType,
          omb::IndexArithmetic(rewriter, loc).sizes(adaptor.getData()), yes));
    }
    rewriter.replaceOp(op, results);
    return success();
  }

  /// In training, or where only the run tells.
  LogicalResult drop(DropoutOp op, OpAdaptor adaptor,
                     ConversionPatternRewriter &rewriter) const {
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getOutput().getType());
    auto dataType = dyn_cast<RankedTensorType>(adaptor.getData().getType());
    if (!type || !dataType)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    for (Value scalar : {adaptor.getRatio(), adaptor.getTrainingMode()})
      if (scalar && !isScalar(scalar))
        return rewriter.notifyMatchFailure(
            op, "'ratio' or 'training_mode' is not one element");
    Location loc = op.getLoc();
    Value mask = buildMask(rewriter, op, adaptor);
    SmallVector<Value> results{omb::castTensor(
        rewriter, loc, applyMask(rewriter, op, adaptor, mask), type)};
    if (op.getMask())
      results.push_back(omb::castTensor(
          rewriter, loc, mask,
          getTypeConverter()->convertType(op.getMask().getType())));
    rewriter.replaceOp(op, results);
    return success();
  }

  static bool isScalar(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.hasStaticShape() && type.getNumElements() == 1;
  }

  /// The one element of `tensor`, in the body of an op.
  static Value read(omb::Scalars &s, Value tensor) {
    int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
    Value zero = arith::ConstantIndexOp::create(s, 0);
    return tensor::ExtractOp::create(s, tensor, SmallVector<Value>(rank, zero));
  }

  static Value readRatio(omb::Scalars &s, OpAdaptor adaptor, FloatType type) {
    if (!adaptor.getRatio())
      return s.constant(Type(type), 0.5);
    Value ratio = s.widen(read(s, adaptor.getRatio()));
    if (ratio.getType() == type)
      return ratio;
    if (type.isF64())
      return arith::ExtFOp::create(s, type, ratio);
    return arith::TruncFOp::create(s, type, ratio);
  }

  /// Which elements stay.
  static Value buildMask(OpBuilder &builder, DropoutOp op, OpAdaptor adaptor) {
    Location loc = op.getLoc();
    RandomStream stream =
        op.getSeed() ? RandomStream::seeded(builder, loc, *op.getSeed())
                     : RandomStream::fresh(builder, op);
    SmallVector<Value> sizes =
        omb::IndexArithmetic(builder, loc).sizes(adaptor.getData());
    auto type = cast<RankedTensorType>(adaptor.getData().getType())
                    .clone(builder.getI1Type());
    bool mayInfer = !isInference(op);
    return omb::buildFromIndices(
        builder, loc, type, sizes,
        [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
          omb::Scalars s(b, bodyLoc, b.getF32Type());
          FloatType f32 = s.getF32Type();
          Value number =
              stream.uniform(s, omb::getElementNumber(s, at, sizes), f32);
          Value stays = s.lessEqual(readRatio(s, adaptor, f32), number);
          if (!mayInfer)
            return stays;
          Value yes = arith::ConstantOp::create(s, s.getBoolAttr(true));
          return s.select(read(s, adaptor.getTrainingMode()), stays, yes);
        });
  }

  /// The elements that stay, scaled so that their mean stays too.
  static Value applyMask(OpBuilder &builder, DropoutOp op, OpAdaptor adaptor,
                         Value mask) {
    Location loc = op.getLoc();
    Value data = adaptor.getData();
    auto type = cast<RankedTensorType>(data.getType());
    Value init = omb::createEmpty(
        builder, loc, type, omb::IndexArithmetic(builder, loc).sizes(data));
    if (llvm::is_contained(type.getShape(), 0))
      return init;
    FloatType computeType = getComputeType(type.getElementType());
    bool mayInfer = !isInference(op);
    SmallVector<AffineMap> maps(3,
                                builder.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> iterators(type.getRank(),
                                               utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        builder, loc, type, ValueRange{data, mask}, init, maps, iterators,
        [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
          omb::Scalars s(b, bodyLoc, computeType);
          Value one = s.constant(Type(computeType), 1);
          Value scale =
              s.div(one, s.sub(one, readRatio(s, adaptor, computeType)));
          if (mayInfer)
            scale = s.select(read(s, adaptor.getTrainingMode()), scale, one);
          Value scaled = s.mul(s.widen(arguments[0]), scale);
          Value zero = s.constant(Type(computeType), 0);
          linalg::YieldOp::create(s,
                                  s.narrow(s.select(arguments[1], scaled, zero),
                                           type.getElementType()));
        });
    return generic.getResult(0);
  }
};

} // namespace

void omb::populateRandomToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<
      BernoulliToGeneric, DropoutToLinalg, MultinomialToGeneric,
      RandomToGeneric<RandomNormalOp>, RandomToGeneric<RandomNormalLikeOp>,
      RandomToGeneric<RandomUniformOp>, RandomToGeneric<RandomUniformLikeOp>>(
      converter, patterns.getContext());
}
