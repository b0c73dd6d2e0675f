//===- QuantizedConvolution.cpp - Lowering of quantized convolutions ------===//

#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/Quantization.h"
#include "dialect/transforms/QuantizedOps.h"
#include "lowering/to_linalg/Convolution.h"
#include "lowering/to_linalg/Convolve.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/QuantizedFactors.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

/// Labels of the result's dimensions; those of windows follow. kGroups is there
/// while the features are split into groups.
enum : int64_t { kGroups = -1, kBatch, kFeatures, kWindows };

namespace {

/// The operands of a convolution of integers. All parameters fit the result;
/// absent ones have no tensor.
struct QuantizedConvolution {
  Value input;
  Value weights;
  /// Before conversion.
  Type inputType;
  Type weightsType;
  Factor inputZeroPoint;
  Factor weightsZeroPoint;
  Value bias;
  WindowAttributes attributes;
  int64_t group;
  StringRef name;
};

/// Builds one convolution of signed bytes.
class IntegerConvolution {
public:
  IntegerConvolution(OpBuilder &builder, Location loc,
                     const QuantizedConvolution &op, RankedTensorType type)
      : builder(builder), loc(loc), op(op), type(type),
        sumType(builder.getI32Type()),
        sizes(computeConvolution(IndexArithmetic(builder, loc), op.attributes,
                                 op.input, op.weights, op.group, op.name)) {}

  /// The sums of products of integers, less their zero points, plus the bias,
  /// as i32.
  Value build();

private:
  Value padInput();
  Value fillPadding(Value padded);
  Value convolve(Value weights, Value init);
  Value computeBias(const Factor &weights, const Factor &inputZero);
  Value subtractWeightsZero(Value sum, const Factor &inputZero,
                            const Factor &weightsZero);
  Factor sumWindows();
  Value getWindowSize();

  OpBuilder &builder;
  Location loc;
  const QuantizedConvolution &op;
  RankedTensorType type;
  Type sumType;
  ConvolutionSizes sizes;
  Value input;
};

} // namespace

/// Puts the zero point, which stands for 0, where the padding is. On the
/// device: a scalar that tensor.pad takes would be waited for.
Value IntegerConvolution::fillPadding(Value padded) {
  auto paddedType = cast<RankedTensorType>(padded.getType());
  IndexArithmetic index(builder, loc);
  SmallVector<int64_t> labels =
      llvm::to_vector(llvm::seq<int64_t>(0, paddedType.getRank()));
  Factor factors[] = {Factor::get(padded, paddedType, labels),
                      op.inputZeroPoint};
  auto body = [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
    Scalars s(b, bodyLoc, op.inputType);
    IndexArithmetic inner(b, bodyLoc);
    Value element = elements[0];
    for (auto [position, dim] : llvm::enumerate(sizes.windows)) {
      Value at =
          inner.sub(linalg::IndexOp::create(b, bodyLoc, 2 + position), dim.low);
      element =
          s.select(inner.isLess(at, inner.constant(0)), elements[1],
                   s.select(inner.isLess(at, dim.input), element, elements[1]));
    }
    return element;
  };
  return mapFactors(builder, loc, factors, labels, paddedType.getElementType(),
                    body)
      .tensor;
}

/// The input as signed bytes, padded with its zero point.
Value IntegerConvolution::padInput() {
  Type byte = builder.getI8Type();
  TypedAttr number = builder.getIntegerAttr(byte, 0);
  if (op.inputZeroPoint.tensor)
    number = getNumber(op.inputZeroPoint.tensor);
  if (!number) {
    Value padded = padWindows(builder, loc, op.input, sizes.windows, type,
                              createZero(builder, loc, byte));
    bool hasPadding = llvm::any_of(sizes.windows, [](const WindowDim &dim) {
      return getConstantIntValue(dim.low) != 0 ||
             getConstantIntValue(dim.reach) != 0;
    });
    if (hasPadding)
      padded = fillPadding(padded);
    return toSignedBytes(builder, loc, padded, op.inputType);
  }
  // Whoever computes the input can subtract 128 before it is padded.
  int64_t zero = cast<IntegerAttr>(number).getInt();
  if (op.inputType.isUnsignedInteger())
    zero = int8_t(zero ^ 0x80);
  Value element = arith::ConstantOp::create(builder, loc,
                                            builder.getIntegerAttr(byte, zero));
  Value bytes = toSignedBytes(builder, loc, op.input, op.inputType);
  return padWindows(builder, loc, bytes, sizes.windows, type, element);
}

