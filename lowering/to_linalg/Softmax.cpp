//===- Softmax.cpp - Lowering of normalizations along one axis ------------===//

#include "dialect/ir/ops/Normalization.h"
#include "dialect/shape/ShapeInference.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/ReductionSpace.h"
#include "lowering/to_linalg/Transcendentals.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

namespace {

/// What the lowerings below start from. `type` is the result's type before
/// conversion: the input has its shape.
struct OneAxis {
  OpBuilder &builder;
  Location loc;
  Value input;
  RankedTensorType type;
  int64_t axis;
  /// The type that is computed in.
  Type compute;
  ReductionSpace space;

  /// A tensor of the result's shape from the elements of `tensors`, each of
  /// that shape or, where the axis is kept, of size 1 along it.
  Value map(ValueRange tensors, Type elementType, ScalarBody body) {
    SmallVector<Type> types;
    for (Value tensor : tensors) {
      auto tensorType = cast<RankedTensorType>(tensor.getType());
      bool isStatistic =
          tensorType.getDimSize(axis) == 1 && type.getDimSize(axis) != 1;
      types.push_back(isStatistic ? getKeptType(type, axis, elementType)
                                  : type);
    }
    return buildElementwise(builder, loc, tensors, types,
                            type.clone(elementType), body);
  }
  Value reduce(ValueRange inputs, ValueRange statistics, Value start,
               function_ref<Value(Scalars &, ValueRange)> step) {
    return space.reduce(
        inputs, statistics, start,
        [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
          Scalars s(b, bodyLoc, compute);
          return step(s, x);
        });
  }
};

} // namespace

static Value buildMax(OneAxis &a) {
  Value start = Scalars(a.builder, a.loc, a.compute).lowest(a.compute);
  return a.reduce(a.input, {}, start, [](Scalars &s, ValueRange x) {
    return s.max(x[1], s.widen(x[0]));
  });
}

static Value createZero(OneAxis &a) {
  return Scalars(a.builder, a.loc, a.compute).constant(a.compute, 0);
}

/// e = exp(x - max), e / sum(e)
static Value lower(SoftmaxOp, OneAxis &a) {
  Value max = a.space.keepDims(buildMax(a));
  Value exp = a.map({a.input, max}, a.compute,
                    [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                      Scalars s(b, loc, a.compute);
                      return buildExp(s, s.sub(s.widen(x[0]), x[1]));
                    });
  Value sum =
      a.reduce(exp, {}, createZero(a), [](Scalars &s, ValueRange x) -> Value {
        return s.add(x[1], x[0]);
      });
  Type elementType = a.type.getElementType();
  return a.map({exp, a.space.keepDims(sum)}, elementType,
               [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                 Scalars s(b, loc, a.compute);
                 return s.narrow(s.div(x[0], x[1]), elementType);
               });
}

/// (x - max) - log(sum(exp(x - max)))
static Value lower(LogSoftmaxOp, OneAxis &a) {
  Value max = buildMax(a);
  Value sum = a.reduce(a.input, max, createZero(a),
                       [](Scalars &s, ValueRange x) -> Value {
                         Value shifted = s.sub(s.widen(x[0]), x[1]);
                         return s.add(x[2], buildExp(s, shifted));
                       });
  Value log = a.space.map(sum, a.compute,
                          [&](OpBuilder &b, Location loc, ValueRange x) {
                            Scalars s(b, loc, a.compute);
                            return buildLog(s, x[0]);
                          });
  Type elementType = a.type.getElementType();
  return a.map({a.input, a.space.keepDims(max), a.space.keepDims(log)},
               elementType,
               [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                 Scalars s(b, loc, a.compute);
                 Value shifted = s.sub(s.widen(x[0]), x[1]);
                 return s.narrow(s.sub(shifted, x[2]), elementType);
               });
}

/// The input is an operand for its sizes.
static Value lower(HardmaxOp, OneAxis &a) {
  Type elementType = a.type.getElementType();
  Value position =
      buildArgExtreme(a.builder, a.loc, a.space, a.input, a.axis, elementType,
                      /*isMax=*/true, /*takesLast=*/false);
  return a.map({a.input, a.space.keepDims(position)}, elementType,
               [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                 Scalars s(b, loc, elementType);
                 Value at = arith::IndexCastOp::create(
                     s, s.getI64Type(), linalg::IndexOp::create(s, a.axis));
                 return s.select(s.equal(at, x[1]), s.constant(elementType, 1),
                                 s.constant(elementType, 0));
               });
}

/// Where the norm is 0, the result is 0.
static Value lower(LpNormalizationOp op, OneAxis &a) {
  bool isL1 = op.getP() == 1;
  Value sum = a.reduce(
      a.input, {}, createZero(a), [&](Scalars &s, ValueRange x) -> Value {
        Value value = s.widen(x[0]);
        return s.add(x[1], isL1 ? s.abs(value) : s.mul(value, value));
      });
  if (!isL1)
    sum = a.space.map(sum, a.compute,
                      [&](OpBuilder &b, Location loc, ValueRange x) {
                        Scalars s(b, loc, a.compute);
                        return buildSqrt(s, x[0]);
                      });
  Type elementType = a.type.getElementType();
  return a.map({a.input, a.space.keepDims(sum)}, elementType,
               [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                 Scalars s(b, loc, a.compute);
                 Value zero = s.constant(a.compute, 0);
                 Value quotient = s.div(s.widen(x[0]), x[1]);
                 return s.narrow(s.select(s.equal(x[1], zero), zero, quotient),
                                 elementType);
               });
}

