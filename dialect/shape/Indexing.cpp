//===- Indexing.cpp - Shapes of what is picked by index -------------------===//

#include "dialect/ir/ops/Indexing.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

using namespace mlir;
using namespace omb::onnx;

/// Checks the indices of a Gather that are known, and records what they pick
/// from a vector whose contents are known.
static LogicalResult checkIndices(GatherOp op, DimExpr dim,
                                  ShapeAnalysis &analysis) {
  std::optional<SmallVector<int64_t>> indices =
      analysis.getIntegers(op.getIndices());
  std::optional<int64_t> size = getConstantSize(dim);
  if (!indices || !size)
    return success();
  std::optional<Shape> data = analysis.getContents(op.getData());
  Shape contents;
  for (int64_t index : *indices) {
    std::optional<int64_t> position = normalizeAxis(index, *size);
    if (!position)
      return op.emitOpError("has index ")
             << index << " for a dimension of size " << *size;
    if (data && int64_t(data->size()) == *size)
      contents.push_back((*data)[*position]);
  }
  std::optional<Shape> shape = analysis.getShape(op.getData());
  if (data && shape && shape->size() == 1)
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
  if (failed(checkIndices(op, (*data)[*axis], analysis)))
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
