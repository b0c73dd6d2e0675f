//===- Pooling.cpp - Shapes of pooling ------------------------------------===//

#include "dialect/ir/ops/Pooling.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/Keywords.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"
#include "dialect/shape/Windows.h"

using namespace mlir;
using namespace omb::onnx;

static LogicalResult checkRank(Operation *op, const Shape &input) {
  if (input.size() < 2)
    return op->emitOpError("takes an input of rank 2 or more, not ")
           << input.size();
  return success();
}

/// The shape of the result of `op`; nullopt where the input's isn't known.
static FailureOr<std::optional<Shape>> inferPooled(Operation *op, Value input,
                                                   ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(input);
  if (!shape)
    return std::optional<Shape>();
  if (failed(checkRank(op, *shape)))
    return failure();
  FailureOr<WindowAttributes> windows =
      getWindowAttributes(op, shape->size() - 2);
  if (failed(windows))
    return failure();
  Shape kernel;
  for (int64_t size : windows->kernel)
    kernel.push_back(analysis.getConstant(size));
  FailureOr<Shape> counts = countWindows(
      op, *windows, ArrayRef<DimExpr>(*shape).drop_front(2), kernel, analysis);
  if (failed(counts))
    return failure();
  shape->truncate(2);
  llvm::append_range(*shape, *counts);
  return shape;
}

static LogicalResult inferMaxPool(MaxPoolOp op, ShapeAnalysis &analysis) {
  FailureOr<std::optional<Shape>> shape = inferPooled(op, op.getX(), analysis);
  if (failed(shape))
    return failure();
  if (op.getStorageOrder() != 0 && op.getStorageOrder() != 1)
    return op.emitOpError("has the unknown storage_order ")
           << op.getStorageOrder();
  if (!*shape)
    return success();
  if (failed(analysis.setShape(op.getY(), **shape)))
    return failure();
  return analysis.setShape(op.getIndices(), **shape);
}

static LogicalResult inferAveragePool(AveragePoolOp op,
                                      ShapeAnalysis &analysis) {
  FailureOr<std::optional<Shape>> shape = inferPooled(op, op.getX(), analysis);
  if (failed(shape))
    return failure();
  return *shape ? analysis.setShape(op.getY(), **shape) : success();
}

template <typename OpT> static LogicalResult checkNorm(OpT op) {
  if (op.getP() < 1)
    return op.emitOpError("has p = ") << op.getP() << ", which is no norm";
  return success();
}

static LogicalResult inferLpPool(LpPoolOp op, ShapeAnalysis &analysis) {
  FailureOr<std::optional<Shape>> shape = inferPooled(op, op.getX(), analysis);
  if (failed(shape) || failed(checkNorm(op)))
    return failure();
  return *shape ? analysis.setShape(op.getY(), **shape) : success();
}

//===----------------------------------------------------------------------===//
// Global pooling
//===----------------------------------------------------------------------===//

static LogicalResult inferGlobalPool(Operation *op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op->getOperand(0));
  if (!shape)
    return success();
  if (failed(checkRank(op, *shape)))
    return failure();
  for (DimExpr &dim : MutableArrayRef<DimExpr>(*shape).drop_front(2))
    dim = analysis.getConstant(1);
  return analysis.setShape(op->getResult(0), *shape);
}

static LogicalResult inferGlobalLpPool(GlobalLpPoolOp op,
                                       ShapeAnalysis &analysis) {
  if (failed(checkNorm(op)))
    return failure();
  return inferGlobalPool(op, analysis);
}

//===----------------------------------------------------------------------===//
// Unpooling
//===----------------------------------------------------------------------===//

/// The result's size where `output_shape` doesn't say it.
static FailureOr<Shape> getUnpooled(MaxUnpoolOp op, Shape input,
                                    const WindowAttributes &windows) {
  for (int64_t dim = 0; dim < windows.getRank(); ++dim) {
    DimExpr &size = input[2 + dim];
    size =
        normalizeSize((size - 1) * windows.strides[dim] + windows.kernel[dim] -
                      windows.padsLow[dim] - windows.padsHigh[dim]);
    if (getConstantSize(size).value_or(0) < 0)
      return op.emitOpError("has pads that leave nothing of spatial dimension ")
             << dim;
  }
  return input;
}

