//===- Constant.cpp - Shapes of constants and of shapes -------------------===//

#include "dialect/ir/ops/Constant.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

static LogicalResult inferConstant(ConstantOp op, ShapeAnalysis &analysis) {
  ElementsAttr elements = op.getValueAttr();
  if (!elements)
    elements = op.getSparseValueAttr();
  if (!elements)
    return success();
  Shape shape;
  for (int64_t size : elements.getShapedType().getShape())
    shape.push_back(analysis.getConstant(size));
  return analysis.setShape(op.getResult(), shape);
}

static LogicalResult inferShape(ShapeOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getData());
  if (!input)
    return success();
  int64_t rank = input->size();
  auto clamp = [&](int64_t position) {
    return std::clamp<int64_t>(position < 0 ? position + rank : position, 0,
                               rank);
  };
  int64_t start = clamp(op.getStart());
  int64_t end = std::max(start, clamp(op.getEnd().value_or(rank)));
  if (failed(analysis.setShape(op.getResult(),
                               {analysis.getConstant(end - start)})))
    return failure();
  analysis.setContents(op.getResult(),
                       ArrayRef(*input).slice(start, end - start));
  return success();
}

void omb::onnx::attachConstantShapes(MLIRContext &context) {
  attachShapeFunction<inferConstant, ConstantOp>(context);
  attachShapeFunction<inferShape, ShapeOp>(context);
}
