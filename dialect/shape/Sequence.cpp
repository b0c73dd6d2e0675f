//===- Sequence.cpp - Shapes of sequences and optionals -------------------===//

#include "dialect/ir/ops/Sequence.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

/// `shape` with unknown sizes for those that aren't constant, and so may differ
/// from element to element.
static std::optional<Shape> keepConstants(std::optional<Shape> shape,
                                          ShapeAnalysis &analysis) {
  if (shape)
    for (DimExpr &dim : *shape)
      if (!getConstantSize(dim))
        dim = analysis.getUnknown();
  return shape;
}

/// The shape of one element of `sequence`.
static std::optional<Shape> getElementShape(Value sequence,
                                            ShapeAnalysis &analysis) {
  return keepConstants(analysis.getShape(sequence), analysis);
}

/// Records that `shape` holds for every element of `sequence`.
static LogicalResult setElementShape(Value sequence, std::optional<Shape> shape,
                                     ShapeAnalysis &analysis) {
  shape = keepConstants(std::move(shape), analysis);
  return shape ? analysis.setShape(sequence, *shape) : success();
}

static LogicalResult inferSequenceConstruct(SequenceConstructOp op,
                                            ShapeAnalysis &analysis) {
  if (op.getInputs().empty()) {
    analysis.setEmptySequence(op.getOutputSequence());
    return success();
  }
  std::optional<Shape> shape = analysis.getShape(op.getInputs().front());
  for (Value input : op.getInputs().drop_front())
    shape = analysis.join(shape, analysis.getShape(input));
  return setElementShape(op.getOutputSequence(), shape, analysis);
}

static LogicalResult inferSequenceEmpty(SequenceEmptyOp op,
                                        ShapeAnalysis &analysis) {
  analysis.setEmptySequence(op.getOutput());
  return success();
}

static LogicalResult inferSequenceInsert(SequenceInsertOp op,
                                         ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getTensor());
  if (!analysis.isEmptySequence(op.getInputSequence()))
    shape = analysis.join(analysis.getShape(op.getInputSequence()), shape);
  return setElementShape(op.getOutputSequence(), shape, analysis);
}

static LogicalResult inferSequenceErase(SequenceEraseOp op,
                                        ShapeAnalysis &analysis) {
  return setElementShape(op.getOutputSequence(),
                         analysis.getShape(op.getInputSequence()), analysis);
}

static LogicalResult inferSequenceAt(SequenceAtOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = getElementShape(op.getInputSequence(), analysis);
  return shape ? analysis.setShape(op.getTensor(), *shape) : success();
}

static LogicalResult inferSequenceLength(SequenceLengthOp op,
                                         ShapeAnalysis &analysis) {
  return analysis.setShape(op.getLength(), {});
}

/// The size that all parts have along the axis of `size`; null where not all
/// have the same.
static DimExpr getPartSize(SplitToSequenceOp op, DimExpr size,
                           ShapeAnalysis &analysis) {
  if (!op.getSplit())
    return analysis.getConstant(1);
  std::optional<Shape> sizes = analysis.getContents(op.getSplit());
  std::optional<Shape> shape = analysis.getShape(op.getSplit());
  if (!sizes || !shape || sizes->empty())
    return {};
  if (!shape->empty())
    return llvm::all_equal(*sizes) ? sizes->front() : DimExpr();
  std::optional<int64_t> whole = getConstantSize(size);
  std::optional<int64_t> part = getConstantSize(sizes->front());
  bool divides =
      part && (*part == 1 || (whole && *part > 0 && *whole % *part == 0));
  return divides ? sizes->front() : DimExpr();
}

static LogicalResult inferSplitToSequence(SplitToSequenceOp op,
                                          ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getInput());
  if (!shape)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), shape->size());
  if (failed(axis))
    return failure();
  DimExpr part = getPartSize(op, (*shape)[*axis], analysis);
  (*shape)[*axis] = part ? part : analysis.getUnknown();
  if (!op.getSplit() && op.getKeepdims() == 0)
    shape->erase(shape->begin() + *axis);
  return setElementShape(op.getOutputSequence(), shape, analysis);
}

static LogicalResult inferConcatFromSequence(ConcatFromSequenceOp op,
                                             ShapeAnalysis &analysis) {
  std::optional<Shape> shape = getElementShape(op.getInputSequence(), analysis);
  if (!shape)
    return success();
  bool isStacked = op.getNewAxis() != 0;
  FailureOr<int64_t> axis =
      normalizeAxis(op, op.getAxis(), shape->size() + isStacked);
  if (failed(axis))
    return failure();
  if (isStacked)
    shape->insert(shape->begin() + *axis, analysis.getUnknown());
  else
    (*shape)[*axis] = analysis.getUnknown();
  return analysis.setShape(op.getConcatResult(), *shape);
}

/// What `result` is the same as `value`, but for being optional.
static LogicalResult copyShape(Value value, Value result,
                               ShapeAnalysis &analysis) {
  if (analysis.isEmptySequence(value))
    analysis.setEmptySequence(result);
  std::optional<Shape> shape = analysis.getShape(value);
  return shape ? analysis.setShape(result, *shape) : success();
}

static LogicalResult inferOptional(OptionalOp op, ShapeAnalysis &analysis) {
  return op.getInput() ? copyShape(op.getInput(), op.getOutput(), analysis)
                       : success();
}

static LogicalResult inferOptionalGetElement(OptionalGetElementOp op,
                                             ShapeAnalysis &analysis) {
  return copyShape(op.getInput(), op.getOutput(), analysis);
}

static LogicalResult inferOptionalHasElement(OptionalHasElementOp op,
                                             ShapeAnalysis &analysis) {
  return analysis.setShape(op.getOutput(), {});
}

void omb::onnx::attachSequenceShapes(MLIRContext &context) {
  attachShapeFunction<inferConcatFromSequence, ConcatFromSequenceOp>(context);
  attachShapeFunction<inferOptional, OptionalOp>(context);
  attachShapeFunction<inferOptionalGetElement, OptionalGetElementOp>(context);
  attachShapeFunction<inferOptionalHasElement, OptionalHasElementOp>(context);
  attachShapeFunction<inferSequenceAt, SequenceAtOp>(context);
  attachShapeFunction<inferSequenceConstruct, SequenceConstructOp>(context);
  attachShapeFunction<inferSequenceEmpty, SequenceEmptyOp>(context);
  attachShapeFunction<inferSequenceErase, SequenceEraseOp>(context);
  attachShapeFunction<inferSequenceInsert, SequenceInsertOp>(context);
  attachShapeFunction<inferSequenceLength, SequenceLengthOp>(context);
  attachShapeFunction<inferSplitToSequence, SplitToSequenceOp>(context);
}
