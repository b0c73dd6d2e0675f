//===- Elementwise.cpp - Shapes of elementwise operators ------------------===//

#include "dialect/ir/ops/Activation.h"
#include "dialect/ir/ops/Elementwise.h"
#include "dialect/ir/ops/Logical.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

/// The results have the shape that all operands broadcast to.
static LogicalResult inferBroadcast(Operation *op, ShapeAnalysis &analysis) {
  SmallVector<Shape> shapes;
  for (Value operand : op->getOperands()) {
    std::optional<Shape> shape = analysis.getShape(operand);
    if (!shape)
      return success();
    shapes.push_back(*shape);
  }
  FailureOr<Shape> shape = analysis.broadcast(op, shapes);
  if (failed(shape))
    return failure();
  return analysis.setShape(op->getResult(0), *shape);
}

/// The result has the shape of the first operand.
static LogicalResult inferSameShape(Operation *op, ShapeAnalysis &analysis) {
  if (std::optional<Shape> shape = analysis.getShape(op->getOperand(0)))
    return analysis.setShape(op->getResult(0), *shape);
  return success();
}

void omb::onnx::attachElementwiseShapes(MLIRContext &context) {
  attachShapeFunction<inferBroadcast, AddOp, SubOp, MulOp, DivOp>(context);
  attachShapeFunction<inferSameShape, AbsOp, ReluOp>(context);
}