namespace {

template <typename OpT> struct OneAxisToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value input = adaptor.getInput();
    auto inputType = dyn_cast<RankedTensorType>(input.getType());
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!inputType || !type)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    std::optional<int64_t> axis =
        normalizeAxis(op.getAxis(), inputType.getRank());
    if (!axis)
      return rewriter.notifyMatchFailure(op, "the axis is out of range");
    if constexpr (std::is_same_v<OpT, LpNormalizationOp>)
      if (op.getP() != 1 && op.getP() != 2)
        return rewriter.notifyMatchFailure(op, "'p' is neither 1 nor 2");
    Location loc = op.getLoc();
    OneAxis a{rewriter,
              loc,
              input,
              type,
              *axis,
              getAccumulatorType(type.getElementType()),
              ReductionSpace(rewriter, loc, input, *axis)};
    Type converted = this->getTypeConverter()->convertType(type);
    rewriter.replaceOp(op, castTensor(rewriter, loc, lower(op, a), converted));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// LRN
//===----------------------------------------------------------------------===//

/// x / (bias + alpha / size * sum(x^2))^beta, where the sum is over `size`
/// neighbouring channels. Channels that don't exist count as 0.
struct LRNToGeneric : OpConversionPattern<LRNOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LRNOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    auto inputType = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    if (!type || !inputType)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    if (type.getRank() < 2 || op.getSize() < 1)
      return rewriter.notifyMatchFailure(
          op, "there are no channels, or 'size' is not positive");
    Location loc = op.getLoc();
    Type elementType = type.getElementType();
    Type compute = getAccumulatorType(elementType);
    Value sum = sumNeighbours(op, rewriter, adaptor.getX(), compute);
    Value result = buildElementwise(
        rewriter, loc, {adaptor.getX(), sum}, {type, type}, type,
        [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
          Scalars s(b, bodyLoc, elementType);
          double alpha = double(op.getAlpha()) / op.getSize();
          Value base = s.add(s.mul(x[1], alpha), op.getBias());
          Value power = raise(s, base, op.getBeta());
          return s.narrow(s.div(s.widen(x[0]), power), elementType);
        });
    rewriter.replaceOp(op, castTensor(rewriter, loc, result,
                                      getTypeConverter()->convertType(type)));
    return success();
  }

  /// base^exponent, of which the usual ones are roots.
  static Value raise(Scalars &s, Value base, double exponent) {
    if (exponent == 1)
      return base;
    if (exponent != 0.5 && exponent != 0.75)
      return buildPow(s, base, s.constant(base, exponent));
    Value root = buildSqrt(s, base);
    return exponent == 0.5 ? root : s.mul(root, buildSqrt(s, root));
  }

  /// The sums of squares: elementwise ops of parts of the padded data, one for
  /// each place in a window.
  static Value sumNeighbours(LRNOp op, OpBuilder &builder, Value data,
                             Type compute) {
    constexpr int64_t mostParts = 8; // that one op reads
    Location loc = op.getLoc();
    auto type = cast<RankedTensorType>(data.getType());
    int64_t rank = type.getRank(), size = op.getSize();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, data);
    auto sumType = RankedTensorType::get(type.getShape(), compute);
    SmallVector<OpFoldResult> low(rank, builder.getIndexAttr(0)), high(low),
        offsets(low), ones(rank, builder.getIndexAttr(1));
    low[1] = builder.getIndexAttr((size - 1) / 2);
    high[1] = builder.getIndexAttr(size / 2);
    SmallVector<int64_t> paddedShape(type.getShape());
    if (!type.isDynamicDim(1))
      paddedShape[1] += size - 1;
    Value padded = tensor::PadOp::create(
        builder, loc, type.clone(paddedShape), data, low, high,
        createZero(builder, loc, type.getElementType()));
    Value sum;
    for (int64_t first = 0; first < size; first += mostParts) {
      SmallVector<Value> inputs;
      if (sum)
        inputs.push_back(sum);
      for (int64_t place = first; place < std::min(first + mostParts, size);
           ++place) {
        offsets[1] = builder.getIndexAttr(place);
        inputs.push_back(tensor::ExtractSliceOp::create(
            builder, loc, type, padded, offsets, sizes, ones));
      }
      SmallVector<AffineMap> maps(inputs.size() + 1,
                                  builder.getMultiDimIdentityMap(rank));
      SmallVector<utils::IteratorType> parallel(rank,
                                                utils::IteratorType::parallel);
      Value out = tensor::EmptyOp::create(builder, loc, sizes, compute);
      bool continues = bool(sum);
      sum = linalg::GenericOp::create(
                builder, loc, sumType, inputs, out, maps, parallel,
                [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
                  Scalars s(b, bodyLoc, compute);
                  Value total = continues ? arguments.front() : Value();
                  for (Value argument :
                       arguments.drop_front(continues).drop_back()) {
                    Value x = s.widen(argument);
                    Value square = s.mul(x, x);
                    total = total ? s.add(total, square) : square;
                  }
                  linalg::YieldOp::create(s, total);
                })
                .getResult(0);
    }
    return sum;
  }
};

} // namespace

void omb::populateSoftmaxToLinalgPatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<OneAxisToGeneric<SoftmaxOp>, OneAxisToGeneric<LogSoftmaxOp>,
               OneAxisToGeneric<HardmaxOp>, OneAxisToGeneric<LpNormalizationOp>,
               LRNToGeneric>(converter, patterns.getContext());
}
