//===- QdqToQuant.cpp - onnx-qdq-to-quant ---------------------------------===//

#include "dialect/ir/QuantCasts.h"
#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/Activation.h"
#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Indexing.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/ir/ops/Quantization.h"
#include "dialect/transforms/ConstantNumbers.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/QuantizedOps.h"
#include "dialect/transforms/SparseConstants.h"

#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace omb::onnx;
using mlir::quant::QuantizedType;

namespace omb::onnx {
#define GEN_PASS_DEF_QDQTOQUANT
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

//===----------------------------------------------------------------------===//
// Constant parameters
//===----------------------------------------------------------------------===//

/// More blocks than this would make types that nobody wants to read.
static constexpr int64_t kMostBlocks = 4096;

namespace {

/// The scale and the zero point (null: 0) of a tensor as an op has them.
struct Parameters {
  Value scale;
  Value zeroPoint;
  int64_t axis = 0;
  int64_t blockSize = 0;
};

} // namespace

/// The constants of `parameters`, of a tensor of type `tensor`; fails where
/// they aren't constant or fit no quantized type.
static std::optional<QuantizationParameters>
readParameters(const Parameters &parameters, RankedTensorType tensor) {
  ElementsAttr scale, zero;
  QuantizationParameters found;
  auto type = dyn_cast<RankedTensorType>(parameters.scale.getType());
  if (!type || !type.hasStaticShape() ||
      !matchPattern(parameters.scale, m_Constant(&scale)) ||
      !readFloats(scale, found.scales) || found.scales.empty())
    return std::nullopt;
  if (parameters.zeroPoint) {
    if (!matchPattern(parameters.zeroPoint, m_Constant(&zero)) ||
        !readIntegers(zero, found.zeroPoints) ||
        found.zeroPoints.size() != found.scales.size())
      return std::nullopt;
  } else {
    found.zeroPoints.assign(found.scales.size(), 0);
  }
  if (found.scales.size() == 1 && parameters.blockSize == 0 &&
      type.getRank() < 2)
    return found;
  int64_t rank = tensor.getRank();
  int64_t axis = parameters.axis < 0 ? parameters.axis + rank : parameters.axis;
  if (axis < 0 || axis >= rank ||
      type.getRank() != (parameters.blockSize == 0 ? 1 : rank))
    return std::nullopt;
  found.axis = axis;
  found.blockSize = parameters.blockSize;
  if (found.blockSize == 0)
    return found;
  llvm::append_range(found.shape, type.getShape());
  bool isTyped = found.blockSize > 1 && type.getNumElements() <= kMostBlocks;
  return isTyped ? std::optional(found) : std::nullopt;
}

/// The type of a tensor that stores `stored` (a tensor of integers) for numbers
/// of the type of the scale; null where there is none.
static TensorType getQuantizedType(Type stored, const Parameters &parameters) {
  auto tensor = dyn_cast<RankedTensorType>(stored);
  auto storage =
      tensor ? dyn_cast<IntegerType>(tensor.getElementType()) : IntegerType();
  auto expressed =
      dyn_cast<FloatType>(getElementTypeOrSelf(parameters.scale.getType()));
  if (!storage || !expressed)
    return nullptr;
  std::optional<QuantizationParameters> found =
      readParameters(parameters, tensor);
  QuantizedType type = found ? found->getType(storage, expressed) : nullptr;
  if (!type)
    return nullptr;
  TensorType quantized = withElementType(tensor, type);
  return findQuantizationObstacle(quantized).empty() ? quantized : nullptr;
}

/// Integers as the elements of `type` that are stored as them. A sparse
/// constant stays sparse where the integers that it doesn't store are the
/// number zero.
static Value castStored(OpBuilder &builder, Location loc, TensorType type,
                        Value stored) {
  auto constant = stored.getDefiningOp<ConstantOp>();
  if (!constant || !isSparse(stored.getType()))
    return StorageCastOp::create(builder, loc, type, stored);
  auto isZero = [](int64_t number) { return number == 0; };
  auto parameters = *QuantizationParameters::get(getQuantized(type));
  if (parameters.blockSize == 0 && llvm::all_of(parameters.zeroPoints, isZero))
    return createSparseConstant(
        builder, constant.getLoc(),
        cast<SparseElementsAttr>(constant.getSparseValueAttr()),
        cast<RankedTensorType>(type));
  auto dense = RankedTensorType::get(type.getShape(), type.getElementType());
  return StorageCastOp::create(builder, loc, dense,
                               createDense(builder, constant));
}

//===----------------------------------------------------------------------===//
// Ops with scales and zero points
//===----------------------------------------------------------------------===//

namespace {

struct QuantizeLinearToCast : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeLinearOp op,
                                PatternRewriter &rewriter) const override {
    Type element = getElementTypeOrSelf(op.getX().getType());
    if (element != getElementTypeOrSelf(op.getYScale().getType()) ||
        !isDefaultPrecision(op, element))
      return rewriter.notifyMatchFailure(op, "divides in another precision");
    TensorType type =
        getQuantizedType(op.getType(), {op.getYScale(), op.getYZeroPoint(),
                                        op.getAxis(), op.getBlockSize()});
    if (!type ||
        cast<ShapedType>(op.getX().getType()).getShape() != type.getShape())
      return rewriter.notifyMatchFailure(op, "has no constant parameters");
    Value cast = QuantizeCastOp::create(rewriter, op.getLoc(), type, op.getX());
    rewriter.replaceOpWithNewOp<StorageCastOp>(op, op.getType(), cast);
    return success();
  }

private:
  static bool isDefaultPrecision(QuantizeLinearOp op, Type type) {
    switch (op.getPrecision()) {
    case 0:
      return true;
    case 1:
      return type.isF32();
    case 10:
      return type.isF16();
    default:
      return op.getPrecision() == 16 && type.isBF16();
    }
  }
};

