//===- QuantizedMatmul.cpp - Lowering of products of quantized matrices ---===//

#include "dialect/ir/ops/Quantization.h"
#include "lowering/to_linalg/Cast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Matmul.h"
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

/// The dimensions that the scale and the zero point of an operand or product
/// with these labels may have: a vector is for all rows (or columns), a tensor
/// has 1 for the dimension that is summed over.
static ParameterLabels getParameterLabels(ArrayRef<int64_t> labels) {
  ParameterLabels parameter;
  for (int64_t label : labels) {
    bool isInner = label == kInner;
    if (!isInner && label >= 0)
      parameter.vector = label;
    parameter.dims.push_back(isInner ? kUnitLabel : label);
  }
  return parameter;
}

namespace {

/// A quantized matrix, or a batch of them. Scale and zero point may be absent.
struct QuantizedMatrix {
  Factor matrix;
  Factor scale;
  Factor zeroPoint;
  /// The element type before conversion.
  Type type;
};

} // namespace

/// `value` with its parameters, all labeled; says in `why` what doesn't fit.
/// The parameters are pairs of a value and what it was before conversion.
static FailureOr<QuantizedMatrix> matchMatrix(Value value, Value onnxValue,
                                              ArrayRef<int64_t> labels,
                                              std::pair<Value, Value> scale,
                                              std::pair<Value, Value> zeroPoint,
                                              StringRef &why) {
  auto type = cast<RankedTensorType>(onnxValue.getType());
  ParameterLabels own = getParameterLabels(labels);
  LabeledType owner{type, labels};
  FailureOr<Factor> ownScale =
      matchParameter(scale.first, scale.second, own, owner, why);
  FailureOr<Factor> ownZeroPoint =
      matchParameter(zeroPoint.first, zeroPoint.second, own, owner, why);
  if (failed(ownScale) || failed(ownZeroPoint))
    return failure();
  return QuantizedMatrix{Factor::get(value, type, labels), *ownScale,
                         *ownZeroPoint, type.getElementType()};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The size of kInner as an i32.
static Value getInnerCount(OpBuilder &builder, Location loc,
                           const Factor &factor) {
  Value size =
      IndexArithmetic(builder, loc).size(factor.tensor, factor.getDim(kInner));
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return arith::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(int32_t(*known)));
  return arith::IndexCastOp::create(builder, loc, builder.getI32Type(), size);
}

/// The sums of products of integers, less their zero points, as i32.
static Factor multiplyIntegers(OpBuilder &builder, Location loc,
                               const QuantizedMatrix &lhs,
                               const QuantizedMatrix &rhs,
                               ArrayRef<int64_t> labels) {
  Factor factors[] = {lhs.matrix, rhs.matrix};
  for (auto [factor, matrix] :
       {std::pair(&factors[0], &lhs), std::pair(&factors[1], &rhs)})
    factor->tensor =
        toSignedBytes(builder, loc, matrix->matrix.tensor, matrix->type);
  alignMatrices(builder, loc, factors);
  Type type = builder.getI32Type();
  Factor product =
      buildContraction(builder, loc, factors[0], factors[1], labels, type);
  Factor lhsZero = toSignedZeroPoint(
      builder, loc, fitParameter(builder, loc, lhs.zeroPoint, product),
      lhs.type);
  Factor rhsZero = toSignedZeroPoint(
      builder, loc, fitParameter(builder, loc, rhs.zeroPoint, product),
      rhs.type);
  bool hasLhsZero = !isZero(lhsZero);
  bool hasRhsZero = !isZero(rhsZero);
  SmallVector<Factor> terms{product};
  Value count;
  if (hasLhsZero)
    llvm::append_values(terms, lhsZero,
                        buildSum(builder, loc, factors[1], {kInner}, type));
  if (hasRhsZero)
    llvm::append_values(terms, rhsZero,
                        buildSum(builder, loc, factors[0], {kInner}, type));
  if (hasLhsZero && hasRhsZero)
    count = getInnerCount(builder, loc, factors[0]);
  if (terms.size() == 1)
    return product;
  return mapFactors(builder, loc, terms, labels, type,
                    [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
                      Scalars s(b, bodyLoc, type);
                      Value sum = elements[0];
                      if (hasLhsZero)
                        sum = s.sub(sum, s.mul(elements[1], elements[2]));
                      if (hasRhsZero) {
                        ValueRange own = elements.take_back(2);
                        Value rowSum =
                            count ? s.sub(own[1], s.mul(count, elements[1]))
                                  : own[1];
                        sum = s.sub(sum, s.mul(own[0], rowSum));
                      }
                      return sum;
                    });
}

