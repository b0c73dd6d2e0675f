//===- QuantizedOps.cpp - Which ops have a quantized form -----------------===//

#include "dialect/transforms/QuantizedOps.h"

#include "dialect/ir/ops/Activation.h"
#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Elementwise.h"
#include "dialect/ir/ops/Indexing.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/ir/ops/Pooling.h"
#include "dialect/ir/ops/Quantization.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::onnx;
using mlir::quant::QuantizedType;

bool omb::onnx::movesElements(Operation *op) {
  if (auto pad = dyn_cast<PadOp>(op))
    return !pad.getConstantValue() ||
           matchPattern(pad.getConstantValue(), m_AnyZeroFloat());
  if (auto pool = dyn_cast<MaxPoolOp>(op))
    return !pool.getIndices();
  return isa<ConcatOp, DepthToSpaceOp, ExpandOp, FlattenOp, GatherOp,
             IdentityOp, ReshapeOp, SliceOp, SpaceToDepthOp, SplitOp, SqueezeOp,
             TileOp, TransposeOp, UnsqueezeOp>(op);
}

MutableArrayRef<OpOperand> omb::onnx::getMoved(Operation *op) {
  return isa<ConcatOp>(op) ? op->getOpOperands()
                           : op->getOpOperands().take_front(1);
}

bool omb::onnx::limitsElements(Operation *op) {
  if (isa<ReluOp>(op))
    return true;
  auto clip = dyn_cast<ClipOp>(op);
  return clip && llvm::all_of(
                     ValueRange{clip.getMin(), clip.getMax()}, [](Value limit) {
                       APFloat number(0.0);
                       return !limit ||
                              (matchPattern(limit, m_ConstantFloat(&number)) &&
                               !number.isNaN());
                     });
}

bool omb::onnx::isContraction(Operation *op) {
  return isa<ConvOp, GemmOp, MatMulOp>(op);
}

/// The dimension of the second operand that becomes the result's channels;
/// nullopt where there is none.
static std::optional<int64_t> getChannelDim(Operation *op) {
  if (isa<ConvOp, ConvIntegerOp>(op))
    return 0;
  if (auto gemm = dyn_cast<GemmOp>(op))
    return gemm.getTransB() ? 0 : 1;
  int64_t rank = cast<RankedTensorType>(op->getOperand(1).getType()).getRank();
  return rank < 2 ? std::nullopt : std::optional(rank - 1);
}

/// How many products are summed up; dynamic where that isn't known.
static int64_t getSumLength(Operation *op) {
  auto rhs = cast<RankedTensorType>(op->getOperand(1).getType());
  int64_t length = 1;
  auto multiply = [&](int64_t size) {
    length = ShapedType::isDynamic(length) || ShapedType::isDynamic(size)
                 ? ShapedType::kDynamic
                 : length * size;
  };
  if (isa<ConvOp, ConvIntegerOp>(op)) {
    for (int64_t size : rhs.getShape().drop_front())
      multiply(size);
    return length;
  }
  if (auto gemm = dyn_cast<GemmOp>(op))
    return rhs.getDimSize(gemm.getTransB() ? 1 : 0);
  return rhs.getDimSize(rhs.getRank() < 2 ? 0 : rhs.getRank() - 2);
}

/// The largest magnitude of a stored integer less its zero point.
static double getReach(QuantizedType type,
                       const QuantizationParameters &parameters) {
  double reach = 0;
  for (int64_t zero : parameters.zeroPoints)
    reach = std::max({reach, double(type.getStorageTypeMax() - zero),
                      double(zero - type.getStorageTypeMin())});
  return reach;
}

/// Whether integers of `type` are sums of products of the operands': of 32 bits
/// and the product of their scales.
static bool isOfProducts(QuantizedType type, int64_t channelDim,
                         ArrayRef<QuantizationParameters> operands) {
  QuantizationParameters own = *QuantizationParameters::get(type);
  ArrayRef<double> scales = operands[1].scales;
  if (type.getStorageTypeIntegralWidth() != 32 || !type.isSigned() ||
      (own.axis && *own.axis != channelDim) ||
      !type.getExpressedType().isF32() || own.blockSize != 0 ||
      llvm::any_of(own.zeroPoints, [](int64_t zero) { return zero != 0; }))
    return false;
  auto get = [](ArrayRef<double> scales, size_t index) {
    return float(scales[scales.size() == 1 ? 0 : index]);
  };
  for (size_t index = 0; index < std::max(scales.size(), own.scales.size());
       ++index)
    if (get(own.scales, index) !=
        float(operands[0].scales[0]) * get(scales, index))
      return false;
  return true;
}

