//===- Windows.cpp - What convolutions and poolings slide -----------------===//

#include "dialect/shape/Windows.h"

#include "dialect/shape/SizePolynomial.h"

#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace omb::onnx;

FailureOr<SmallVector<int64_t>>
omb::onnx::getSpatialAttribute(Operation *op, StringRef name, int64_t count,
                               int64_t minimum, int64_t fallback) {
  auto attribute = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!attribute)
    return SmallVector<int64_t>(count, fallback);
  if (attribute.size() != count)
    return op->emitOpError("takes ")
           << count << " " << name << ", not " << attribute.size();
  for (int64_t number : attribute.asArrayRef()) {
    // Larger numbers have no use, and their products might not fit.
    if (number < minimum || number > std::numeric_limits<int32_t>::max())
      return op->emitOpError("has ")
             << number << " in " << name << ", which is out of range";
  }
  return SmallVector<int64_t>(attribute.asArrayRef());
}

static FailureOr<AutoPad> getAutoPad(Operation *op) {
  auto attribute = op->getAttrOfType<StringAttr>("auto_pad");
  StringRef name = attribute ? attribute.getValue() : "NOTSET";
  if (name == "NOTSET" || name.empty())
    return AutoPad::NotSet;
  if (name == "VALID")
    return AutoPad::Valid;
  if (name == "SAME_UPPER")
    return AutoPad::SameUpper;
  if (name == "SAME_LOWER")
    return AutoPad::SameLower;
  return op->emitOpError("has the unknown auto_pad '") << name << "'";
}

FailureOr<WindowAttributes> omb::onnx::getWindowAttributes(Operation *op,
                                                           int64_t rank) {
  WindowAttributes windows;
  FailureOr<AutoPad> autoPad = getAutoPad(op);
  auto strides = getSpatialAttribute(op, "strides", rank, 1, 1);
  auto dilations = getSpatialAttribute(op, "dilations", rank, 1, 1);
  auto pads = getSpatialAttribute(op, "pads", 2 * rank, 0, 0);
  auto kernel = getSpatialAttribute(op, "kernel_shape", rank, 1, 0);
  if (failed(autoPad) || failed(strides) || failed(dilations) || failed(pads) ||
      failed(kernel))
    return failure();
  windows.autoPad = *autoPad;
  windows.strides = *strides;
  windows.dilations = *dilations;
  if (op->hasAttr("kernel_shape"))
    windows.kernel = *kernel;
  if (windows.autoPad != AutoPad::NotSet)
    pads->assign(2 * rank, 0);
  windows.padsLow.assign(pads->begin(), pads->begin() + rank);
  windows.padsHigh.assign(pads->begin() + rank, pads->end());
  auto ceilMode = op->getAttrOfType<IntegerAttr>("ceil_mode");
  // Without padding to speak of, ONNX defines no windows beyond the end.
  windows.ceilMode =
      ceilMode && ceilMode.getInt() != 0 && windows.autoPad == AutoPad::NotSet;
  return windows;
}

DimExpr omb::onnx::getExtent(DimExpr kernel, int64_t dilation) {
  return (kernel - 1) * dilation + 1;
}

/// `dividend floordiv stride` with the smallest constant in the dividend, so
/// that equal sizes are equal expressions: (h - 1) floordiv 2 + 1 and
/// (h + 1) floordiv 2.
static DimExpr divideByStride(DimExpr dividend, int64_t stride) {
  dividend = normalizeSize(dividend);
  if (stride == 1)
    return dividend;
  auto sum = dyn_cast<AffineBinaryOpExpr>(dividend);
  std::optional<int64_t> constant;
  if (sum && sum.getKind() == AffineExprKind::Add)
    constant = getConstantSize(sum.getRHS());
  if (!constant)
    return dividend.floorDiv(stride);
  int64_t whole = llvm::divideFloorSigned(*constant, stride);
  return normalizeSize(
      (sum.getLHS() + (*constant - whole * stride)).floorDiv(stride) + whole);
}

/// The number of windows in one dimension.
static DimExpr countWindows(const WindowAttributes &windows, int64_t dim,
                            DimExpr input, DimExpr extent) {
  int64_t stride = windows.strides[dim];
  if (windows.isSame())
    return divideByStride(input + (stride - 1), stride);
  DimExpr low = input + windows.padsLow[dim];
  int64_t high = windows.padsHigh[dim];
  // As many as fit; one more with ceil_mode, if it starts before the padding
  // at the end.
  std::optional<int64_t> size = getConstantSize(extent);
  if (windows.ceilMode && size)
    return divideByStride(low + std::min<int64_t>(high - *size + stride, 0) +
                              (stride - 1),
                          stride);
  return divideByStride(low + high - extent + stride, stride);
}

FailureOr<Shape> omb::onnx::countWindows(Operation *op,
                                         const WindowAttributes &windows,
                                         ArrayRef<DimExpr> input,
                                         ArrayRef<DimExpr> kernel,
                                         const ShapeAnalysis &analysis) {
  Shape counts;
  for (int64_t dim = 0; dim < windows.getRank(); ++dim) {
    DimExpr extent =
        normalizeSize(getExtent(kernel[dim], windows.dilations[dim]));
    DimExpr count = ::countWindows(windows, dim, input[dim], extent);
    if (getConstantSize(count).value_or(1) < 1 && !windows.isSame())
      return op->emitOpError("has no room for a window of ")
             << analysis.getName(extent) << " in spatial dimension " << dim
             << ", which is "
             << analysis.getName(input[dim] + windows.padsLow[dim] +
                                 windows.padsHigh[dim])
             << " with its padding";
    counts.push_back(count);
  }
  return counts;
}