struct DequantizeLinearToCast : OpRewritePattern<DequantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DequantizeLinearOp op,
                                PatternRewriter &rewriter) const override {
    if (getElementTypeOrSelf(op.getType()) !=
        getElementTypeOrSelf(op.getXScale().getType()))
      return rewriter.notifyMatchFailure(op, "gives another type than scales");
    TensorType type = getQuantizedType(
        op.getX().getType(),
        {op.getXScale(), op.getXZeroPoint(), op.getAxis(), op.getBlockSize()});
    if (!type || cast<ShapedType>(op.getType()).getShape() != type.getShape())
      return rewriter.notifyMatchFailure(op, "has no constant parameters");
    Value cast = castStored(rewriter, op.getLoc(), type, op.getX());
    rewriter.replaceOpWithNewOp<DequantizeCastOp>(op, op.getType(), cast);
    return success();
  }
};

/// The type of a bias of integers: of the product of both scales.
static TensorType getBiasType(TensorType input, TensorType weights,
                              Value bias) {
  auto tensor = dyn_cast<RankedTensorType>(bias.getType());
  std::optional<QuantizationParameters> lhs = QuantizationParameters::get(
                                            getQuantized(input)),
                                        own = QuantizationParameters::get(
                                            getQuantized(weights));
  if (!tensor || lhs->axis)
    return nullptr;
  for (auto [scale, zero] : llvm::zip(own->scales, own->zeroPoints)) {
    scale = float(lhs->scales[0]) * float(scale);
    zero = 0;
  }
  if (own->axis)
    own->axis = 0;
  QuantizedType type = own->getType(IntegerType::get(bias.getContext(), 32),
                                    Float32Type::get(bias.getContext()));
  TensorType quantized = type ? withElementType(tensor, type) : TensorType();
  return quantized && findQuantizationObstacle(quantized).empty() ? quantized
                                                                  : nullptr;
}

/// QLinearConv and QLinearMatMul as Conv and MatMul of quantized tensors.
struct QLinearConvToConv : OpRewritePattern<QLinearConvOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QLinearConvOp op,
                                PatternRewriter &rewriter) const override {
    TensorType input = getQuantizedType(op.getX().getType(),
                                        {op.getXScale(), op.getXZeroPoint()});
    TensorType weights = getQuantizedType(op.getW().getType(),
                                          {op.getWScale(), op.getWZeroPoint()});
    TensorType result = getQuantizedType(op.getY().getType(),
                                         {op.getYScale(), op.getYZeroPoint()});
    if (!input || !weights || !result)
      return rewriter.notifyMatchFailure(op, "has no constant parameters");
    Location loc = op.getLoc();
    SmallVector<Value> operands;
    auto add = [&](TensorType type, Value value) {
      operands.push_back(castStored(rewriter, loc, type, value));
    };
    TensorType bias;
    if (op.getB() && !(bias = getBiasType(input, weights, op.getB())))
      return rewriter.notifyMatchFailure(op, "has a bias of unknown rank");
    add(input, op.getX());
    add(weights, op.getW());
    if (bias)
      add(bias, op.getB());
    SmallVector<NamedAttribute> attributes;
    for (NamedAttribute each : op->getAttrs())
      if (each.getName() != "operandSegmentSizes")
        attributes.push_back(each);
    auto conv =
        ConvOp::create(rewriter, loc, TypeRange{result}, operands, attributes);
    rewriter.replaceOpWithNewOp<StorageCastOp>(op, op.getType(),
                                               conv.getResult());
    return success();
  }
};

