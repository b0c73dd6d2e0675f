//===- Resize.cpp - Shapes of what is sampled at other points -------------===//

#include "dialect/ir/ops/Resize.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/Keywords.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

#include "mlir/IR/Matchers.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace omb::onnx;

/// The numbers of a constant float tensor.
static std::optional<SmallVector<float>> getFloats(Value value) {
  DenseFPElementsAttr elements;
  if (!value || !matchPattern(value, m_Constant(&elements)) ||
      !elements.getElementType().isF32())
    return std::nullopt;
  return llvm::to_vector(elements.getValues<float>());
}

/// The number of elements of an operand; nullopt where it is absent or the
/// number unknown.
static std::optional<int64_t> getLength(Value value, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = value ? analysis.getShape(value) : std::nullopt;
  if (!shape || shape->size() != 1)
    return std::nullopt;
  return getConstantSize(shape->front());
}

/// `size` scaled, as f32 computes it.
static DimExpr scaleSize(DimExpr size, float scale, ShapeAnalysis &analysis) {
  if (std::optional<int64_t> constant = getConstantSize(size)) {
    float scaled = std::floor(static_cast<float>(*constant) * scale);
    return scaled < 9e18f ? analysis.getConstant(static_cast<int64_t>(scaled))
                          : analysis.getUnknown();
  }
  if (scale == std::floor(scale) && scale < 0x1p24f)
    return normalizeSize(size * static_cast<int64_t>(scale));
  float inverse = 1 / scale;
  if (inverse < 0x1p24f && std::exp2(std::round(std::log2(scale))) == scale)
    return size.floorDiv(static_cast<int64_t>(inverse));
  return analysis.getUnknown();
}

static LogicalResult checkScales(Operation *op, ArrayRef<float> scales,
                                 size_t count) {
  if (scales.size() != count)
    return op->emitOpError("has ")
           << scales.size() << " scales for " << count << " axes";
  for (float scale : scales)
    if (!(scale > 0) || std::isinf(scale))
      return op->emitOpError("has a scale of ") << scale;
  return success();
}

/// Whether the product of two such sizes can be calculated with.
static bool isShort(int64_t size) {
  return size <= std::numeric_limits<int32_t>::max() / 2;
}

/// The sizes that keep the input's aspect ratio.
static void setKeptRatio(ResizeOp op, ArrayRef<int64_t> axes, Shape &result,
                         ShapeAnalysis &analysis) {
  bool isMin = op.getKeepAspectRatioPolicy() == "not_larger";
  std::optional<SmallVector<int64_t>> sizes =
      analysis.getIntegers(op.getSizes());
  // The common scale is the fraction of two sizes.
  int64_t numerator = 0, denominator = 0;
  bool isKnown = sizes.has_value();
  for (auto [index, axis] : llvm::enumerate(axes)) {
    int64_t from = getConstantSize(result[axis]).value_or(0);
    isKnown = isKnown && isShort(from) && from > 0 && isShort((*sizes)[index]);
    if (!isKnown)
      break;
    int64_t own = (*sizes)[index] * denominator;
    int64_t common = numerator * from;
    if (index == 0 || (isMin ? own < common : common < own)) {
      numerator = (*sizes)[index];
      denominator = from;
    }
  }
  for (int64_t axis : axes) {
    if (!isKnown) {
      result[axis] = analysis.getUnknown();
      continue;
    }
    int64_t scaled = *getConstantSize(result[axis]) * numerator;
    result[axis] =
        analysis.getConstant((2 * scaled + denominator) / (2 * denominator));
  }
}

