//===- Indexing.cpp - Shapes of what is picked by index -------------------===//

#include "dialect/ir/ops/Indexing.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

using namespace mlir;
using namespace omb::onnx;

/// The elements that a Gather picks from a vector, if they are known.
static LogicalResult setGatherContents(GatherOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getContents(op.getData());
  std::optional<SmallVector<int64_t>> indices =
      analysis.getIntegers(op.getIndices());
  if (!data || !indices)
    return success();
  Shape contents;
  for (int64_t index : *indices) {
    std::optional<int64_t> position = normalizeAxis(index, data->size());
    if (!position)
      return op.emitOpError("has index ")
             << index << " for a dimension of size " << data->size();
    contents.push_back((*data)[*position]);
  }
  analysis.setContents(op.getOutput(), contents);
  return success();
}

static LogicalResult inferGather(GatherOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  std::optional<Shape> indices = analysis.getShape(op.getIndices());
  if (!data || !indices)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), data->size());
  if (failed(axis))
    return failure();
  if (data->size() == 1 && failed(setGatherContents(op, analysis)))
    return failure();
  ArrayRef<DimExpr> dims(*data);
  Shape result(dims.take_front(*axis));
  llvm::append_range(result, *indices);
  llvm::append_range(result, dims.drop_front(*axis + 1));
  return analysis.setShape(op.getOutput(), result);
}

void omb::onnx::attachIndexingShapes(MLIRContext &context) {
  attachShapeFunction<inferGather, GatherOp>(context);
}
