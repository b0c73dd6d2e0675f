//===- SparsifyQuantized.cpp - onnx-sparsify-quantized --------------------===//

#include "dialect/ir/Constants.h"
#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/Elementwise.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/ir/ops/Quantization.h"
#include "dialect/transforms/ConstantNumbers.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/SparseFormats.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_SPARSIFYQUANTIZED
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

/// The elements of a constant, stored sparse or not; null where `value` is
/// something else.
static ElementsAttr getElements(Value value) {
  ElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    return nullptr;
  auto sparse = dyn_cast<SparseElementsAttr>(elements);
  return sparse ? makeDense(sparse) : elements;
}

static bool isByte(Type type) { return type.isInteger(8); }

/// The bytes of a constant as numbers.
static std::optional<SmallVector<int64_t>> readBytes(Value value) {
  ElementsAttr elements = getElements(value);
  SmallVector<int64_t> found;
  if (!elements || !isByte(elements.getElementType()) ||
      !readIntegers(elements, found))
    return std::nullopt;
  return found;
}

/// The elements of a constant of f32.
static std::optional<SmallVector<float>> readScales(Value value) {
  ElementsAttr elements = getElements(value);
  SmallVector<double> found;
  if (!elements || !elements.getElementType().isF32() ||
      !readFloats(elements, found))
    return std::nullopt;
  return SmallVector<float>(found.begin(), found.end());
}

namespace {

/// The second factor of a product: (w - z) * s.
struct Weights {
  int64_t rows, columns;
  /// w - z, in the order of the constant.
  SmallVector<int64_t> numbers;
  bool isTransposed;
  /// One, or one for each column.
  SmallVector<float> scales;

  float get(int64_t row, int64_t column) const {
    return isTransposed ? numbers[column * rows + row]
                        : numbers[row * columns + column];
  }
};

} // namespace

/// The zero points of `op`, as many as its scales; none where they aren't
/// constant.
static std::optional<SmallVector<int64_t>> readZeroPoints(DequantizeLinearOp op,
                                                          size_t count) {
  if (!op.getXZeroPoint())
    return SmallVector<int64_t>(count, 0);
  auto zeros = readBytes(op.getXZeroPoint());
  return zeros && zeros->size() == count ? zeros : std::nullopt;
}

static FailureOr<Weights> matchWeights(Value value, bool isTransposed,
                                       function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  auto op = value.getDefiningOp<DequantizeLinearOp>();
  auto type =
      op ? dyn_cast<RankedTensorType>(op.getX().getType()) : RankedTensorType();
  if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
      type.getNumElements() == 0 || op.getBlockSize() != 0)
    return fail("has no matrix that is dequantized by channels");
  auto numbers = readBytes(op.getX());
  auto scales = readScales(op.getXScale());
  if (!numbers || !scales || !getElementTypeOrSelf(op.getType()).isF32())
    return fail("has no constant bytes and scales");
  ArrayRef<int64_t> shape = type.getShape();
  int64_t channel = isTransposed ? 0 : 1;
  int64_t axis = op.getAxis() < 0 ? op.getAxis() + 2 : op.getAxis();
  bool isOfChannels =
      scales->size() == size_t(shape[channel]) && axis == channel;
  if (scales->size() != 1 && !isOfChannels)
    return fail("has scales that aren't the channels'");
  auto zeros = readZeroPoints(op, scales->size());
  if (!zeros)
    return fail("has zero points that aren't constant");
  for (auto [at, number] : llvm::enumerate(*numbers)) {
    int64_t of = channel == 0 ? at / shape[1] : at % shape[1];
    number -= (*zeros)[zeros->size() == 1 ? 0 : of];
  }
  return Weights{shape[1 - channel], shape[channel], std::move(*numbers),
                 isTransposed, std::move(*scales)};
}