struct QLinearMatMulToMatMul : OpRewritePattern<QLinearMatMulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QLinearMatMulOp op,
                                PatternRewriter &rewriter) const override {
    auto rhs = dyn_cast<RankedTensorType>(op.getB().getType());
    TensorType a = getOneForAll(op.getA(), op.getAScale(), op.getAZeroPoint());
    TensorType result =
        getOneForAll(op.getY(), op.getYScale(), op.getYZeroPoint());
    if (!a || !result || !rhs || rhs.getRank() == 0)
      return rewriter.notifyMatchFailure(op, "has no constant parameters");
    TensorType b = getQuantizedType(
        rhs, {op.getBScale(), op.getBZeroPoint(), /*axis=*/-1});
    if (!b || !getElementTypeOrSelf(op.getAScale().getType()).isF32())
      return rewriter.notifyMatchFailure(op, "has no constant parameters");
    // One for all numbers of a vector is one for its columns' sum.
    if (rhs.getRank() == 1 &&
        QuantizationParameters::get(getQuantized(b))->axis)
      return rewriter.notifyMatchFailure(op, "scales what is summed up");
    Location loc = op.getLoc();
    SmallVector<Value> operands{castStored(rewriter, loc, a, op.getA()),
                                castStored(rewriter, loc, b, op.getB())};
    auto product = MatMulOp::create(rewriter, loc, TypeRange{result}, operands,
                                    ArrayRef<NamedAttribute>());
    rewriter.replaceOpWithNewOp<StorageCastOp>(op, op.getType(),
                                               product.getResult());
    return success();
  }

private:
  static TensorType getOneForAll(Value value, Value scale, Value zeroPoint) {
    TensorType type = getQuantizedType(value.getType(), {scale, zeroPoint});
    bool isOne = type && !QuantizationParameters::get(getQuantized(type))->axis;
    return isOne ? type : nullptr;
  }
};

/// The type of integers less their zero point, which are numbers: of the scale
/// 1. Null where the zero point isn't constant.
QuantizedType getIntegerType(Value stored, Value zeroPoint, int64_t axis) {
  QuantizationParameters parameters{{1.0}, {0}};
  ElementsAttr zeros;
  if (zeroPoint) {
    auto type = dyn_cast<RankedTensorType>(zeroPoint.getType());
    parameters.zeroPoints.clear();
    if (!type || type.getRank() > 1 ||
        !matchPattern(zeroPoint, m_Constant(&zeros)) ||
        !readIntegers(zeros, parameters.zeroPoints) ||
        parameters.zeroPoints.empty())
      return nullptr;
    if (llvm::all_equal(parameters.zeroPoints)) {
      parameters.zeroPoints.truncate(1);
    } else {
      parameters.scales.assign(parameters.zeroPoints.size(), 1.0);
      parameters.axis = axis;
    }
  }
  return parameters.getType(
      cast<IntegerType>(getElementTypeOrSelf(stored.getType())),
      Float32Type::get(stored.getContext()));
}

/// MatMulInteger and ConvInteger as MatMul and Conv of quantized tensors. What
/// they give is the number that is stored: of the scale 1.
template <typename Integer, typename Contraction>
struct IntegerToContraction : OpRewritePattern<Integer> {
  using OpRewritePattern<Integer>::OpRewritePattern;

