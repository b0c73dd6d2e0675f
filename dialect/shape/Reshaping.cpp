//===- Reshaping.cpp - Shapes of what keeps the elements in order ---------===//

#include "dialect/ir/ops/DataMovement.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

using namespace mlir;
using namespace omb::onnx;

/// The elements of a 1-D operand that holds a shape; unknown ones where only
/// their number is known, nullopt where not even that.
static std::optional<Shape> getShapeOperand(Value value,
                                            ShapeAnalysis &analysis) {
  if (std::optional<Shape> contents = analysis.getContents(value))
    return contents;
  std::optional<Shape> shape = analysis.getShape(value);
  std::optional<int64_t> size;
  if (shape && shape->size() == 1)
    size = getConstantSize(shape->front());
  if (!size)
    return std::nullopt;
  Shape elements;
  for (int64_t index = 0; index < *size; ++index)
    elements.push_back(analysis.getUnknown());
  return elements;
}

/// Records a result with the elements of `input` in the same order.
static LogicalResult setReshaped(Value input, Value result,
                                 ArrayRef<DimExpr> shape,
                                 ShapeAnalysis &analysis) {
  if (std::optional<Shape> contents = analysis.getContents(input))
    analysis.setContents(result, *contents);
  return analysis.setShape(result, shape);
}

//===----------------------------------------------------------------------===//
// Reshape, Flatten
//===----------------------------------------------------------------------===//

/// Fills in what -1 at `inferred` stands for: what is left of the elements.
static LogicalResult inferMinusOne(ReshapeOp op, int64_t inferred,
                                   const std::optional<Shape> &input,
                                   Shape &result, ShapeAnalysis &analysis) {
  result[inferred] = analysis.getUnknown();
  if (!input)
    return success();
  Shape others(result);
  others.erase(others.begin() + inferred);
  DimExpr total = normalizeSize(getProduct(*input, op.getContext()));
  DimExpr rest = normalizeSize(getProduct(others, op.getContext()));
  std::optional<int64_t> totalSize = getConstantSize(total);
  std::optional<int64_t> restSize = getConstantSize(rest);
  if (restSize == 0 || (totalSize && restSize && *totalSize % *restSize != 0))
    return op.emitOpError("can't infer the dimension given as -1: the input "
                          "has ")
           << analysis.getName(total)
           << " elements, and the other dimensions make "
           << analysis.getName(rest);
  result[inferred] = divideExactly(total, rest);
  return success();
}

static LogicalResult inferReshape(ReshapeOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getData());
  std::optional<Shape> target = getShapeOperand(op.getShape(), analysis);
  if (!target)
    return success();
  Shape result;
  std::optional<int64_t> inferred;
  for (auto [index, element] : llvm::enumerate(*target)) {
    std::optional<int64_t> size = getConstantSize(element);
    if (size && *size < -1)
      return op.emitOpError("has ") << *size << " as a dimension of the shape";
    if (size == -1) {
      if (inferred)
        return op.emitOpError("has -1 twice in the shape");
      inferred = index;
      result.push_back(analysis.getConstant(1));
    } else if (size == 0 && op.getAllowzero() == 0) {
      if (input && index >= input->size())
        return op.emitOpError("has 0 as dimension ")
               << index << " of the shape, but the input has rank "
               << input->size();
      result.push_back(input ? (*input)[index] : analysis.getUnknown());
    } else if (size || isNonNegative(element, analysis)) {
      result.push_back(element);
    } else {
      // May turn out to be 0 or -1.
      result.push_back(analysis.getUnknown());
    }
  }
  if (inferred && failed(inferMinusOne(op, *inferred, input, result, analysis)))
    return failure();
  if (input) {
    std::optional<int64_t> from =
        getConstantSize(getProduct(*input, op.getContext()));
    std::optional<int64_t> to =
        getConstantSize(getProduct(result, op.getContext()));
    if (from && to && *from != *to)
      return op.emitOpError("can't give ")
             << *from << " elements a shape of " << *to;
  }
  return setReshaped(op.getData(), op.getReshaped(), result, analysis);
}

static LogicalResult inferFlatten(FlattenOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  if (!input)
    return success();
  int64_t rank = input->size();
  int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
  if (axis < 0 || axis > rank)
    return op.emitOpError("has axis ")
           << op.getAxis() << ", which is out of range for rank " << rank;
  ArrayRef<DimExpr> dims(*input);
  auto product = [&](ArrayRef<DimExpr> factors) {
    return normalizeSize(getProduct(factors, op.getContext()));
  };
  return setReshaped(
      op.getInput(), op.getOutput(),
      {product(dims.take_front(axis)), product(dims.drop_front(axis))},
      analysis);
}

