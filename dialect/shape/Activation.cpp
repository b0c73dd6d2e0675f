//===- Activation.cpp - Shapes of activation functions --------------------===//

#include "dialect/ir/ops/Activation.h"
#include "dialect/shape/Broadcasting.h"
#include "dialect/shape/Families.h"

using namespace mlir;
using namespace omb::onnx;

/// The slope is broadcast to the input, not the other way round.
static LogicalResult inferPRelu(PReluOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getX());
  std::optional<Shape> slope = analysis.getShape(op.getSlope());
  if (!input)
    return success();
  if (slope) {
    FailureOr<Shape> both = analysis.broadcast(op, {*input, *slope});
    if (failed(both))
      return failure();
    for (auto [size, broadcastSize] : llvm::zip(*input, *both))
      if (both->size() != input->size() ||
          (getConstantSize(size) == 1 && broadcastSize != size))
        return op->emitOpError(
            "has a slope that can't be broadcast to the shape of its input");
  }
  return analysis.setShape(op.getResult(), *input);
}

/// Both inputs have the same shape.
static LogicalResult inferSwiGLU(SwiGLUOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> gate = analysis.getShape(op.getA());
  std::optional<Shape> linear = analysis.getShape(op.getB());
  if (!gate || !linear)
    return success();
  if (gate->size() != linear->size())
    return op->emitOpError("has inputs of ranks ")
           << gate->size() << " and " << linear->size()
           << "; they must have the same shape";
  Shape shape;
  for (auto [index, dims] : llvm::enumerate(llvm::zip(*gate, *linear))) {
    shape.push_back(analysis.merge(std::get<0>(dims), std::get<1>(dims)));
    if (!shape.back())
      return op->emitOpError("has inputs that differ in dimension ")
             << index << "; they must have the same shape";
  }
  return analysis.setShape(op.getResult(), shape);
}

void omb::onnx::attachActivationShapes(MLIRContext &context) {
  attachShapeFunction<inferSameShape, CeluOp, EluOp, GeluOp, HardSigmoidOp,
                      HardSwishOp, LeakyReluOp, MishOp, ReluOp, SeluOp,
                      ShrinkOp, SigmoidOp, SoftplusOp, SoftsignOp, SwishOp,
                      ThresholdedReluOp>(context);
  attachShapeFunction<inferPRelu, PReluOp>(context);
  attachShapeFunction<inferSwiGLU, SwiGLUOp>(context);
}
