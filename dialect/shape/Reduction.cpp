//===- Reduction.cpp - Shapes of reductions -------------------------------===//

#include "dialect/ir/ops/Reduction.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Contents.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace omb::onnx;

/// The shape that is left of `data`.
static Shape reduceAxes(ArrayRef<DimExpr> data, ArrayRef<int64_t> axes,
                        bool keepDims, ShapeAnalysis &analysis) {
  Shape result;
  for (auto [position, dim] : llvm::enumerate(data)) {
    if (!llvm::is_contained(axes, int64_t(position)))
      result.push_back(dim);
    else if (keepDims)
      result.push_back(analysis.getConstant(1));
  }
  return result;
}

/// The shape where the axes aren't known, but their number may be.
template <typename OpT>
static LogicalResult inferWithUnknownAxes(OpT op, const Shape &data,
                                          std::optional<int64_t> count,
                                          ShapeAnalysis &analysis) {
  if (count > int64_t(data.size()))
    return op.emitOpError("has ")
           << *count << " axes for an input of rank " << data.size();
  if (!op.getKeepdims()) {
    if (!count)
      return success();
    Shape result;
    for (size_t dim = *count; dim < data.size(); ++dim)
      result.push_back(analysis.getUnknown());
    return analysis.setShape(op.getReduced(), result);
  }
  Shape result;
  for (DimExpr dim : data)
    result.push_back(getConstantSize(dim) == 1 ? dim : analysis.getUnknown());
  return analysis.setShape(op.getReduced(), result);
}

//===----------------------------------------------------------------------===//
// Contents: reductions of a vector that holds a shape
//===----------------------------------------------------------------------===//

static DimExpr combine(ReduceMaxOp, const ContentsArithmetic &c, DimExpr lhs,
                       DimExpr rhs) {
  return c.max(lhs, rhs);
}
static DimExpr combine(ReduceMinOp, const ContentsArithmetic &c, DimExpr lhs,
                       DimExpr rhs) {
  return c.min(lhs, rhs);
}
static DimExpr combine(ReduceProdOp, const ContentsArithmetic &c, DimExpr lhs,
                       DimExpr rhs) {
  return c.mul(lhs, rhs);
}
static DimExpr combine(ReduceSumOp, const ContentsArithmetic &c, DimExpr lhs,
                       DimExpr rhs) {
  return c.add(lhs, rhs);
}

template <typename OpT>
static void reduceContents(OpT op, ShapeAnalysis &analysis) {
  auto type = dyn_cast<IntegerType>(getElementTypeOrSelf(op.getType()));
  std::optional<Shape> contents = analysis.getContents(op.getData());
  if (!type || (type.isUnsigned() && type.getWidth() == 64) || !contents ||
      contents->empty())
    return;
  ContentsArithmetic arithmetic(analysis, type);
  DimExpr total = contents->front();
  for (DimExpr element : ArrayRef(*contents).drop_front())
    total = total ? combine(op, arithmetic, total, element) : total;
  if (total)
    analysis.setContents(op.getReduced(), total);
}

/// Whether combine() knows the op.
template <typename OpT>
static constexpr bool hasContents =
    llvm::is_one_of<OpT, ReduceMaxOp, ReduceMinOp, ReduceProdOp,
                    ReduceSumOp>::value;

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

template <typename OpT>
static LogicalResult inferReduce(OpT op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  if (!data)
    return success();
  int64_t rank = data->size();
  std::optional<SmallVector<int64_t>> given = SmallVector<int64_t>();
  if (op.getAxes()) {
    std::optional<Shape> shape = analysis.getShape(op.getAxes());
    if (shape && shape->size() > 1)
      return op.emitOpError("has axes of rank ")
             << shape->size() << "; they must be a list";
    std::optional<int64_t> count;
    if (shape)
      count = shape->empty() ? 1 : getConstantSize(shape->front());
    if (count != 0) {
      given = analysis.getIntegers(op.getAxes());
      if (!given)
        return inferWithUnknownAxes(op, *data, count, analysis);
    }
  }
  FailureOr<SmallVector<int64_t>> axes = normalizeAxes(op, *given, rank);
  if (failed(axes))
    return failure();
  if (axes->empty() && !op.getNoopWithEmptyAxes())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if constexpr (hasContents<OpT>)
    if (rank == 1 && axes->size() == 1)
      reduceContents(op, analysis);
  return analysis.setShape(
      op.getReduced(), reduceAxes(*data, *axes, op.getKeepdims(), analysis));
}

template <typename OpT>
static LogicalResult inferArgExtreme(OpT op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  if (!data)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), data->size());
  if (failed(axis))
    return failure();
  if (getConstantSize((*data)[*axis]) == 0)
    return op.emitOpError("looks for an extreme in dimension ")
           << *axis << ", which is empty";
  return analysis.setShape(
      op.getReduced(), reduceAxes(*data, *axis, op.getKeepdims(), analysis));
}

template <typename OpT>
static LogicalResult inferScan(OpT op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getAxis());
  if (shape &&
      (shape->size() > 1 || (shape->size() == 1 &&
                             getConstantSize(shape->front()).value_or(1) != 1)))
    return op.emitOpError("has an axis that is not a scalar");
  std::optional<Shape> data = analysis.getShape(op.getX());
  if (!data)
    return success();
  std::optional<SmallVector<int64_t>> axis = analysis.getIntegers(op.getAxis());
  if (axis && axis->size() == 1 &&
      failed(normalizeAxis(op, axis->front(), data->size())))
    return failure();
  return analysis.setShape(op.getY(), *data);
}

template <typename... OpTs> static void attachReductions(MLIRContext &context) {
  (attachShapeFunction<inferReduce<OpTs>, OpTs>(context), ...);
}

void omb::onnx::attachReductionShapes(MLIRContext &context) {
  attachReductions<ReduceL1Op, ReduceL2Op, ReduceLogSumOp, ReduceLogSumExpOp,
                   ReduceMaxOp, ReduceMeanOp, ReduceMinOp, ReduceProdOp,
                   ReduceSumOp, ReduceSumSquareOp>(context);
  attachShapeFunction<inferArgExtreme<ArgMaxOp>, ArgMaxOp>(context);
  attachShapeFunction<inferArgExtreme<ArgMinOp>, ArgMinOp>(context);
  attachShapeFunction<inferScan<CumSumOp>, CumSumOp>(context);
  attachShapeFunction<inferScan<CumProdOp>, CumProdOp>(context);
}