namespace {

/// A first factor of a product, without its scale.
struct Rows {
  Value value;
  float scale = 1;
};

/// Rewrites MatMul and Gemm.
template <typename OpT> struct SparsifyProduct : OpRewritePattern<OpT> {
  SparsifyProduct(MLIRContext *context, double threshold)
      : OpRewritePattern<OpT>(context), threshold(threshold) {}

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if (!type || !type.getElementType().isF32() || !input ||
        input.getRank() < 2 || !isSimple(op))
      return rewriter.notifyMatchFailure(op, "isn't a product of f32 rows");
    FailureOr<Weights> weights = matchWeights(
        op->getOperand(1), isTransposed(op),
        [&](const Twine &why) { (void)rewriter.notifyMatchFailure(op, why); });
    if (failed(weights))
      return failure();
    if (double(llvm::count(weights->numbers, 0)) <
        threshold * double(weights->numbers.size()))
      return rewriter.notifyMatchFailure(op, "has too few zeros");
    Location loc = op.getLoc();
    Rows rows = getRows(rewriter, op->getOperand(0));
    Value sparse = createConstant(
        rewriter, op->getOperand(1).getLoc(),
        makeSparseMatrix(rewriter.getContext(), weights->rows, weights->columns,
                         [&](int64_t row, int64_t column) {
                           return weights->get(row, column);
                         }));
    Value product = MatMulOp::create(rewriter, loc, type, rows.value, sparse);
    Value scaled = MulOp::create(
        rewriter, loc, type, product,
        createScales(rewriter, loc, *weights, rows.scale * getFactor(op)));
    if (Value bias = getBias(op))
      scaled = AddOp::create(rewriter, loc, type, scaled, bias);
    rewriter.replaceOp(op, scaled);
    return success();
  }

private:
  static bool isSimple(MatMulOp) { return true; }
  static bool isSimple(GemmOp op) {
    return op.getTransA() == 0 && (!op.getC() || op.getBeta() == 1);
  }
  static bool isTransposed(MatMulOp) { return false; }
  static bool isTransposed(GemmOp op) { return op.getTransB() != 0; }
  static float getFactor(MatMulOp) { return 1; }
  static float getFactor(GemmOp op) { return op.getAlpha(); }
  static Value getBias(MatMulOp) { return nullptr; }
  static Value getBias(GemmOp op) { return op.getC(); }

  /// Rows that are dequantized by one scale as differences of integers.
  static Rows getRows(OpBuilder &builder, Value value) {
    auto op = value.getDefiningOp<DequantizeLinearOp>();
    if (!op || op.getBlockSize() != 0 ||
        !isByte(getElementTypeOrSelf(op.getX().getType())))
      return {value};
    auto scales = readScales(op.getXScale());
    if (!scales || scales->size() != 1)
      return {value};
    auto type = cast<RankedTensorType>(op.getXScale().getType());
    SmallVector<Value> operands(op->getOperands());
    operands[1] = createConstant(builder, op.getLoc(),
                                 DenseElementsAttr::get(type, 1.0f));
    Value numbers = DequantizeLinearOp::create(builder, op.getLoc(),
                                               TypeRange{op.getType()},
                                               operands, op->getAttrs());
    return {numbers, scales->front()};
  }

  static Value createScales(OpBuilder &builder, Location loc,
                            const Weights &weights, float factor) {
    SmallVector<float> scales(
        llvm::map_range(weights.scales, [&](float s) { return s * factor; }));
    auto type =
        RankedTensorType::get(int64_t(scales.size()), builder.getF32Type());
    return createConstant(builder, loc,
                          DenseElementsAttr::get(type, ArrayRef(scales)));
  }

  double threshold;
};

struct SparsifyQuantized
    : omb::onnx::impl::SparsifyQuantizedBase<SparsifyQuantized> {
  using SparsifyQuantizedBase::SparsifyQuantizedBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SparsifyProduct<MatMulOp>, SparsifyProduct<GemmOp>>(
        &getContext(), threshold);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
