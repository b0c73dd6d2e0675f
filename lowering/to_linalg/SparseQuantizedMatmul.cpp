//===- SparseQuantizedMatmul.cpp - Products with sparse quantized weights -===//
//
// An element of weights of a sparse quantized type stands for
// (stored - zero point) * scale, one that isn't stored for zero. The products
// are of the differences, which are bytes in the same sparse format, and the
// scales come after the sums.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/QuantizedTypes.h"
#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/transforms/ConstantNumbers.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Cast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Matmul.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/QuantizedFactors.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

/// The differences that are stored of a constant matrix: signed bytes, or f32
/// where they aren't. `converted` is the constant of what is stored.
static Value createDifferences(OpBuilder &builder, ConstantOp constant,
                               Value converted) {
  auto type = cast<RankedTensorType>(constant.getType());
  auto elements = cast<SparseElementsAttr>(constant.getSparseValueAttr());
  ZeroPoints zeros(type);
  SmallVector<int64_t> numbers;
  [[maybe_unused]] bool isRead = readIntegers(elements.getValues(), numbers);
  assert(isRead && "integers are stored for a quantized type");
  auto at = elements.getIndices().value_begin<uint64_t>();
  for (int64_t &number : numbers) {
    int64_t row = *at++, column = *at++;
    number -= zeros.at(row * type.getDimSize(1) + column);
  }
  bool areBytes = llvm::all_of(
      numbers, [](int64_t number) { return number >= -128 && number <= 127; });
  Type element = areBytes ? Type(builder.getI8Type()) : builder.getF32Type();
  auto valuesType = RankedTensorType::get(int64_t(numbers.size()), element);
  DenseElementsAttr values =
      areBytes ? DenseElementsAttr::get(
                     valuesType,
                     ArrayRef<int8_t>(llvm::to_vector_of<int8_t>(numbers)))
               : DenseElementsAttr::get(
                     valuesType,
                     ArrayRef<float>(llvm::to_vector_of<float>(numbers)));
  auto differences = SparseElementsAttr::get(
      RankedTensorType::get(type.getShape(), element, type.getEncoding()),
      elements.getIndices(), values);
  Attribute stored;
  if (matchPattern(converted, m_Constant(&stored)) && stored == differences)
    return converted;
  return arith::ConstantOp::create(builder, constant.getLoc(), differences);
}

/// The scales of the sums, `factor` times those of the weights: one, or one for
/// each channel.
static Value createScales(OpBuilder &builder, Location loc,
                          quant::QuantizedType weights, float factor) {
  auto parameters = *QuantizationParameters::get(weights);
  SmallVector<float> scales;
  for (double scale : parameters.scales)
    scales.push_back(float(scale) * factor);
  SmallVector<int64_t> shape;
  if (parameters.axis)
    shape.push_back(int64_t(scales.size()));
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get(shape, builder.getF32Type()),
                             ArrayRef<float>(scales)));
}

/// Rows as f32: of quantized ones, integers less their zero point.
static Factor createRows(OpBuilder &builder, Location loc, Value rows,
                         RankedTensorType type, ArrayRef<int64_t> labels) {
  Factor factor = Factor::get(rows, type, labels);
  auto quantized =
      dyn_cast_if_present<quant::UniformQuantizedType>(getQuantized(type));
  if (!quantized)
    return factor;
  Type f32 = builder.getF32Type();
  return mapFactors(
      builder, loc, factor, factor.labels, f32,
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) -> Value {
        Scalars s(b, bodyLoc, f32);
        Value number =
            buildCast(s, elements[0], getStorageType(quantized), f32);
        if (quantized.getZeroPoint() == 0)
          return number;
        return s.sub(number,
                     s.constant(number, double(quantized.getZeroPoint())));
      });
}

static float getAlpha(MatMulOp) { return 1; }
static float getAlpha(GemmOp op) { return op.getAlpha(); }
static float getBeta(MatMulOp) { return 1; }
static float getBeta(GemmOp op) { return op.getBeta(); }
static std::pair<Value, Value> getBias(MatMulOp, MatMulOp::Adaptor) {
  return {};
}
static std::pair<Value, Value> getBias(GemmOp op, GemmOp::Adaptor adaptor) {
  return {op.getC(), adaptor.getC()};
}

namespace {

/// MatMul and Gemm; the result is f32.
template <typename OpT> struct SparseBytesToLinalg : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto constant = op.getB().template getDefiningOp<ConstantOp>();
    quant::QuantizedType weights = getQuantized(op.getB());
    if (!constant || !weights || !isSparse(op.getB().getType()))
      return rewriter.notifyMatchFailure(op, "has no sparse weights of bytes");
    auto lhs = dyn_cast<RankedTensorType>(op.getA().getType());
    auto rhs = cast<RankedTensorType>(op.getB().getType());
    auto result = dyn_cast<RankedTensorType>(op.getType());
    if (!lhs || !result)
      return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    auto [onnxBias, bias] = getBias(op, adaptor);
    auto biasType = bias ? dyn_cast<RankedTensorType>(onnxBias.getType())
                         : RankedTensorType();
    if (bias && !biasType)
      return rewriter.notifyMatchFailure(op, "the rank of C isn't known");

    Location loc = op.getLoc();
    MatmulLabels labels(lhs.getRank(), rhs.getRank(), result.getRank());
    Factor factors[] = {
        createRows(rewriter, loc, adaptor.getA(), lhs, labels.lhs),
        Factor::get(createDifferences(rewriter, constant, adaptor.getB()), rhs,
                    labels.rhs)};
    alignMatrices(rewriter, loc, factors);
    Value sums = buildContraction(rewriter, loc, factors[0], factors[1],
                                  labels.result, rewriter.getF32Type())
                     .tensor;
    sums = castTensor(
        rewriter, loc, sums,
        RankedTensorType::get(result.getShape(), rewriter.getF32Type()));
    float factor = getAlpha(op);
    if (auto rows =
            dyn_cast_if_present<quant::UniformQuantizedType>(getQuantized(lhs)))
      factor *= float(rows.getScale());
    Value scales = createScales(rewriter, loc, weights, factor);
    SmallVector<Value> operands{sums, scales};
    SmallVector<Type> types{result, scales.getType()};
    if (bias) {
      requireBiasFits(rewriter, loc, bias, biasType, sums, result);
      operands.push_back(bias);
      types.push_back(biasType);
    }
    rewriter.replaceOp(
        op, buildElementwise(
                rewriter, loc, operands, types, result,
                [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
                  Scalars s(b, bodyLoc, result.getElementType());
                  Value number = s.mul(elements[0], elements[1]);
                  if (elements.size() == 2)
                    return number;
                  Value addend = elements[2];
                  if (getBeta(op) != 1)
                    addend = s.mul(addend, getBeta(op));
                  return s.add(number, addend);
                }));
    return success();
  }
};

} // namespace

void omb::populateSparseQuantizedMatmulToLinalgPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<SparseBytesToLinalg<MatMulOp>, SparseBytesToLinalg<GemmOp>>(
      converter, patterns.getContext(), /*benefit=*/3);
}
