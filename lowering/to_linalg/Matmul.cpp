//===- Matmul.cpp - Lowering of matrix products ---------------------------===//

#include "lowering/to_linalg/Matmul.h"

#include "dialect/ir/ops/Matmul.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

/// `batchRank` dimensions of a batch, and `matrix`.
static SmallVector<int64_t> getLabels(int64_t batchRank,
                                      ArrayRef<int64_t> matrix) {
  SmallVector<int64_t> labels =
      llvm::to_vector(llvm::seq<int64_t>(-batchRank, 0));
  llvm::append_range(labels, matrix);
  return labels;
}

MatmulLabels::MatmulLabels(int64_t lhsRank, int64_t rhsRank,
                           int64_t resultRank) {
  bool isRow = lhsRank == 1;
  bool isColumn = rhsRank == 1;
  lhs =
      isRow ? getLabels(0, {kInner}) : getLabels(lhsRank - 2, {kRows, kInner});
  rhs = isColumn ? getLabels(0, {kInner})
                 : getLabels(rhsRank - 2, {kInner, kColumns});
  SmallVector<int64_t> matrix;
  if (!isRow)
    matrix.push_back(kRows);
  if (!isColumn)
    matrix.push_back(kColumns);
  result = getLabels(resultRank - matrix.size(), matrix);
}

void omb::alignMatrices(OpBuilder &builder, Location loc,
                        MutableArrayRef<Factor> factors) {
  alignFactors(builder, loc, factors,
               [](int64_t label) { return label != kInner; });
}

/// The product of two factors, whose inner dimensions have equal sizes and
/// whose others are broadcast.
static Value multiply(OpBuilder &builder, Location loc, Factor lhs, Factor rhs,
                      ArrayRef<int64_t> labels, RankedTensorType onnxResult) {
  Factor factors[] = {lhs, rhs};
  alignMatrices(builder, loc, factors);
  Value product =
      buildContraction(builder, loc, factors[0], factors[1], labels).tensor;
  auto type = cast<RankedTensorType>(product.getType());
  return castTensor(
      builder, loc, product,
      RankedTensorType::get(onnxResult.getShape(), type.getElementType()));
}

void omb::requireBiasFits(OpBuilder &builder, Location loc, Value bias,
                          RankedTensorType type, Value product,
                          RankedTensorType result) {
  IndexArithmetic index(builder, loc);
  int64_t offset = result.getRank() - type.getRank();
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (type.getDimSize(dim) == 1 || isSameDim(type, dim, result, dim + offset))
      continue;
    Value size = index.size(bias, dim);
    Value isOne = index.isEqual(size, index.constant(1));
    Value isSame = index.isEqual(size, index.size(product, dim + offset));
    index.require(index.select(isOne, isOne, isSame),
                  "C can't be broadcast to the matrix product");
  }
}

namespace {

/// The types of a product before conversion.
struct ProductTypes {
  RankedTensorType lhs, rhs, result;
};

template <typename OpT>
FailureOr<ProductTypes> matchTypes(OpT op,
                                   ConversionPatternRewriter &rewriter) {
  ProductTypes types{dyn_cast<RankedTensorType>(op.getA().getType()),
                     dyn_cast<RankedTensorType>(op.getB().getType()),
                     dyn_cast<RankedTensorType>(op.getType())};
  if (!types.lhs || !types.rhs || !types.result)
    return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
  return types;
}

struct MatMulToLinalg : OpConversionPattern<MatMulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MatMulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<ProductTypes> types = matchTypes(op, rewriter);
    if (failed(types))
      return failure();
    auto [lhs, rhs, result] = *types;
    MatmulLabels labels(lhs.getRank(), rhs.getRank(), result.getRank());
    Value product = multiply(
        rewriter, op.getLoc(), Factor::get(adaptor.getA(), lhs, labels.lhs),
        Factor::get(adaptor.getB(), rhs, labels.rhs), labels.result, result);
    rewriter.replaceOp(op,
                       roundProduct(rewriter, op.getLoc(), product, result));
    return success();
  }
};

struct GemmToLinalg : OpConversionPattern<GemmOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GemmOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<ProductTypes> match = matchTypes(op, rewriter);
    if (failed(match))
      return failure();
    RankedTensorType result = match->result;
    SmallVector<int64_t> lhsLabels{kRows, kInner};
    SmallVector<int64_t> rhsLabels{kInner, kColumns};
    if (op.getTransA())
      std::swap(lhsLabels[0], lhsLabels[1]);
    if (op.getTransB())
      std::swap(rhsLabels[0], rhsLabels[1]);
    Value product = multiply(rewriter, op.getLoc(),
                             Factor::get(adaptor.getA(), match->lhs, lhsLabels),
                             Factor::get(adaptor.getB(), match->rhs, rhsLabels),
                             {kRows, kColumns}, result);

    // The bias is added afterwards, where it is fused with the activation that
    // follows and with the rounding.
    SmallVector<Value> operands{product};
    SmallVector<Type> types{getProductType(result, product)};
    if (Value bias = op.getC()) {
      auto type = dyn_cast<RankedTensorType>(bias.getType());
      if (!type)
        return rewriter.notifyMatchFailure(op, "the rank of C isn't known");
      requireBiasFits(rewriter, op.getLoc(), adaptor.getC(), type, product,
                      result);
      operands.push_back(adaptor.getC());
      types.push_back(type);
    }
    bool isPlain = operands.size() == 1 && op.getAlpha() == 1.0f;
    rewriter.replaceOp(
        op, isPlain ? roundProduct(rewriter, op.getLoc(), product, result)
                    : buildElementwise(
                          rewriter, op.getLoc(), operands, types, result,
                          [&](OpBuilder &b, Location loc, ValueRange elements) {
                            return combine(op, b, loc, elements,
                                           result.getElementType());
                          }));
    return success();
  }

  /// alpha * product + beta * bias
  static Value combine(GemmOp op, OpBuilder &builder, Location loc,
                       ValueRange elements, Type type) {
    Scalars s(builder, loc, type);
    auto isInteger = [](float factor) {
      return factor == std::trunc(factor) && std::abs(factor) < 0x1p31f;
    };
    Type signless = elements[0].getType();
    bool isFractional = isa<IntegerType>(signless) &&
                        !(isInteger(op.getAlpha()) && isInteger(op.getBeta()));
    auto scale = [&](Value element, float factor) {
      Value number =
          isFractional ? s.toFloat(element, s.getF64Type()) : s.widen(element);
      return factor == 1.0f ? number : s.mul(number, factor);
    };
    Value sum = scale(elements[0], op.getAlpha());
    if (elements.size() > 1)
      sum = s.add(sum, scale(elements[1], op.getBeta()));
    return isFractional ? s.toInteger(sum, signless) : s.narrow(sum, type);
  }
};

} // namespace

void omb::populateMatmulToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<MatMulToLinalg, GemmToLinalg>(converter, patterns.getContext());
}
