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

/// The result has the shape of the input.
template <typename OpT>
static LogicalResult inferLike(OpT op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getInput());
  return shape ? analysis.setShape(op.getOutput(), *shape) : success();
}

/// The shape is an attribute.
template <typename OpT>
static LogicalResult inferFromAttribute(OpT op, ShapeAnalysis &analysis) {
  Shape shape;
  for (int64_t size : op.getShape()) {
    if (size < 0)
      return op.emitOpError("has a dimension of size ") << size;
    shape.push_back(analysis.getConstant(size));
  }
  return analysis.setShape(op.getOutput(), shape);
}

static LogicalResult inferMultinomial(MultinomialOp op,
                                      ShapeAnalysis &analysis) {
  if (op.getSampleSize() < 0)
    return op.emitOpError("has a sample_size of ") << op.getSampleSize();
  std::optional<Shape> shape = analysis.getShape(op.getInput());
  if (shape && shape->size() != 2)
    return op.emitOpError("takes an input of rank 2, not ") << shape->size();
  DimExpr batch = shape ? shape->front() : analysis.getUnknown();
  return analysis.setShape(op.getOutput(),
                           {batch, analysis.getConstant(op.getSampleSize())});
}

void omb::onnx::attachRandomShapes(MLIRContext &context) {
  attachShapeFunction<inferDropout, DropoutOp>(context);
  attachShapeFunction<inferFromAttribute<RandomNormalOp>, RandomNormalOp>(
      context);
  attachShapeFunction<inferFromAttribute<RandomUniformOp>, RandomUniformOp>(
      context);
  attachShapeFunction<inferLike<BernoulliOp>, BernoulliOp>(context);
  attachShapeFunction<inferLike<RandomNormalLikeOp>, RandomNormalLikeOp>(
      context);
  attachShapeFunction<inferLike<RandomUniformLikeOp>, RandomUniformLikeOp>(
      context);
  attachShapeFunction<inferMultinomial, MultinomialOp>(context);
}