static LogicalResult inferMaxUnpool(MaxUnpoolOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getX());
  if (!input)
    return success();
  if (input->size() < 3)
    return op.emitOpError("takes an input of rank 3 or more, not ")
           << input->size();
  FailureOr<WindowAttributes> windows =
      getWindowAttributes(op, input->size() - 2);
  if (failed(windows))
    return failure();
  FailureOr<Shape> result = getUnpooled(op, *input, *windows);
  if (failed(result))
    return failure();
  if (!op.getOutputShape())
    return analysis.setShape(op.getOutput(), *result);
  std::optional<Shape> sizes = analysis.getContents(op.getOutputShape());
  if (sizes && sizes->size() != input->size())
    return op.emitOpError("has ")
           << sizes->size() << " sizes for " << input->size() << " dimensions";
  for (auto [dim, size] : llvm::enumerate(*result)) {
    DimExpr given = sizes ? (*sizes)[dim] : analysis.getUnknown();
    std::optional<int64_t> least = getConstantSize(size);
    std::optional<int64_t> known = getConstantSize(given);
    if (known && (*known < 0 || (least && *known < *least)))
      return op.emitOpError("has an output_shape of ")
             << *known << " in dimension " << dim << ", which is too small";
    size = isNonNegative(given, analysis) ? given : analysis.getUnknown();
  }
  return analysis.setShape(op.getOutput(), *result);
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

static LogicalResult inferRoiAlign(RoiAlignOp op, ShapeAnalysis &analysis) {
  if (failed(checkKeyword(op, "mode", op.getMode(), {"avg", "max"})) ||
      failed(checkKeyword(op, "coordinate_transformation_mode",
                          op.getCoordinateTransformationMode(),
                          {"half_pixel", "output_half_pixel"})))
    return failure();
  for (int64_t size : {op.getOutputHeight(), op.getOutputWidth()})
    if (size < 1)
      return op.emitOpError("has an output size of ") << size;
  Shape result = {analysis.getUnknown(), analysis.getUnknown(),
                  analysis.getConstant(op.getOutputHeight()),
                  analysis.getConstant(op.getOutputWidth())};
  for (auto [operand, rank] :
       {std::pair(op.getX(), 4u), std::pair(op.getRois(), 2u),
        std::pair(op.getBatchIndices(), 1u)}) {
    std::optional<Shape> shape = analysis.getShape(operand);
    if (!shape)
      continue;
    if (shape->size() != rank)
      return op.emitOpError("takes an operand of rank ")
             << rank << ", not " << shape->size();
    if (rank == 4) {
      result[1] = (*shape)[1];
      continue;
    }
    DimExpr regions = analysis.merge(result[0], shape->front());
    if (!regions)
      return op.emitOpError("has ")
             << analysis.getName(result[0]) << " regions, but "
             << analysis.getName(shape->front()) << " batch indices";
    result[0] = regions;
  }
  return analysis.setShape(op.getY(), result);
}

void omb::onnx::attachPoolingShapes(MLIRContext &context) {
  attachShapeFunction<inferMaxPool, MaxPoolOp>(context);
  attachShapeFunction<inferAveragePool, AveragePoolOp>(context);
  attachShapeFunction<inferLpPool, LpPoolOp>(context);
  attachShapeFunction<inferGlobalPool, GlobalAveragePoolOp, GlobalMaxPoolOp>(
      context);
  attachShapeFunction<inferGlobalLpPool, GlobalLpPoolOp>(context);
  attachShapeFunction<inferMaxUnpool, MaxUnpoolOp>(context);
  attachShapeFunction<inferRoiAlign, RoiAlignOp>(context);
}
