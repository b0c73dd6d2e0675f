//===- QuantizedMatmul.cpp - Lowering of products of quantized matrices ---===//

#include "dialect/ir/ops/Matmul.h"
#include "dialect/ir/ops/Quantization.h"
#include "dialect/transforms/QuantizedOps.h"
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

/// The sums of products of integers, less their zero points, plus `bias` (i32,
/// which may have no tensor), as i32.
static Factor multiplyIntegers(OpBuilder &builder, Location loc,
                               const QuantizedMatrix &lhs,
                               const QuantizedMatrix &rhs,
                               ArrayRef<int64_t> labels,
                               const Factor &bias = {}) {
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
  // A zero point for all is part of what all rows start with.
  bool isRowZero = hasLhsZero && !lhsZero.labels.empty();
  Factor offset = bias;
  if (hasLhsZero && !isRowZero)
    offset = buildOffset(builder, loc, factors[1], {kInner}, lhsZero, bias);
  SmallVector<Factor> terms{product};
  Value count;
  if (offset.tensor)
    terms.push_back(offset);
  if (isRowZero)
    llvm::append_values(terms, lhsZero,
                        buildSum(builder, loc, factors[1], {kInner}, type));
  if (hasRhsZero) {
    llvm::append_values(terms, rhsZero,
                        buildSum(builder, loc, factors[0], {kInner}, type));
    if (hasLhsZero) {
      count = getInnerCount(builder, loc, factors[0]);
      terms.push_back(lhsZero);
    }
  }
  if (terms.size() == 1)
    return product;
  return mapFactors(builder, loc, terms, labels, type,
                    [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
                      Scalars s(b, bodyLoc, type);
                      auto take = [&] {
                        Value next = elements.front();
                        elements = elements.drop_front();
                        return next;
                      };
                      Value sum = take();
                      if (offset.tensor)
                        sum = s.add(sum, take());
                      if (isRowZero) {
                        Value zero = take();
                        sum = s.sub(sum, s.mul(zero, take()));
                      }
                      if (hasRhsZero) {
                        Value zero = take(), rowSum = take();
                        if (count)
                          rowSum = s.sub(rowSum, s.mul(count, take()));
                        sum = s.sub(sum, s.mul(zero, rowSum));
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
    Factor product =
        isInteger ? multiplyIntegers(rewriter, loc, *lhs, *rhs, labels->result)
                  : multiplyFloats(rewriter, loc, *lhs, *rhs, labels->result);
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

/// A matrix of a quantized type, whose parameters are for all or for `channel`.
QuantizedMatrix getQuantizedMatrix(OpBuilder &builder, Location loc,
                                   Value value, RankedTensorType type,
                                   ArrayRef<int64_t> labels, int64_t channel) {
  quant::QuantizedType quantized = getQuantized(type);
  return {Factor::get(value, type, labels), Factor(),
          createZeroPoint(builder, loc, quantized, channel),
          omb::onnx::getStorageType(quantized)};
}

/// What is added to a product with the labels kRows and kColumns.
Factor getAddend(OpBuilder &builder, Location loc, Value value,
                 RankedTensorType type) {
  int64_t labels[] = {kRows, kColumns};
  Factor addend =
      Factor::get(value, type, ArrayRef(labels).take_back(type.getRank()));
  for (int64_t label : SmallVector<int64_t>(addend.labels))
    if (addend.getType().getDimSize(addend.getDim(label)) == 1)
      dropUnit(builder, loc, addend, label);
  return addend;
}

/// A product of quantized matrices, plus a third operand, as the quantized or
/// f32 result of `op`.
template <typename OpT>
Value buildProduct(OpBuilder &builder, OpT op, typename OpT::Adaptor adaptor,
                   const MatmulLabels &labels, Value addend = {},
                   Value onnxAddend = {}) {
  Location loc = op.getLoc();
  QuantizedMatrix lhs = getQuantizedMatrix(
      builder, loc, adaptor.getA(), cast<RankedTensorType>(op.getA().getType()),
      labels.lhs, kRows);
  QuantizedMatrix rhs = getQuantizedMatrix(
      builder, loc, adaptor.getB(), cast<RankedTensorType>(op.getB().getType()),
      labels.rhs, kColumns);
  SumScales scales{getQuantized(op.getA()), getQuantized(op.getB()), kColumns,
                   Factor(), getQuantized(op.getType())};
  Factor bias;
  if (addend) {
    auto type = cast<RankedTensorType>(onnxAddend.getType());
    Factor &factor = getQuantized(type) ? bias : scales.addend;
    factor = getAddend(builder, loc, addend, type);
  }
  Factor sums = multiplyIntegers(builder, loc, lhs, rhs, labels.result, bias);
  return scaleSums(builder, loc, sums, scales).tensor;
}

struct QuantizedMatMulToLinalg : OpConversionPattern<MatMulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MatMulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isIntegerContraction(op))
      return rewriter.notifyMatchFailure(op, "isn't of quantized bytes");
    FailureOr<MatmulLabels> labels =
        matchLabels(op, op.getA(), op.getB(), rewriter);
    if (failed(labels))
      return failure();
    Value product = buildProduct(rewriter, op, adaptor, *labels);
    rewriter.replaceOp(
        op, castTensor(rewriter, op.getLoc(), product,
                       getTypeConverter()->convertType(op.getType())));
    return success();
  }
};

struct QuantizedGemmToLinalg : OpConversionPattern<GemmOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GemmOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isIntegerContraction(op))
      return rewriter.notifyMatchFailure(op, "isn't of quantized bytes");
    MatmulLabels labels(2, 2, 2);
    if (op.getTransA())
      std::swap(labels.lhs[0], labels.lhs[1]);
    if (op.getTransB())
      std::swap(labels.rhs[0], labels.rhs[1]);
    Value product =
        buildProduct(rewriter, op, adaptor, labels, adaptor.getC(), op.getC());
    rewriter.replaceOp(
        op, castTensor(rewriter, op.getLoc(), product,
                       getTypeConverter()->convertType(op.getType())));
    return success();
  }
};

} // namespace

void omb::populateQuantizedMatmulToLinalgPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<MatMulIntegerToLinalg, QLinearMatMulToLinalg>(
      converter, patterns.getContext());
  patterns.add<QuantizedMatMulToLinalg, QuantizedGemmToLinalg>(
      converter, patterns.getContext(), /*benefit=*/2);
  populateSparseQuantizedMatmulToLinalgPatterns(converter, patterns);
}
