//===- Random.cpp - Shapes of random numbers ------------------------------===//

#include "dialect/ir/ops/Random.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

static LogicalResult inferDropout(DropoutOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getData());
  if (!shape)
    return success();
  if (failed(analysis.setShape(op.getMask(), *shape)))
    return failure();
  return analysis.setShape(op.getOutput(), *shape);
}

void omb::onnx::attachRandomShapes(MLIRContext &context) {
  attachShapeFunction<inferDropout, DropoutOp>(context);
}
