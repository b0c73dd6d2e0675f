//===- QuantToQdq.cpp - onnx-quant-to-qdq ---------------------------------===//

#include "dialect/ir/Constants.h"
#include "dialect/ir/QuantCasts.h"
#include "dialect/ir/ops/Activation.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Elementwise.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/ir/ops/Pooling.h"
#include "dialect/ir/ops/Quantization.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/QuantizedOps.h"
#include "dialect/transforms/SparseConstants.h"

#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace omb::onnx;
using mlir::quant::QuantizedType;
using mlir::quant::UniformQuantizedType;

namespace omb::onnx {
#define GEN_PASS_DEF_QUANTTOQDQ
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

//===----------------------------------------------------------------------===//
// Parameters as tensors
//===----------------------------------------------------------------------===//

namespace {

/// The operands and attributes with which QuantizeLinear and DequantizeLinear
/// mean a quantized type.
struct LinearParameters {
  Value scale, zeroPoint;
  IntegerAttr axis, blockSize;

  static LinearParameters create(OpBuilder &builder, Location loc,
                                 QuantizedType type) {
    std::optional<QuantizationParameters> parameters =
        QuantizationParameters::get(type);
    SmallVector<int64_t> shape(parameters->shape);
    if (parameters->axis && parameters->blockSize == 0)
      shape.push_back(parameters->scales.size());
    auto expressed = cast<FloatType>(type.getExpressedType());
    SmallVector<APFloat> scales;
    for (double scale : parameters->scales) {
      APFloat &value = scales.emplace_back(scale);
      bool losesInfo;
      value.convert(expressed.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                    &losesInfo);
    }
    IntegerType storage = getStorageType(type);
    SmallVector<APInt> zeros;
    for (int64_t zero : parameters->zeroPoints)
      zeros.emplace_back(storage.getWidth(), zero, type.isSigned(),
                         /*implicitTrunc=*/true);
    LinearParameters created;
    created.scale =
        createConstant(builder, loc,
                       ElementsAttr(DenseElementsAttr::get(
                           RankedTensorType::get(shape, expressed), scales)));
    created.zeroPoint =
        createConstant(builder, loc,
                       ElementsAttr(DenseElementsAttr::get(
                           RankedTensorType::get(shape, storage), zeros)));
    created.axis = builder.getI64IntegerAttr(parameters->axis.value_or(1));
    created.blockSize = builder.getI64IntegerAttr(parameters->blockSize);
    return created;
  }
};

/// Casts as the ops of the standard.
struct QuantizeCastToLinear : OpRewritePattern<QuantizeCastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeCastOp op,
                                PatternRewriter &rewriter) const override {
    auto parameters = LinearParameters::create(rewriter, op.getLoc(),
                                               getQuantized(op.getType()));
    SmallVector<NamedAttribute> attributes{
        rewriter.getNamedAttr("axis", parameters.axis),
        rewriter.getNamedAttr("block_size", parameters.blockSize)};
    Value stored = QuantizeLinearOp::create(
        rewriter, op.getLoc(), TypeRange{getStored(op.getType())},
        ValueRange{op.getInput(), parameters.scale, parameters.zeroPoint},
        attributes);
    rewriter.replaceOpWithNewOp<StorageCastOp>(op, op.getType(), stored);
    return success();
  }
};