  LogicalResult matchAndRewrite(Integer op,
                                PatternRewriter &rewriter) const override {
    Value zeros[2] = {getOperand(op, 2), getOperand(op, 3)};
    auto rhs = dyn_cast<RankedTensorType>(op->getOperand(1).getType());
    if (!rhs || !isa<RankedTensorType>(op->getOperand(0).getType()) ||
        !isa<RankedTensorType>(op.getType()) || rhs.getRank() < 2)
      return rewriter.notifyMatchFailure(op, "has operands of unknown ranks");
    int64_t channel =
        std::is_same_v<Contraction, ConvOp> ? 0 : rhs.getRank() - 1;
    QuantizedType lhsType = getIntegerType(op->getOperand(0), zeros[0], -1),
                  rhsType =
                      getIntegerType(op->getOperand(1), zeros[1], channel);
    if (!lhsType || !rhsType)
      return rewriter.notifyMatchFailure(op, "has no constant zero points");
    if (!sumsFitIntegers(op, lhsType, rhsType))
      return rewriter.notifyMatchFailure(op, "may wrap around");
    TensorType types[] = {withElementType(op->getOperand(0).getType(), lhsType),
                          withElementType(rhs, rhsType)};
    if (!findQuantizationObstacle(types[0]).empty() ||
        !findQuantizationObstacle(types[1]).empty())
      return rewriter.notifyMatchFailure(op, "has zero points that don't fit");
    SmallVector<Value> operands;
    for (auto [value, type] : llvm::zip(op->getOperands(), types))
      operands.push_back(castStored(rewriter, op.getLoc(), type, value));
    QuantizedType sum = QuantizationParameters{{1.0}, {0}}.getType(
        rewriter.getI32Type(), rewriter.getF32Type());
    SmallVector<NamedAttribute> attributes;
    for (NamedAttribute each : op->getAttrs())
      if (each.getName() != "operandSegmentSizes")
        attributes.push_back(each);
    auto product = Contraction::create(
        rewriter, op.getLoc(), TypeRange{withElementType(op.getType(), sum)},
        operands, attributes);
    rewriter.replaceOpWithNewOp<StorageCastOp>(op, op.getType(),
                                               product->getResult(0));
    return success();
  }

private:
  /// The zero point of an operand; null where it is absent.
  static Value getOperand(Integer op, unsigned number) {
    if constexpr (std::is_same_v<Contraction, ConvOp>)
      return number == 2 ? op.getXZeroPoint() : op.getWZeroPoint();
    else
      return number == 2 ? op.getAZeroPoint() : op.getBZeroPoint();
  }
};

//===----------------------------------------------------------------------===//
// Ops between casts
//===----------------------------------------------------------------------===//

/// The quantized tensor that `value` is the numbers of; null if it is none.
Value getSource(Value value) {
  auto cast = value.getDefiningOp<DequantizeCastOp>();
  return cast ? cast.getInput() : Value();
}

/// A sum of products of dequantized tensors takes the quantized ones.
struct QuantizeContraction : RewritePattern {
  QuantizeContraction(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isContraction(op) || !getSource(op->getOperand(0)) ||
        !getSource(op->getOperand(1)))
      return failure();
    rewriter.modifyOpInPlace(op, [&] {
      for (OpOperand &operand : op->getOpOperands())
        if (Value source = getSource(operand.get()))
          operand.set(source);
    });
    return success();
  }
};

/// What is computed of quantized numbers and then quantized is an op on
/// quantized tensors.
struct QuantizeResult : OpRewritePattern<QuantizeCastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeCastOp cast,
                                PatternRewriter &rewriter) const override {
    Operation *op = cast.getInput().getDefiningOp();
    if (!op || !isa<SignatureOpInterface>(op) || op->getNumResults() != 1 ||
        op->getNumRegions() != 0 || !isMemoryEffectFree(op) ||
        !cast.getInput().hasOneUse())
      return rewriter.notifyMatchFailure(cast, "isn't all that op is for");
    auto isQuantized = [](Value operand) {
      return getSource(operand) || getQuantized(operand);
    };
    if (llvm::none_of(op->getOperands(), isQuantized))
      return rewriter.notifyMatchFailure(cast, "is of nothing quantized");
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      Value source = getSource(operand);
      operands.push_back(source ? source : operand);
    }
    Operation *quantized = cloneWith(rewriter, op, operands, cast.getType());
    rewriter.replaceOp(cast, quantized->getResults());
    return success();
  }
};