/// Replaces the dimensions `axes` of `result` by the operand `sizes`.
static LogicalResult setSizes(ResizeOp op, ArrayRef<int64_t> axes,
                              Shape &result, ShapeAnalysis &analysis) {
  std::optional<Shape> sizes = analysis.getContents(op.getSizes());
  if (sizes && sizes->size() != axes.size())
    return op.emitOpError("has ")
           << sizes->size() << " sizes for " << axes.size() << " axes";
  if (sizes)
    for (DimExpr size : *sizes)
      if (getConstantSize(size).value_or(0) < 0)
        return op.emitOpError("has a size of ") << *getConstantSize(size);
  if (op.getKeepAspectRatioPolicy() != "stretch") {
    setKeptRatio(op, axes, result, analysis);
    return success();
  }
  for (auto [index, axis] : llvm::enumerate(axes))
    result[axis] = sizes && isNonNegative((*sizes)[index], analysis)
                       ? (*sizes)[index]
                       : analysis.getUnknown();
  return success();
}

static LogicalResult checkAttributes(ResizeOp op) {
  if (failed(checkKeyword(op, "mode", op.getMode(),
                          {"nearest", "linear", "cubic"})) ||
      failed(checkKeyword(
          op, "nearest_mode", op.getNearestMode(),
          {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})) ||
      failed(checkKeyword(op, "coordinate_transformation_mode",
                          op.getCoordinateTransformationMode(),
                          {"half_pixel", "half_pixel_symmetric",
                           "pytorch_half_pixel", "align_corners", "asymmetric",
                           "tf_crop_and_resize"})) ||
      failed(checkKeyword(op, "keep_aspect_ratio_policy",
                          op.getKeepAspectRatioPolicy(),
                          {"stretch", "not_larger", "not_smaller"})))
    return failure();
  bool isCropped = op.getCoordinateTransformationMode() == "tf_crop_and_resize";
  if (isCropped && !op.getRoi())
    return op.emitOpError("has no roi, which tf_crop_and_resize needs");
  if (op.getAntialias() != 0 && op.getMode() == "nearest")
    return op.emitOpError("has antialias, which 'nearest' has no use for");
  return success();
}

static LogicalResult inferResize(ResizeOp op, ShapeAnalysis &analysis) {
  if (failed(checkAttributes(op)))
    return failure();
  std::optional<Shape> input = analysis.getShape(op.getX());
  if (!input)
    return success();
  SmallVector<int64_t> all = llvm::to_vector(
      llvm::seq<int64_t>(0, static_cast<int64_t>(input->size())));
  FailureOr<SmallVector<int64_t>> axes = normalizeAxes(
      op, op.getAxes().value_or(ArrayRef<int64_t>(all)), input->size());
  if (failed(axes))
    return failure();
  // Older models pass an empty tensor where the operand isn't meant.
  bool hasScales = op.getScales() && getLength(op.getScales(), analysis) != 0;
  bool hasSizes = op.getSizes() && getLength(op.getSizes(), analysis) != 0;
  if (hasScales == hasSizes && !axes->empty())
    return op.emitOpError("needs either scales or sizes");
  Shape result = *input;
  if (hasSizes) {
    if (failed(setSizes(op, *axes, result, analysis)))
      return failure();
    return analysis.setShape(op.getY(), result);
  }
  std::optional<SmallVector<float>> scales = getFloats(op.getScales());
  if (scales && failed(checkScales(op, *scales, axes->size())))
    return failure();
  for (auto [index, axis] : llvm::enumerate(*axes))
    result[axis] = scales ? scaleSize(result[axis], (*scales)[index], analysis)
                          : analysis.getUnknown();
  return analysis.setShape(op.getY(), result);
}

static LogicalResult inferUpsample(UpsampleOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> result = analysis.getShape(op.getX());
  if (!result)
    return success();
  std::optional<SmallVector<float>> scales = getFloats(op.getScales());
  if (scales && failed(checkScales(op, *scales, result->size())))
    return failure();
  for (auto [index, dim] : llvm::enumerate(*result))
    dim = scales ? scaleSize(dim, (*scales)[index], analysis)
                 : analysis.getUnknown();
  return analysis.setShape(op.getY(), *result);
}

//===----------------------------------------------------------------------===//
// Grids
//===----------------------------------------------------------------------===//