Value IntegerConvolution::convolve(Value weights, Value init) {
  return buildConvolution(builder, loc, input, weights, init, op.group,
                          getStrides(sizes.windows),
                          getDilations(sizes.windows));
}

/// What each feature starts with: the bias, and what the zero point of the
/// input changes; null for 0.
Value IntegerConvolution::computeBias(const Factor &weights,
                                      const Factor &inputZero) {
  Value bias = op.bias;
  if (bias) {
    IndexArithmetic index(builder, loc);
    index.require(
        index.isEqual(index.size(bias, 0), index.size(weights.tensor, 0)),
        op.name + " has a bias for another number of features");
    bias = castTensor(
        builder, loc, bias,
        RankedTensorType::get(weights.getType().getDimSize(0), sumType));
  }
  Factor start;
  if (bias)
    start = {bias, {kFeatures}, {StringAttr()}};
  return buildOffset(builder, loc, weights,
                     ArrayRef(weights.labels).drop_front(), inputZero, start)
      .tensor;
}

/// How many products a sum has, as an i32.
Value IntegerConvolution::getWindowSize() {
  IndexArithmetic index(builder, loc);
  Value size =
      index.product(ArrayRef<Value>(index.sizes(op.weights)).drop_front());
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return arith::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(int32_t(*known)));
  return arith::IndexCastOp::create(builder, loc, sumType, size);
}

/// The sums of the input over each window and all channels of a group: a
/// convolution with one feature a group, whose weights are 1.
Factor IntegerConvolution::sumWindows() {
  IndexArithmetic index(builder, loc);
  auto weightsType = cast<RankedTensorType>(op.weights.getType());
  SmallVector<int64_t> shape(weightsType.getShape());
  SmallVector<Value> weightSizes = index.sizes(op.weights);
  shape[0] = op.group;
  weightSizes[0] = index.constant(op.group);
  Value one = arith::ConstantOp::create(
      builder, loc, builder.getIntegerAttr(builder.getI8Type(), 1));
  Value ones =
      createFilled(builder, loc, weightsType.clone(ArrayRef<int64_t>(shape)),
                   weightSizes, one);
  SmallVector<int64_t> resultShape(type.getShape());
  SmallVector<Value> resultSizes(sizes.result);
  resultShape[1] = op.group;
  resultSizes[1] = index.constant(op.group);
  auto resultType = RankedTensorType::get(resultShape, sumType);
  Value zeros = createFilled(builder, loc, resultType, resultSizes,
                             createZero(builder, loc, sumType));
  Value sums = convolve(ones, zeros);
  SmallVector<int64_t> labels{kBatch, kGroups};
  for (int64_t dim = 2; dim < type.getRank(); ++dim)
    labels.push_back(dim);
  return Factor::get(sums, resultType, labels);
}

/// Subtracts what the zero points of the weights add.
Value IntegerConvolution::subtractWeightsZero(Value sum,
                                              const Factor &inputZero,
                                              const Factor &weightsZero) {
  auto whole = cast<RankedTensorType>(sum.getType());
  Factor split{splitDim(builder, loc, sum, 1, op.group), {kBatch, kGroups}, {}};
  for (int64_t dim = 1; dim < type.getRank(); ++dim)
    split.labels.push_back(dim);
  split.names.resize(split.labels.size());
  Factor own = weightsZero;
  if (own.getDim(kFeatures) >= 0)
    own = {splitDim(builder, loc, own.tensor, 0, op.group),
           {kGroups, kFeatures},
           SmallVector<StringAttr>(2)};
  Value count = isZero(inputZero) ? Value() : getWindowSize();
  Factor factors[] = {split, own, sumWindows(), inputZero};
  auto body = [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
    Scalars s(b, bodyLoc, sumType);
    Value windowSum = elements[2];
    if (count)
      windowSum = s.sub(windowSum, s.mul(count, elements[3]));
    return s.sub(elements[0], s.mul(elements[1], windowSum));
  };
  Value difference =
      mapFactors(builder, loc, factors, split.labels, sumType, body).tensor;
  return joinDims(builder, loc, difference, 1, whole);
}

