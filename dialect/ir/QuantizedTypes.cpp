//===- QuantizedTypes.cpp - Tensors of !quant.uniform ---------------------===//

#include "dialect/ir/QuantizedTypes.h"

#include "dialect/ir/QuantCasts.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace omb::onnx;
using mlir::quant::QuantizedType;
using mlir::quant::UniformQuantizedPerAxisType;
using mlir::quant::UniformQuantizedSubChannelType;
using mlir::quant::UniformQuantizedType;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

QuantizedType omb::onnx::getQuantized(Type tensor) {
  auto type = dyn_cast<TensorType>(tensor);
  return type ? dyn_cast<QuantizedType>(type.getElementType())
              : QuantizedType();
}

IntegerType omb::onnx::getStorageType(QuantizedType type) {
  return IntegerType::get(type.getContext(), type.getStorageTypeIntegralWidth(),
                          type.isSigned() ? IntegerType::Signless
                                          : IntegerType::Unsigned);
}

TensorType omb::onnx::withElementType(Type tensor, Type element) {
  return cast<TensorType>(tensor).clone(element);
}

TensorType omb::onnx::getStored(Type tensor) {
  return withElementType(tensor, getStorageType(getQuantized(tensor)));
}

TensorType omb::onnx::getExpressed(Type tensor) {
  return withElementType(tensor, getQuantized(tensor).getExpressedType());
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

std::optional<QuantizationParameters>
QuantizationParameters::get(QuantizedType type) {
  QuantizationParameters found;
  if (auto uniform = dyn_cast<UniformQuantizedType>(type)) {
    found.scales.push_back(uniform.getScale());
    found.zeroPoints.push_back(uniform.getZeroPoint());
    return found;
  }
  if (auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(type)) {
    llvm::append_range(found.scales, perAxis.getScales());
    llvm::append_range(found.zeroPoints, perAxis.getZeroPoints());
    found.axis = perAxis.getQuantizedDimension();
    return found;
  }
  auto blocks = dyn_cast<UniformQuantizedSubChannelType>(type);
  if (!blocks)
    return std::nullopt;
  for (auto [axis, size] : blocks.getBlockSizeInfo()) {
    if (size == 1)
      continue;
    if (found.axis)
      return std::nullopt;
    found.axis = axis;
    found.blockSize = size;
  }
  if (!found.axis || int64_t(blocks.getQuantizedDimensions().size()) !=
                         blocks.getScales().getType().getRank())
    return std::nullopt;
  for (const APFloat &scale : blocks.getScales().getValues<APFloat>()) {
    APFloat wide = scale;
    bool losesInfo;
    wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
    found.scales.push_back(wide.convertToDouble());
  }
  for (const APInt &zero : blocks.getZeroPoints().getValues<APInt>())
    found.zeroPoints.push_back(type.isSigned() ? zero.getSExtValue()
                                               : zero.getZExtValue());
  llvm::append_range(found.shape, blocks.getScales().getType().getShape());
  return found;
}

QuantizedType QuantizationParameters::getType(IntegerType storage,
                                              FloatType expressed) const {
  MLIRContext *context = storage.getContext();
  bool isSigned = !storage.isUnsigned();
  unsigned flags = isSigned ? quant::QuantizationFlags::Signed : 0;
  auto stored = IntegerType::get(context, storage.getWidth());
  int64_t least =
      QuantizedType::getDefaultMinimumForInteger(isSigned, storage.getWidth());
  int64_t most =
      QuantizedType::getDefaultMaximumForInteger(isSigned, storage.getWidth());
  if (storage.getWidth() > QuantizedType::MaxStorageBits ||
      llvm::any_of(scales, [](double scale) {
        return !(scale > 0) || std::isinf(scale);
      }))
    return nullptr;
  // Upstream says why it doesn't take them; there is no error here.
  ScopedDiagnosticHandler silence(context,
                                  [](Diagnostic &) { return success(); });
  auto emitError = [&] { return mlir::emitError(UnknownLoc::get(context)); };
  if (!axis)
    return UniformQuantizedType::getChecked(emitError, flags, stored, expressed,
                                            scales[0], zeroPoints[0], least,
                                            most);
  if (blockSize == 0)
    return UniformQuantizedPerAxisType::getChecked(
        emitError, flags, stored, expressed, scales, zeroPoints, *axis, least,
        most);
  SmallVector<int32_t> dims;
  SmallVector<int64_t> sizes(shape.size(), 1);
  sizes[*axis] = blockSize;
  SmallVector<APFloat> scaleValues;
  for (double scale : scales) {
    APFloat value(scale);
    bool losesInfo;
    value.convert(expressed.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    scaleValues.push_back(value);
  }
  SmallVector<APInt> zeroValues;
  for (int64_t zero : zeroPoints)
    zeroValues.emplace_back(storage.getWidth(), zero, isSigned,
                            /*implicitTrunc=*/true);
  for (size_t dim = 0; dim < shape.size(); ++dim)
    dims.push_back(dim);
  return UniformQuantizedSubChannelType::getChecked(
      emitError, flags, stored, expressed,
      DenseElementsAttr::get(RankedTensorType::get(shape, expressed),
                             scaleValues),
      DenseElementsAttr::get(RankedTensorType::get(shape, stored), zeroValues),
      dims, sizes, least, most);
}

ZeroPoints::ZeroPoints(RankedTensorType type) {
  auto parameters = *QuantizationParameters::get(getQuantized(type));
  points = parameters.zeroPoints;
  if (!parameters.axis)
    return;
  size = type.getDimSize(*parameters.axis);
  stride = ShapedType::getNumElements(
      type.getShape().drop_front(*parameters.axis + 1));
}

std::string omb::onnx::findQuantizationObstacle(Type tensor) {
  QuantizedType type = getQuantized(tensor);
  if (!type)
    return {};
  unsigned width = type.getStorageTypeIntegralWidth();
  if (!llvm::is_contained({2u, 4u, 8u, 16u, 32u}, width))
    return "stores integers of " + std::to_string(width) +
           " bits, which no element type of ONNX has";
  if (type.hasStorageTypeBounds())
    return "stores a part of its integers' range";
  Type expressed = type.getExpressedType();
  if (!expressed ||
      !(expressed.isF32() || expressed.isF16() || expressed.isBF16()))
    return "expresses numbers other than f32, f16 and bf16";
  std::optional<QuantizationParameters> parameters =
      QuantizationParameters::get(type);
  if (!parameters)
    return "is neither uniform, nor uniform along one axis";
  if (!parameters->axis)
    return {};
  auto ranked = dyn_cast<RankedTensorType>(tensor);
  if (!ranked)
    return "has an axis, but the tensor no known rank";
  int64_t axis = *parameters->axis;
  if (axis >= ranked.getRank())
    return "has axis " + std::to_string(axis) + " for a tensor of rank " +
           std::to_string(ranked.getRank());
  auto misfit = [&](int64_t dim, int64_t given, int64_t size) {
    return "has " + std::to_string(given) + " scales along dimension " +
           std::to_string(dim) + " of size " + std::to_string(size);
  };
  auto fits = [](int64_t given, int64_t size) {
    return ShapedType::isDynamic(size) || given == size;
  };
  if (parameters->blockSize == 0) {
    int64_t size = ranked.getDimSize(axis);
    int64_t given = parameters->scales.size();
    return fits(given, size) ? std::string() : misfit(axis, given, size);
  }
  if (int64_t(parameters->shape.size()) != ranked.getRank())
    return "has blocks of another rank than the tensor's";
  for (auto [dim, given] : llvm::enumerate(parameters->shape)) {
    int64_t blocks = given;
    if (int64_t(dim) == axis)
      blocks *= parameters->blockSize;
    if (!fits(blocks, ranked.getDimSize(dim)))
      return misfit(dim, given, ranked.getDimSize(dim));
  }
  return {};
}

bool omb::onnx::isExact(QuantizedType type) {
  auto expressed = cast<FloatType>(type.getExpressedType());
  const llvm::fltSemantics &semantics = expressed.getFloatSemantics();
  unsigned width = type.getStorageTypeIntegralWidth();
  // A product and a quotient are rounded, each by half a unit of the last place
  // of a number of up to `width` + 1 bits.
  if (width + 3 > expressed.getFPMantissaWidth())
    return false;
  std::optional<QuantizationParameters> parameters =
      QuantizationParameters::get(type);
  double least =
      std::ldexp(1.0, llvm::APFloat::semanticsMinExponent(semantics));
  double most = std::ldexp(1.0, llvm::APFloat::semanticsMaxExponent(semantics) -
                                    int(width) - 1);
  return parameters && llvm::all_of(parameters->scales, [&](double scale) {
           return scale >= least && scale <= most;
         });
}

//===----------------------------------------------------------------------===//
// Casts
//===----------------------------------------------------------------------===//

/// Checks that `tensor` is well-formed, and is quantized if `isQuantized`.
static LogicalResult verifyTensor(Operation *op, StringRef what, Type tensor,
                                  bool isQuantized) {
  if (bool(getQuantized(tensor)) != isQuantized)
    return op->emitOpError("has ")
           << (isQuantized ? "no quantized " : "a quantized ") << what;
  std::string obstacle = findQuantizationObstacle(tensor);
  if (!obstacle.empty())
    return op->emitOpError("has ")
           << what << " of type " << tensor << ", which " << obstacle;
  return success();
}

static LogicalResult verifyElements(Operation *op, Type expected, Type found) {
  if (expected == found)
    return success();
  return op->emitOpError("has elements of ")
         << cast<TensorType>(found).getElementType() << " where the quantized "
         << "type has " << cast<TensorType>(expected).getElementType();
}

LogicalResult QuantizeCastOp::verify() {
  if (failed(verifyTensor(*this, "result", getType(), true)) ||
      failed(verifyTensor(*this, "operand", getInput().getType(), false)))
    return failure();
  return verifyElements(
      *this,
      withElementType(getInput().getType(),
                      getQuantized(getType()).getExpressedType()),
      getInput().getType());
}

LogicalResult DequantizeCastOp::verify() {
  if (failed(verifyTensor(*this, "operand", getInput().getType(), true)) ||
      failed(verifyTensor(*this, "result", getType(), false)))
    return failure();
  return verifyElements(
      *this,
      withElementType(getType(), getQuantized(getInput()).getExpressedType()),
      getType());
}

LogicalResult StorageCastOp::verify() {
  bool quantizes = bool(getQuantized(getType()));
  if (failed(
          verifyTensor(*this, "operand", getInput().getType(), !quantizes)) ||
      failed(verifyTensor(*this, "result", getType(), quantizes)))
    return failure();
  QuantizedType type =
      getQuantized(quantizes ? Value(getResult()) : getInput());
  Type stored = quantizes ? getInput().getType() : getType();
  return verifyElements(*this, withElementType(stored, getStorageType(type)),
                        stored);
}

OpFoldResult QuantizeCastOp::fold(FoldAdaptor) {
  auto source = getInput().getDefiningOp<DequantizeCastOp>();
  if (source && source.getInput().getType() == getType() &&
      isExact(getQuantized(getType())))
    return source.getInput();
  return {};
}

OpFoldResult StorageCastOp::fold(FoldAdaptor) {
  auto source = getInput().getDefiningOp<StorageCastOp>();
  return source && source.getInput().getType() == getType() ? source.getInput()
                                                            : Value();
}