/// The same size, which two operands give; fails with a diagnostic where they
/// differ.
static FailureOr<DimExpr> mergeBatch(Operation *op, DimExpr lhs, DimExpr rhs,
                                     ShapeAnalysis &analysis) {
  DimExpr merged = analysis.merge(lhs, rhs);
  if (merged)
    return merged;
  return op->emitOpError("has the batch sizes ")
         << analysis.getName(lhs) << " and " << analysis.getName(rhs);
}

static LogicalResult checkAttributes(GridSampleOp op) {
  return success(succeeded(checkKeyword(op, "mode", op.getMode(),
                                        {"nearest", "linear", "cubic"})) &&
                 succeeded(checkKeyword(op, "padding_mode", op.getPaddingMode(),
                                        {"zeros", "border", "reflection"})));
}

static LogicalResult inferGridSample(GridSampleOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getX());
  std::optional<Shape> grid = analysis.getShape(op.getGrid());
  if (failed(checkAttributes(op)))
    return failure();
  if (!input || !grid)
    return success();
  if (input->size() < 3 || grid->size() != input->size())
    return op.emitOpError("has an input of rank ")
           << input->size() << " and a grid of rank " << grid->size();
  int64_t rank = input->size() - 2;
  if (getConstantSize(grid->back()).value_or(rank) != rank)
    return op.emitOpError("has a grid of points in ")
           << analysis.getName(grid->back()) << " dimensions for " << rank;
  FailureOr<DimExpr> batch =
      mergeBatch(op, input->front(), grid->front(), analysis);
  if (failed(batch))
    return failure();
  Shape result = {*batch, (*input)[1]};
  llvm::append_range(result, ArrayRef<DimExpr>(*grid).drop_front().drop_back());
  return analysis.setShape(op.getY(), result);
}

static LogicalResult inferAffineGrid(AffineGridOp op, ShapeAnalysis &analysis) {
  std::optional<int64_t> length = getLength(op.getSize(), analysis);
  if (!length)
    return success();
  if (*length != 4 && *length != 5)
    return op.emitOpError("takes 4 or 5 sizes, not ") << *length;
  int64_t rank = *length - 2;
  DimExpr batch = analysis.getUnknown();
  if (std::optional<Shape> theta = analysis.getShape(op.getTheta())) {
    if (theta->size() != 3 ||
        getConstantSize((*theta)[1]).value_or(rank) != rank ||
        getConstantSize((*theta)[2]).value_or(rank + 1) != rank + 1)
      return op.emitOpError("takes matrices of ")
             << rank << " rows and " << rank + 1 << " columns";
    batch = theta->front();
  }
  Shape result(*length, analysis.getConstant(rank));
  for (DimExpr &dim : MutableArrayRef<DimExpr>(result).drop_back())
    dim = analysis.getUnknown();
  result.front() = batch;
  if (std::optional<Shape> sizes = analysis.getContents(op.getSize())) {
    for (auto [index, size] : llvm::enumerate(*sizes)) {
      if (getConstantSize(size).value_or(0) < 0)
        return op.emitOpError("has a size of ") << *getConstantSize(size);
      if (index >= 2 && isNonNegative(size, analysis))
        result[index - 1] = size;
    }
    if (!analysis.isAnonymous(sizes->front()) &&
        isNonNegative(sizes->front(), analysis)) {
      FailureOr<DimExpr> merged =
          mergeBatch(op, batch, sizes->front(), analysis);
      if (failed(merged))
        return failure();
      result.front() = *merged;
    }
  }
  return analysis.setShape(op.getGrid(), result);
}

void omb::onnx::attachResizeShapes(MLIRContext &context) {
  attachShapeFunction<inferAffineGrid, AffineGridOp>(context);
  attachShapeFunction<inferGridSample, GridSampleOp>(context);
  attachShapeFunction<inferResize, ResizeOp>(context);
  attachShapeFunction<inferUpsample, UpsampleOp>(context);
}