Value IntegerConvolution::build() {
  input = padInput();
  Value weights = toSignedBytes(builder, loc, op.weights, op.weightsType);
  auto weightsType = cast<RankedTensorType>(weights.getType());
  SmallVector<int64_t> labels{kFeatures};
  for (int64_t dim = 1; dim < weightsType.getRank(); ++dim)
    labels.push_back(kFeatures + dim);
  Factor inputZero =
      toSignedZeroPoint(builder, loc, op.inputZeroPoint, op.inputType);
  Factor weightsZero =
      toSignedZeroPoint(builder, loc, op.weightsZeroPoint, op.weightsType);
  Value bias =
      computeBias(Factor::get(weights, weightsType, labels), inputZero);
  RankedTensorType resultType = type.clone(sumType);
  Value init =
      buildConvolutionInit(builder, loc, resultType, sizes.result, bias);
  Value sum = convolve(weights, init);
  if (isZero(weightsZero))
    return sum;
  return subtractWeightsZero(sum, inputZero, weightsZero);
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

/// Labels the parameters of an op; the first that doesn't fit says why.
class ParameterMatcher {
public:
  ParameterMatcher(RankedTensorType type)
      : type(type),
        labels(llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()))) {}

  /// One for all features, or one a feature.
  Factor match(Value parameter, Value onnxParameter,
               int64_t vector = kUnitLabel) {
    FailureOr<Factor> factor =
        matchParameter(parameter, onnxParameter, ParameterLabels{vector, {}},
                       LabeledType{type, labels}, why);
    return failed(factor) ? Factor() : *factor;
  }

  StringRef why;

private:
  RankedTensorType type;
  SmallVector<int64_t> labels;
};

/// The converted type of a convolution's result, and its attributes.
struct ConvolutionTypes {
  RankedTensorType result;
  WindowAttributes attributes;
};

template <typename OpT>
FailureOr<ConvolutionTypes>
matchConvolution(OpT op, typename OpT::Adaptor adaptor,
                 const TypeConverter &converter,
                 ConversionPatternRewriter &rewriter) {
  auto input = dyn_cast<RankedTensorType>(adaptor.getX().getType());
  auto result = converter.convertType<RankedTensorType>(op.getY().getType());
  StringRef obstacle = findConvolutionObstacle(
      input, dyn_cast<RankedTensorType>(adaptor.getW().getType()), result,
      op.getGroup());
  if (!obstacle.empty())
    return rewriter.notifyMatchFailure(op, obstacle);
  FailureOr<WindowAttributes> attributes =
      getWindowAttributes(op, input.getRank() - 2);
  if (failed(attributes))
    return rewriter.notifyMatchFailure(op, "its attributes are invalid");
  return ConvolutionTypes{result, *attributes};
}

/// The operands that both ops have; parameters have their labels.
template <typename OpT>
QuantizedConvolution getOperands(OpT op, typename OpT::Adaptor adaptor,
                                 const ConvolutionTypes &types, StringRef name,
                                 ParameterMatcher &matcher) {
  QuantizedConvolution operands;
  operands.input = adaptor.getX();
  operands.weights = adaptor.getW();
  operands.inputType = getElementTypeOrSelf(op.getX());
  operands.weightsType = getElementTypeOrSelf(op.getW());
  operands.inputZeroPoint =
      matcher.match(adaptor.getXZeroPoint(), op.getXZeroPoint());
  operands.weightsZeroPoint =
      matcher.match(adaptor.getWZeroPoint(), op.getWZeroPoint(), kFeatures);
  operands.attributes = types.attributes;
  operands.group = op.getGroup();
  operands.name = name;
  return operands;
}

/// The convolution of integers as i32, labeled.
Factor buildSums(OpBuilder &builder, Location loc,
                 QuantizedConvolution &operands, RankedTensorType result) {
  auto type = cast<RankedTensorType>(operands.weights.getType());
  Factor features{operands.weights, {kFeatures}, {StringAttr()}};
  for (int64_t dim = 1; dim < type.getRank(); ++dim)
    features.labels.push_back(kFeatures + dim);
  features.names.resize(type.getRank());
  for (Factor *zeroPoint :
       {&operands.inputZeroPoint, &operands.weightsZeroPoint})
    *zeroPoint = fitParameter(builder, loc, *zeroPoint, features);
  Value sum = IntegerConvolution(builder, loc, operands, result).build();
  SmallVector<int64_t> labels =
      llvm::to_vector(llvm::seq<int64_t>(0, result.getRank()));
  return {sum, labels, SmallVector<StringAttr>(labels.size())};
}