//===----------------------------------------------------------------------===//
// Squeeze, Unsqueeze
//===----------------------------------------------------------------------===//

/// The axes that a Squeeze without axes takes away: all that are known to be of
/// size 1. The lowering stops the run where another one turns out to be.
static SmallVector<int64_t> getUnitAxes(ArrayRef<DimExpr> input) {
  SmallVector<int64_t> axes;
  for (auto [axis, dim] : llvm::enumerate(input))
    if (getConstantSize(dim) == 1)
      axes.push_back(axis);
  return axes;
}

/// A result of Squeeze or Unsqueeze of which no more than the rank is known:
/// the axes are computed, but their number is fixed.
static LogicalResult setRank(Value axes, Value result, int64_t rank,
                             bool isInsertion, ShapeAnalysis &analysis) {
  std::optional<Shape> elements =
      axes ? getShapeOperand(axes, analysis) : std::nullopt;
  if (!elements)
    return success();
  int64_t count = elements->size();
  if (!isInsertion && count > rank)
    return result.getDefiningOp()->emitOpError("can't take away ")
           << count << " of " << rank << " dimensions";
  Shape shape;
  for (int64_t dim = 0; dim < (isInsertion ? rank + count : rank - count);
       ++dim)
    shape.push_back(analysis.getUnknown());
  return analysis.setShape(result, shape);
}

static LogicalResult inferSqueeze(SqueezeOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getData());
  if (!input)
    return success();
  std::optional<SmallVector<int64_t>> given =
      op.getAxes() ? analysis.getIntegers(op.getAxes()) : getUnitAxes(*input);
  if (!given)
    return setRank(op.getAxes(), op.getSqueezed(), input->size(),
                   /*isInsertion=*/false, analysis);
  FailureOr<SmallVector<int64_t>> axes =
      normalizeAxes(op, *given, input->size());
  if (failed(axes))
    return failure();
  Shape result;
  for (auto [axis, dim] : llvm::enumerate(*input)) {
    std::optional<int64_t> size = getConstantSize(dim);
    if (!llvm::is_contained(*axes, axis))
      result.push_back(dim);
    else if (size && *size != 1)
      return op.emitOpError("can't take away dimension ")
             << axis << ", whose size is " << *size;
  }
  return setReshaped(op.getData(), op.getSqueezed(), result, analysis);
}

static LogicalResult inferUnsqueeze(UnsqueezeOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getData());
  std::optional<SmallVector<int64_t>> given =
      analysis.getIntegers(op.getAxes());
  if (!input)
    return success();
  if (!given)
    return setRank(op.getAxes(), op.getExpanded(), input->size(),
                   /*isInsertion=*/true, analysis);
  int64_t rank = input->size() + given->size();
  FailureOr<SmallVector<int64_t>> axes = normalizeAxes(op, *given, rank);
  if (failed(axes))
    return failure();
  Shape result;
  auto next = input->begin();
  for (int64_t axis = 0; axis < rank; ++axis)
    result.push_back(llvm::is_contained(*axes, axis) ? analysis.getConstant(1)
                                                     : *next++);
  return setReshaped(op.getData(), op.getExpanded(), result, analysis);
}

//===----------------------------------------------------------------------===//
// Expand, Tile
//===----------------------------------------------------------------------===//

/// The contents of a result that repeats `input`, one element or a vector.
static void setRepeated(Value input, Value result, ShapeAnalysis &analysis) {
  std::optional<Shape> contents = analysis.getContents(input);
  std::optional<Shape> shape = analysis.getShape(result);
  if (!contents || contents->empty() || !shape || shape->size() > 1)
    return;
  std::optional<int64_t> count =
      shape->empty() ? 1 : getConstantSize(shape->front());
  if (!count || *count > ShapeAnalysis::kMaxContents)
    return;
  Shape repeated;
  for (int64_t index = 0; index < *count; ++index)
    repeated.push_back((*contents)[index % contents->size()]);
  analysis.setContents(result, repeated);
}

static LogicalResult inferExpand(ExpandOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  std::optional<Shape> target = getShapeOperand(op.getShape(), analysis);
  if (!input || !target)
    return success();
  for (DimExpr &size : *target)
    if (!isNonNegative(size, analysis))
      size = analysis.getUnknown();
  FailureOr<Shape> shape = analysis.broadcast(op, {*input, *target});
  if (failed(shape) || failed(analysis.setShape(op.getOutput(), *shape)))
    return failure();
  setRepeated(op.getInput(), op.getOutput(), analysis);
  return success();
}