/// A matrix less its zero point, as f32, which holds every difference of two
/// narrow numbers.
static Factor toFloats(OpBuilder &builder, Location loc,
                       const QuantizedMatrix &quantized) {
  SmallVector<Factor> factors{quantized.matrix};
  if (quantized.zeroPoint.tensor)
    factors.push_back(
        fitParameter(builder, loc, quantized.zeroPoint, quantized.matrix));
  Type type = builder.getF32Type();
  auto body = [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
    Scalars s(b, bodyLoc, type);
    Value number = buildCast(s, elements[0], quantized.type, type);
    if (elements.size() == 1)
      return number;
    return s.sub(number, buildCast(s, elements[1], quantized.type, type));
  };
  return mapFactors(builder, loc, factors, quantized.matrix.labels, type, body);
}

static Factor multiplyFloats(OpBuilder &builder, Location loc,
                             const QuantizedMatrix &lhs,
                             const QuantizedMatrix &rhs,
                             ArrayRef<int64_t> labels) {
  Factor factors[] = {toFloats(builder, loc, lhs), toFloats(builder, loc, rhs)};
  alignMatrices(builder, loc, factors);
  return buildContraction(builder, loc, factors[0], factors[1], labels);
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

/// The labels of an op's matrices; fails where a rank isn't known.
template <typename OpT>
FailureOr<MatmulLabels> matchLabels(OpT op, Value lhs, Value rhs,
                                    ConversionPatternRewriter &rewriter) {
  auto lhsType = dyn_cast<RankedTensorType>(lhs.getType());
  auto rhsType = dyn_cast<RankedTensorType>(rhs.getType());
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!lhsType || !rhsType || !type)
    return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
  return MatmulLabels(lhsType.getRank(), rhsType.getRank(), type.getRank());
}

struct MatMulIntegerToLinalg : OpConversionPattern<MatMulIntegerOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MatMulIntegerOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<MatmulLabels> labels =
        matchLabels(op, op.getA(), op.getB(), rewriter);
    if (failed(labels))
      return failure();
    StringRef why;
    auto lhs = matchMatrix(adaptor.getA(), op.getA(), labels->lhs, {},
                           {adaptor.getAZeroPoint(), op.getAZeroPoint()}, why);
    auto rhs = matchMatrix(adaptor.getB(), op.getB(), labels->rhs, {},
                           {adaptor.getBZeroPoint(), op.getBZeroPoint()}, why);
    if (failed(lhs) || failed(rhs))
      return rewriter.notifyMatchFailure(op, why);
    Factor product =
        multiplyIntegers(rewriter, op.getLoc(), *lhs, *rhs, labels->result);
    rewriter.replaceOp(
        op, castTensor(rewriter, op.getLoc(), product.tensor,
                       getTypeConverter()->convertType(op.getType())));
    return success();
  }
};

struct QLinearMatMulToLinalg : OpConversionPattern<QLinearMatMulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QLinearMatMulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<MatmulLabels> labels =
        matchLabels(op, op.getA(), op.getB(), rewriter);
    if (failed(labels))
      return failure();
    StringRef why;
    auto lhs = matchMatrix(adaptor.getA(), op.getA(), labels->lhs,
                           {adaptor.getAScale(), op.getAScale()},
                           {adaptor.getAZeroPoint(), op.getAZeroPoint()}, why);
    auto rhs = matchMatrix(adaptor.getB(), op.getB(), labels->rhs,
                           {adaptor.getBScale(), op.getBScale()},
                           {adaptor.getBZeroPoint(), op.getBZeroPoint()}, why);
    auto type = cast<RankedTensorType>(op.getType());
    ParameterLabels own = getParameterLabels(labels->result);
    LabeledType owner{type, labels->result};
    auto scale =
        matchParameter(adaptor.getYScale(), op.getYScale(), own, owner, why);
    auto zeroPoint = matchParameter(adaptor.getYZeroPoint(), op.getYZeroPoint(),
                                    own, owner, why);
    if (failed(lhs) || failed(rhs) || failed(scale) || failed(zeroPoint))
      return rewriter.notifyMatchFailure(op, why);

    Location loc = op.getLoc();
    bool isInteger = isa<IntegerType>(lhs->type) && isa<IntegerType>(rhs->type);
    auto multiply = isInteger ? multiplyIntegers : multiplyFloats;
    Factor product = multiply(rewriter, loc, *lhs, *rhs, labels->result);
    auto fit = [&](const Factor &parameter) {
      return fitParameter(rewriter, loc, parameter, product);
    };
    Factor result = requantize(
        rewriter, loc, product,
        {fit(lhs->scale), fit(rhs->scale), fit(*scale), fit(*zeroPoint)},
        type.getElementType());
    rewriter.replaceOp(op, castTensor(rewriter, loc, result.tensor,
                                      getTypeConverter()->convertType(type)));
    return success();
  }
};

} // namespace

void omb::populateQuantizedMatmulToLinalgPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<MatMulIntegerToLinalg, QLinearMatMulToLinalg>(
      converter, patterns.getContext());
}