struct ConvIntegerToLinalg : OpConversionPattern<ConvIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConvIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<ConvolutionTypes> types =
        matchConvolution(op, adaptor, *getTypeConverter(), rewriter);
    if (failed(types))
      return failure();
    ParameterMatcher matcher(types->result);
    QuantizedConvolution operands =
        getOperands(op, adaptor, *types, "ConvInteger", matcher);
    if (!matcher.why.empty())
      return rewriter.notifyMatchFailure(op, matcher.why);
    rewriter.replaceOp(
        op, buildSums(rewriter, op.getLoc(), operands, types->result).tensor);
    return success();
  }
};

struct QLinearConvToLinalg : OpConversionPattern<QLinearConvOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QLinearConvOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<ConvolutionTypes> types =
        matchConvolution(op, adaptor, *getTypeConverter(), rewriter);
    if (failed(types))
      return failure();
    ParameterMatcher matcher(types->result);
    QuantizedConvolution operands =
        getOperands(op, adaptor, *types, "QLinearConv", matcher);
    Requantization parameters{
        matcher.match(adaptor.getXScale(), op.getXScale()),
        matcher.match(adaptor.getWScale(), op.getWScale(), kFeatures),
        matcher.match(adaptor.getYScale(), op.getYScale()),
        matcher.match(adaptor.getYZeroPoint(), op.getYZeroPoint())};
    if (!matcher.why.empty())
      return rewriter.notifyMatchFailure(op, matcher.why);
    operands.bias = adaptor.getB();
    if (operands.bias && !isVector(operands.bias))
      return rewriter.notifyMatchFailure(op, "the bias isn't known to be 1-D");

    Location loc = op.getLoc();
    Factor sum = buildSums(rewriter, loc, operands, types->result);
    for (Factor *parameter : {&parameters.lhsScale, &parameters.rhsScale,
                              &parameters.scale, &parameters.zeroPoint})
      *parameter = fitParameter(rewriter, loc, *parameter, sum);
    Factor result = requantize(rewriter, loc, sum, parameters,
                               getElementTypeOrSelf(op.getY()));
    rewriter.replaceOp(op,
                       castTensor(rewriter, loc, result.tensor, types->result));
    return success();
  }

private:
  static bool isVector(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 1;
  }
};

/// A convolution of images and filters of quantized types.
struct QuantizedConvToLinalg : OpConversionPattern<ConvOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConvOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isIntegerContraction(op))
      return rewriter.notifyMatchFailure(op, "isn't of quantized bytes");
    FailureOr<ConvolutionTypes> types =
        matchConvolution(op, adaptor, *getTypeConverter(), rewriter);
    if (failed(types))
      return failure();
    Location loc = op.getLoc();
    quant::QuantizedType input = getQuantized(op.getX());
    quant::QuantizedType weights = getQuantized(op.getW());
    QuantizedConvolution operands{
        adaptor.getX(),
        adaptor.getW(),
        omb::onnx::getStorageType(input),
        omb::onnx::getStorageType(weights),
        createZeroPoint(rewriter, loc, input, kFeatures),
        createZeroPoint(rewriter, loc, weights, kFeatures),
        /*bias=*/nullptr,
        types->attributes,
        int64_t(op.getGroup()),
        "Conv"};
    SumScales scales{input, weights, kFeatures, Factor(),
                     getQuantized(op.getType())};
    if (Value bias = adaptor.getB()) {
      if (getQuantized(op.getB()))
        operands.bias = bias;
      else
        scales.addend = {bias, {kFeatures}, {StringAttr()}};
    }
    Factor sums = buildSums(rewriter, loc, operands, types->result);
    rewriter.replaceOp(op,
                       castTensor(rewriter, loc,
                                  scaleSums(rewriter, loc, sums, scales).tensor,
                                  types->result));
    return success();
  }
};

} // namespace

void omb::populateQuantizedConvolutionToLinalgPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<ConvIntegerToLinalg, QLinearConvToLinalg>(converter,
                                                         patterns.getContext());
  patterns.add<QuantizedConvToLinalg>(converter, patterns.getContext(),
                                      /*benefit=*/2);
}