static LogicalResult inferTile(TileOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  if (!input)
    return success();
  std::optional<Shape> repeats = getShapeOperand(op.getRepeats(), analysis);
  if (repeats && repeats->size() != input->size())
    return op.emitOpError("has ")
           << repeats->size() << " repeats, but the input has rank "
           << input->size();
  Shape result;
  for (auto [index, dim] : llvm::enumerate(*input))
    result.push_back(repeats && isNonNegative((*repeats)[index], analysis)
                         ? normalizeSize(dim * (*repeats)[index])
                         : analysis.getUnknown());
  if (failed(analysis.setShape(op.getOutput(), result)))
    return failure();
  setRepeated(op.getInput(), op.getOutput(), analysis);
  return success();
}

//===----------------------------------------------------------------------===//
// Transpose, DepthToSpace, SpaceToDepth
//===----------------------------------------------------------------------===//

static LogicalResult inferTranspose(TransposeOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getData());
  if (!input)
    return success();
  if (!op.getPerm())
    return analysis.setShape(op.getTransposed(),
                             llvm::to_vector(llvm::reverse(*input)));
  if (op.getPerm()->size() != input->size())
    return op.emitOpError("has a perm of ")
           << op.getPerm()->size() << " axes, but the input has rank "
           << input->size();
  FailureOr<SmallVector<int64_t>> perm =
      normalizeAxes(op, *op.getPerm(), input->size());
  if (failed(perm))
    return failure();
  Shape result;
  for (int64_t axis : *perm)
    result.push_back((*input)[axis]);
  return analysis.setShape(op.getTransposed(), result);
}

/// The input's shape, of rank 4; nullopt where it isn't known.
template <typename OpT>
static FailureOr<std::optional<Shape>>
getBlockwiseInput(OpT op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  if (input && input->size() != 4)
    return op.emitOpError("takes an input of rank 4, not ") << input->size();
  if (op.getBlocksize() < 1)
    return op.emitOpError("has a blocksize of ") << op.getBlocksize();
  return input;
}

/// `dim / divisor`, which must have no remainder.
static FailureOr<DimExpr> divideBlocks(Operation *op, DimExpr dim,
                                       int64_t divisor) {
  std::optional<int64_t> size = getConstantSize(dim);
  if (size && *size % divisor != 0)
    return op->emitOpError("can't divide a dimension of size ")
           << *size << " by " << divisor;
  return divideExactly(dim, getAffineConstantExpr(divisor, op->getContext()));
}

static LogicalResult inferDepthToSpace(DepthToSpaceOp op,
                                       ShapeAnalysis &analysis) {
  FailureOr<std::optional<Shape>> input = getBlockwiseInput(op, analysis);
  if (failed(input))
    return failure();
  if (!*input)
    return success();
  Shape &dims = **input;
  int64_t block = op.getBlocksize();
  FailureOr<DimExpr> depth = divideBlocks(op, dims[1], block * block);
  if (failed(depth))
    return failure();
  return analysis.setShape(op.getOutput(),
                           {dims[0], *depth, normalizeSize(dims[2] * block),
                            normalizeSize(dims[3] * block)});
}

static LogicalResult inferSpaceToDepth(SpaceToDepthOp op,
                                       ShapeAnalysis &analysis) {
  FailureOr<std::optional<Shape>> input = getBlockwiseInput(op, analysis);
  if (failed(input))
    return failure();
  if (!*input)
    return success();
  Shape &dims = **input;
  int64_t block = op.getBlocksize();
  FailureOr<DimExpr> height = divideBlocks(op, dims[2], block);
  FailureOr<DimExpr> width = divideBlocks(op, dims[3], block);
  if (failed(height) || failed(width))
    return failure();
  return analysis.setShape(
      op.getOutput(),
      {dims[0], normalizeSize(dims[1] * (block * block)), *height, *width});
}

void omb::onnx::attachReshapingShapes(MLIRContext &context) {
  attachShapeFunction<inferReshape, ReshapeOp>(context);
  attachShapeFunction<inferFlatten, FlattenOp>(context);
  attachShapeFunction<inferSqueeze, SqueezeOp>(context);
  attachShapeFunction<inferUnsqueeze, UnsqueezeOp>(context);
  attachShapeFunction<inferExpand, ExpandOp>(context);
  attachShapeFunction<inferTile, TileOp>(context);
  attachShapeFunction<inferTranspose, TransposeOp>(context);
  attachShapeFunction<inferDepthToSpace, DepthToSpaceOp>(context);
  attachShapeFunction<inferSpaceToDepth, SpaceToDepthOp>(context);
}