/// Whether a bias can be added to sums of integers, or to the numbers that they
/// stand for: of a known shape, and if it is quantized, of the product of the
/// operands' scales.
static bool isIntegerBias(Value bias, Operation *op,
                          ArrayRef<QuantizationParameters> operands) {
  auto type = dyn_cast<RankedTensorType>(bias.getType());
  if (!type || (isa<GemmOp>(op) && !type.hasStaticShape()))
    return false;
  QuantizedType quantized = getQuantized(type);
  return !quantized || isOfProducts(quantized, type.getRank() - 1, operands);
}

bool omb::onnx::sumsFitIntegers(Operation *op, QuantizedType lhs,
                                QuantizedType rhs) {
  for (QuantizedType type : {lhs, rhs})
    if (!type || type.getStorageTypeIntegralWidth() > 8 ||
        !type.getExpressedType().isF32())
      return false;
  QuantizationParameters input = *QuantizationParameters::get(lhs),
                         weights = *QuantizationParameters::get(rhs);
  if (input.axis || weights.blockSize != 0 ||
      (weights.axis && weights.axis != getChannelDim(op)))
    return false;
  int64_t length = getSumLength(op);
  return ShapedType::isDynamic(length) ||
         length * getReach(lhs, input) * getReach(rhs, weights) < 0x1p31;
}

/// Whether `op`, a contraction of operands with these parameters, can give a
/// result of this type.
static bool isIntegerResult(Operation *op, QuantizedType type,
                            ArrayRef<QuantizationParameters> operands) {
  if (type.getStorageTypeIntegralWidth() <= 16)
    return !QuantizationParameters::get(type)->axis;
  int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
  return isa<ConvOp, MatMulOp>(op) && op->getNumOperands() == 2 &&
         isOfProducts(type, isa<ConvOp>(op) ? 1 : rank - 1, operands);
}

bool omb::onnx::isIntegerContraction(Operation *op) {
  if (!isContraction(op) || op->getNumOperands() < 2)
    return false;
  for (Value operand : op->getOperands().take_front(2))
    if (!getQuantized(operand) || !isa<RankedTensorType>(operand.getType()))
      return false;
  QuantizedType lhs = getQuantized(op->getOperand(0)),
                rhs = getQuantized(op->getOperand(1));
  if (!isa<RankedTensorType>(op->getResult(0).getType()) ||
      !sumsFitIntegers(op, lhs, rhs))
    return false;
  QuantizationParameters parameters[] = {*QuantizationParameters::get(lhs),
                                         *QuantizationParameters::get(rhs)};
  QuantizedType result = getQuantized(op->getResult(0));
  if (result && !isIntegerResult(op, result, parameters))
    return false;
  if (auto gemm = dyn_cast<GemmOp>(op))
    if (gemm.getAlpha() != 1.0f || gemm.getBeta() != 1.0f)
      return false;
  return op->getNumOperands() == 2 ||
         isIntegerBias(op->getOperand(2), op, parameters);
}

bool omb::onnx::givesSums(Operation *op) {
  QuantizedType type = getQuantized(op->getResult(0));
  return type && type.getStorageTypeIntegralWidth() == 32 &&
         isIntegerContraction(op);
}

Operation *omb::onnx::cloneWith(OpBuilder &builder, Operation *op,
                                ValueRange operands, TypeRange results) {
  IRMapping map;
  Operation *copy = op->clone(map);
  copy->setOperands(operands);
  for (auto [result, type] : llvm::zip(copy->getResults(), results))
    result.setType(type);
  return builder.insert(copy);
}

int64_t omb::onnx::quantize(double number, quant::UniformQuantizedType type) {
  float quotient = float(number) / float(type.getScale());
  double stored = std::nearbyint(quotient) + double(type.getZeroPoint());
  return int64_t(std::clamp(stored, double(type.getStorageTypeMin()),
                            double(type.getStorageTypeMax())));
}
