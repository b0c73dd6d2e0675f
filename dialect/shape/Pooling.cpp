//===- Pooling.cpp - Shapes of pooling ------------------------------------===//

#include "dialect/ir/ops/Pooling.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
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

void omb::onnx::attachPoolingShapes(MLIRContext &context) {
  attachShapeFunction<inferMaxPool, MaxPoolOp>(context);
  attachShapeFunction<inferAveragePool, AveragePoolOp>(context);
  attachShapeFunction<inferLpPool, LpPoolOp>(context);
  attachShapeFunction<inferGlobalPool, GlobalAveragePoolOp, GlobalMaxPoolOp>(
      context);
  attachShapeFunction<inferGlobalLpPool, GlobalLpPoolOp>(context);
}