/// What moves elements of dequantized tensors moves those of quantized ones.
struct MoveQuantized : RewritePattern {
  MoveQuantized(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 2, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!(movesElements(op) || isa<ReluOp>(op)) || op->getNumOperands() == 0)
      return failure();
    SmallVector<Value> operands(op->getOperands());
    QuantizedType type;
    for (OpOperand &operand : getMoved(op)) {
      Value source = getSource(operand.get());
      QuantizedType own = source ? getQuantized(source) : QuantizedType();
      if (!own || (type && own != type))
        return rewriter.notifyMatchFailure(op, "doesn't move quantized ones");
      type = own;
      operands[operand.getOperandNumber()] = source;
    }
    type = moveAxis(op, type);
    if (!type)
      return rewriter.notifyMatchFailure(op, "moves the scales' axis");
    if (isa<PadOp>(op))
      operands = withoutConstant(cast<PadOp>(op), operands);
    SmallVector<Type> types;
    for (Value result : op->getResults())
      types.push_back(withElementType(result.getType(), type));
    Operation *moved = create(rewriter, op, operands, types);
    SmallVector<Value> results;
    for (auto [result, value] :
         llvm::zip(op->getResults(), moved->getResults()))
      results.push_back(DequantizeCastOp::create(rewriter, op->getLoc(),
                                                 result.getType(), value));
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  /// The type of what `op` gives of a tensor of `type`; null where no type says
  /// it.
  static QuantizedType moveAxis(Operation *op, QuantizedType type) {
    std::optional<QuantizationParameters> parameters =
        QuantizationParameters::get(type);
    if (!parameters->axis)
      return type;
    auto transpose = dyn_cast<TransposeOp>(op);
    if (!transpose || parameters->blockSize != 0)
      return nullptr;
    int64_t rank =
        cast<RankedTensorType>(transpose.getData().getType()).getRank();
    for (int64_t dim = 0; dim < rank; ++dim) {
      int64_t from =
          transpose.getPerm() ? (*transpose.getPerm())[dim] : rank - 1 - dim;
      if (from == *parameters->axis) {
        parameters->axis = dim;
        return parameters->getType(getStorageType(type),
                                   cast<FloatType>(type.getExpressedType()));
      }
    }
    return nullptr;
  }

  /// The padding's number is 0, which is what it is by default.
  static SmallVector<Value> withoutConstant(PadOp op,
                                            ArrayRef<Value> operands) {
    SmallVector<Value> kept{operands[0], op.getPads()};
    if (op.getAxes())
      kept.push_back(op.getAxes());
    return kept;
  }

  static Operation *create(OpBuilder &builder, Operation *op,
                           ArrayRef<Value> operands, ArrayRef<Type> types) {
    auto pad = dyn_cast<PadOp>(op);
    if (!pad)
      return cloneWith(builder, op, operands, types);
    return PadOp::create(builder, op->getLoc(), types[0], operands[0],
                         operands[1], /*constant_value=*/Value(), pad.getAxes(),
                         pad.getModeAttr());
  }
};

/// Limits to a range, and what only moves elements, come after rounding.
struct QuantizeBefore : OpRewritePattern<QuantizeCastOp> {
  QuantizeBefore(MLIRContext *context)
      : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(QuantizeCastOp cast,
                                PatternRewriter &rewriter) const override {
    Operation *op = cast.getInput().getDefiningOp();
    if (!op || op->getNumResults() != 1 || !cast.getInput().hasOneUse() ||
        !isa<quant::UniformQuantizedType>(getQuantized(cast.getType())) ||
        !(limitsElements(op) || movesElements(op)) || takesFew(op))
      return rewriter.notifyMatchFailure(cast, "is of what needs all digits");
    SmallVector<Value> operands(op->getOperands());
    operands[0] = QuantizeCastOp::create(
        rewriter, cast.getLoc(),
        withElementType(operands[0].getType(), getQuantized(cast.getType())),
        operands[0]);
    Operation *moved = cloneWith(rewriter, op, operands, cast.getType());
    rewriter.replaceOp(cast, moved->getResults());
    return success();
  }

private:
  /// Whether `op` may take few of many elements, or takes several tensors.
  static bool takesFew(Operation *op) {
    return isa<ConcatOp, GatherOp, SliceOp, SplitOp>(op);
  }
};

/// A Relu of numbers of which the least one is 0.
struct DropRelu : OpRewritePattern<ReluOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReluOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast_if_present<quant::UniformQuantizedType>(
        getQuantized(op.getX()));
    if (!type || op.getX().getType() != op.getType() ||
        type.getZeroPoint() != type.getStorageTypeMin())
      return rewriter.notifyMatchFailure(op, "limits something");
    rewriter.replaceOp(op, op.getX());
    return success();
  }
};

struct QdqToQuant : omb::onnx::impl::QdqToQuantBase<QdqToQuant> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<
        QuantizeLinearToCast, DequantizeLinearToCast, QLinearConvToConv,
        QLinearMatMulToMatMul, IntegerToContraction<ConvIntegerOp, ConvOp>,
        IntegerToContraction<MatMulIntegerOp, MatMulOp>, QuantizeContraction,
        QuantizeResult, MoveQuantized, QuantizeBefore, DropRelu>(context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