struct DequantizeCastToLinear : OpRewritePattern<DequantizeCastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DequantizeCastOp op,
                                PatternRewriter &rewriter) const override {
    Value stored = StorageCastOp::create(rewriter, op.getLoc(),
                                         getStored(op.getInput().getType()),
                                         op.getInput());
    auto parameters = LinearParameters::create(rewriter, op.getLoc(),
                                               getQuantized(op.getInput()));
    SmallVector<NamedAttribute> attributes{
        rewriter.getNamedAttr("axis", parameters.axis),
        rewriter.getNamedAttr("block_size", parameters.blockSize)};
    rewriter.replaceOpWithNewOp<DequantizeLinearOp>(
        op, TypeRange{op.getType()},
        ValueRange{stored, parameters.scale, parameters.zeroPoint}, attributes);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Ops on quantized tensors
//===----------------------------------------------------------------------===//

bool hasQuantized(Operation *op) {
  auto isOne = [](Value value) { return bool(getQuantized(value)); };
  return llvm::any_of(op->getOperands(), isOne) ||
         llvm::any_of(op->getResults(), isOne);
}

/// The type that all elements have which `op` moves or limits; null where they
/// don't have one, or the op doesn't take the stored integers.
UniformQuantizedType getStoredType(Operation *op) {
  if (!(movesElements(op) || limitsElements(op)))
    return nullptr;
  auto type = dyn_cast_if_present<UniformQuantizedType>(
      getQuantized(op->getOperand(0)));
  auto isSame = [&](Value value) { return getQuantized(value) == type; };
  if (!type || !llvm::all_of(op->getResults(), isSame) ||
      !llvm::all_of(getMoved(op),
                    [&](OpOperand &each) { return isSame(each.get()); }))
    return nullptr;
  unsigned width = type.getStorageTypeIntegralWidth();
  if (isa<MaxPoolOp>(op))
    return width == 8 ? type : nullptr;
  if (isa<FlattenOp, IdentityOp, ReshapeOp, SqueezeOp, TransposeOp,
          UnsqueezeOp>(op))
    return type;
  return width >= 8 ? type : nullptr;
}

/// What moves or limits elements does so with the stored integers.
struct UseStored : OpInterfaceRewritePattern<SignatureOpInterface> {
  UseStored(MLIRContext *context)
      : OpInterfaceRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(SignatureOpInterface op,
                                PatternRewriter &rewriter) const override {
    UniformQuantizedType type = getStoredType(op);
    if (!type)
      return rewriter.notifyMatchFailure(op, "computes more of the elements");
    Location loc = op->getLoc();
    SmallVector<Value> operands(op->getOperands());
    for (OpOperand &operand : getMoved(op))
      operands[operand.getOperandNumber()] = StorageCastOp::create(
          rewriter, loc, getStored(operand.get().getType()), operand.get());
    SmallVector<Type> types;
    for (Value result : op->getResults())
      types.push_back(getStored(result.getType()));
    Operation *stored = create(rewriter, op, type, operands, types);
    SmallVector<Value> results;
    for (auto [result, value] :
         llvm::zip(op->getResults(), stored->getResults()))
      results.push_back(
          StorageCastOp::create(rewriter, loc, result.getType(), value));
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  static Value createInteger(OpBuilder &builder, Location loc,
                             UniformQuantizedType type, int64_t value) {
    IntegerType storage = getStorageType(type);
    APInt bits(storage.getWidth(), value, type.isSigned(),
               /*implicitTrunc=*/true);
    return createConstant(builder, loc,
                          ElementsAttr(DenseElementsAttr::get(
                              RankedTensorType::get({}, storage), bits)));
  }

  static Operation *create(OpBuilder &builder, Operation *op,
                           UniformQuantizedType type,
                           SmallVector<Value> operands, ArrayRef<Type> types) {
    Location loc = op->getLoc();
    if (isa<ReluOp>(op))
      return MaxOp::create(
          builder, loc, types,
          ValueRange{operands[0],
                     createInteger(builder, loc, type, type.getZeroPoint())},
          ArrayRef<NamedAttribute>());
    if (auto clip = dyn_cast<ClipOp>(op)) {
      auto limit = [&](Value number) -> Value {
        APFloat value(0.0);
        if (!number || !matchPattern(number, m_ConstantFloat(&value)))
          return nullptr;
        bool losesInfo;
        value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                      &losesInfo);
        return createInteger(builder, loc, type,
                             quantize(value.convertToDouble(), type));
      };
      return ClipOp::create(builder, loc, types[0], operands[0],
                            limit(clip.getMin()), limit(clip.getMax()));
    }
    if (auto pad = dyn_cast<PadOp>(op))
      return PadOp::create(
          builder, loc, types[0], operands[0], pad.getPads(),
          createInteger(builder, loc, type, type.getZeroPoint()), pad.getAxes(),
          pad.getModeAttr());
    return cloneWith(builder, op, operands, types);
  }
};

/// Whether `op` is a product with sparse weights of bytes that has a lowering.
/// What isn't lowered was made dense before.
bool hasSparseBytes(Operation *op) {
  return isa<MatMulOp, GemmOp>(op) && getQuantized(op->getOperand(1)) &&
         isLoweredSparse(op->getOpOperand(1));
}

/// Any other op computes with the numbers.
struct UseExpressed : OpInterfaceRewritePattern<SignatureOpInterface> {
  UseExpressed(MLIRContext *context, bool keepsContractions)
      : OpInterfaceRewritePattern(context),
        keepsContractions(keepsContractions) {}

  LogicalResult matchAndRewrite(SignatureOpInterface op,
                                PatternRewriter &rewriter) const override {
    bool isSparse = hasSparseBytes(op);
    if (!hasQuantized(op) || isa<ConstantOp>(op) ||
        (keepsContractions && !isSparse && isIntegerContraction(op)))
      return rewriter.notifyMatchFailure(op, "stays as it is");
    // Sparse weights, and bytes that are multiplied with them, stay.
    auto stays = [&](OpOperand &operand) {
      return isSparse && (operand.getOperandNumber() == 1 ||
                          (operand.getOperandNumber() == 0 &&
                           hasOneByteScale(operand.get())));
    };
    auto isOther = [&](OpOperand &operand) {
      return getQuantized(operand.get()) && !stays(operand);
    };
    if (llvm::none_of(op->getOpOperands(), isOther) &&
        !llvm::any_of(op->getResults(),
                      [](Value result) { return bool(getQuantized(result)); }))
      return rewriter.notifyMatchFailure(op, "has sparse weights only");
    Location loc = op->getLoc();
    SmallVector<Value> operands;
    for (OpOperand &each : op->getOpOperands()) {
      Value operand = each.get();
      operands.push_back(
          isOther(each)
              ? DequantizeCastOp::create(
                    rewriter, loc, getExpressed(operand.getType()), operand)
                    .getResult()
              : operand);
    }
    SmallVector<Type> types;
    for (Value result : op->getResults())
      types.push_back(getQuantized(result) ? getExpressed(result.getType())
                                           : result.getType());
    Operation *expressed = cloneWith(rewriter, op, operands, types);
    SmallVector<Value> results;
    for (auto [result, value] :
         llvm::zip(op->getResults(), expressed->getResults()))
      results.push_back(
          getQuantized(result)
              ? QuantizeCastOp::create(rewriter, loc, result.getType(), value)
                    .getResult()
              : Value(value));
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  /// Whether `value` is of bytes with one scale for all.
  static bool hasOneByteScale(Value value) {
    auto type = dyn_cast_if_present<UniformQuantizedType>(getQuantized(value));
    return type && type.getStorageTypeIntegralWidth() == 8;
  }

  bool keepsContractions;
};

/// What gives integers that it sums up is ConvInteger or MatMulInteger.
struct UseIntegers : OpInterfaceRewritePattern<SignatureOpInterface> {
  UseIntegers(MLIRContext *context)
      : OpInterfaceRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(SignatureOpInterface op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 1 || !givesSums(op))
      return rewriter.notifyMatchFailure(op, "gives no sums of integers");
    Location loc = op->getLoc();
    SmallVector<Value> operands, zeros;
    for (Value operand : op->getOperands()) {
      operands.push_back(StorageCastOp::create(
          rewriter, loc, getStored(operand.getType()), operand));
      zeros.push_back(createZeroPoint(rewriter, loc, getQuantized(operand)));
    }
    operands.append(zeros);
    Type type = getStored(op->getResult(0).getType());
    SmallVector<NamedAttribute> attributes(op->getAttrs());
    attributes.push_back(rewriter.getNamedAttr(
        "operandSegmentSizes", rewriter.getDenseI32ArrayAttr({1, 1, 1, 1})));
    Value sums;
    if (isa<ConvOp>(op))
      sums = ConvIntegerOp::create(rewriter, loc, TypeRange{type}, operands,
                                   attributes);
    else
      sums = MatMulIntegerOp::create(rewriter, loc, TypeRange{type}, operands,
                                     attributes);
    rewriter.replaceOpWithNewOp<StorageCastOp>(op, op->getResult(0).getType(),
                                               sums);
    return success();
  }

private:
  static Value createZeroPoint(OpBuilder &builder, Location loc,
                               QuantizedType type) {
    std::optional<QuantizationParameters> parameters =
        QuantizationParameters::get(type);
    IntegerType storage = getStorageType(type);
    SmallVector<APInt> zeros;
    for (int64_t zero : parameters->zeroPoints)
      zeros.emplace_back(storage.getWidth(), zero, type.isSigned(),
                         /*implicitTrunc=*/true);
    SmallVector<int64_t> shape;
    if (parameters->axis)
      shape.push_back(int64_t(zeros.size()));
    return createConstant(builder, loc,
                          ElementsAttr(DenseElementsAttr::get(
                              RankedTensorType::get(shape, storage), zeros)));
  }
};

struct QuantToQdq : omb::onnx::impl::QuantToQdqBase<QuantToQdq> {
  using QuantToQdqBase::QuantToQdqBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    // There are no ops of the standard with sparse weights of a quantized type.
    SmallVector<ConstantOp> sparse;
    getOperation().walk([&](ConstantOp op) {
      if (getQuantized(op.getType()))
        sparse.push_back(op);
    });
    for (ConstantOp op : sparse)
      densify(op);
    // First the ops, then the casts between them, which then may meet.
    RewritePatternSet ops(context), casts(context);
    ops.add<UseStored>(context);
    if (!keepContractions)
      ops.add<UseIntegers>(context);
    ops.add<UseExpressed>(context, keepContractions);
    casts.add<QuantizeCastToLinear, DequantizeCastToLinear>(context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(ops))) ||
        failed(applyPatternsGreedily(getOperation(), std::move(casts))))
      signalPassFailure();
  }

private:
  /// Gives `op`'s users a dense constant, but for products that are kept.
  void densify(ConstantOp op) {
    auto needsDense = [&](OpOperand &use) {
      return !keepContractions || !isLoweredSparse(use);
    };
    OpBuilder builder(op);
    if (llvm::any_of(op->getUses(), needsDense))
      op.getResult().replaceUsesWithIf(createDense(builder, op), needsDense);
  }
};

} // namespace
