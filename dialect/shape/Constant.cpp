//===- Constant.cpp - Shapes of constants and of shapes -------------------===//

#include "dialect/ir/ops/Constant.h"
#include "dialect/shape/Contents.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace omb::onnx;

static LogicalResult inferConstant(ConstantOp op, ShapeAnalysis &analysis) {
  ElementsAttr elements;
  if (!matchPattern(op.getResult(), m_Constant(&elements)))
    return op.emitOpError("has no value");
  Shape shape;
  for (int64_t size : elements.getShapedType().getShape())
    shape.push_back(analysis.getConstant(size));
  return analysis.setShape(op.getResult(), shape);
}

//===----------------------------------------------------------------------===//
// ConstantOfShape, EyeLike
//===----------------------------------------------------------------------===//

/// Records the elements where they are few integers.
static void setFilledContents(ConstantOfShapeOp op, ArrayRef<DimExpr> shape,
                              ShapeAnalysis &analysis) {
  auto value = dyn_cast_if_present<DenseIntElementsAttr>(
      op.getValue().value_or(nullptr));
  if (!value || value.getNumElements() != 1 || shape.size() > 1)
    return;
  std::optional<int64_t> count =
      shape.empty() ? 1 : getConstantSize(shape.front());
  if (!count || *count > ShapeAnalysis::kMaxContents)
    return;
  APInt number = *value.begin();
  bool isUnsigned = value.getElementType().isUnsignedInteger() ||
                    value.getElementType().isInteger(1);
  DimExpr element = analysis.getConstant(isUnsigned ? number.getZExtValue()
                                                    : number.getSExtValue());
  analysis.setContents(op.getOutput(), Shape(*count, element));
}

static LogicalResult inferConstantOfShape(ConstantOfShapeOp op,
                                          ShapeAnalysis &analysis) {
  if (std::optional<ElementsAttr> value = op.getValue())
    if (value->getNumElements() != 1)
      return op.emitOpError("has a value of ")
             << value->getNumElements() << " elements; it must be one";
  std::optional<Shape> target = analysis.getContents(op.getInput());
  std::optional<Shape> targetShape = analysis.getShape(op.getInput());
  if (targetShape && targetShape->size() != 1)
    return op.emitOpError("takes a shape of rank 1, not ")
           << targetShape->size();
  if (!target) {
    std::optional<int64_t> rank =
        targetShape ? getConstantSize(targetShape->front()) : std::nullopt;
    if (!rank)
      return success();
    target.emplace();
    for (int64_t dim = 0; dim < *rank; ++dim)
      target->push_back(analysis.getUnknown());
  }
  for (DimExpr &size : *target) {
    std::optional<int64_t> constant = getConstantSize(size);
    if (constant && *constant < 0)
      return op.emitOpError("has a dimension of size ") << *constant;
    if (!isNonNegative(size, analysis))
      size = analysis.getUnknown();
  }
  setFilledContents(op, *target, analysis);
  return analysis.setShape(op.getOutput(), *target);
}

static LogicalResult inferEyeLike(EyeLikeOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  if (!input)
    return success();
  if (input->size() != 2)
    return op.emitOpError("takes an input of rank 2, not ") << input->size();
  return analysis.setShape(op.getOutput(), *input);
}

//===----------------------------------------------------------------------===//
// Range
//===----------------------------------------------------------------------===//

/// The number that a float scalar is.
static std::optional<double> getFloat(Value value) {
  DenseFPElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) ||
      elements.getNumElements() != 1)
    return std::nullopt;
  APFloat number = *elements.begin();
  bool losesInfo;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return number.convertToDouble();
}

/// The number of elements of a Range of floats.
static DimExpr countFloats(RangeOp op, ShapeAnalysis &analysis) {
  std::optional<double> start = getFloat(op.getStart());
  std::optional<double> limit = getFloat(op.getLimit());
  std::optional<double> delta = getFloat(op.getDelta());
  if (!start || !limit || !delta)
    return analysis.getUnknown();
  // The difference is one of the element type, as at run time.
  double difference = *limit - *start;
  if (!getElementTypeOrSelf(op.getStart().getType()).isF64())
    difference = static_cast<float>(difference);
  double count = std::ceil(difference / *delta);
  if (!(count > 0))
    return analysis.getConstant(0);
  return count < 9e18 ? analysis.getConstant(static_cast<int64_t>(count))
                      : analysis.getUnknown();
}

/// The number of elements of a Range of integers.
static DimExpr countIntegers(DimExpr start, DimExpr limit, int64_t delta,
                             ShapeAnalysis &analysis) {
  DimExpr difference = normalizeSize(delta > 0 ? limit - start : start - limit);
  std::optional<int64_t> constant = getConstantSize(difference);
  if (delta == std::numeric_limits<int64_t>::min())
    return analysis.getUnknown();
  int64_t step = std::abs(delta);
  if (constant)
    return analysis.getConstant(*constant <= 0 ? 0
                                               : (*constant - 1) / step + 1);
  if (!isNonNegative(difference, analysis))
    return analysis.getUnknown();
  return difference.ceilDiv(step);
}

static LogicalResult inferRange(RangeOp op, ShapeAnalysis &analysis) {
  for (Value operand : op->getOperands()) {
    std::optional<Shape> shape = analysis.getShape(operand);
    if (!shape || shape->empty())
      continue;
    std::optional<int64_t> size = getConstantSize(shape->front());
    if (shape->size() > 1 || (size && *size != 1))
      return op.emitOpError("has an operand that is not a scalar");
  }
  if (isa<FloatType>(getElementTypeOrSelf(op.getStart().getType()))) {
    if (getFloat(op.getDelta()) == 0.0)
      return op.emitOpError("has a delta of 0");
    return analysis.setShape(op.getOutput(), {countFloats(op, analysis)});
  }
  std::optional<Shape> start = analysis.getContents(op.getStart());
  std::optional<Shape> limit = analysis.getContents(op.getLimit());
  std::optional<SmallVector<int64_t>> delta =
      analysis.getIntegers(op.getDelta());
  if (delta && delta->size() == 1 && delta->front() == 0)
    return op.emitOpError("has a delta of 0");
  if (!delta || delta->size() != 1 || !start || !limit)
    return analysis.setShape(op.getOutput(), {analysis.getUnknown()});
  DimExpr count =
      countIntegers(start->front(), limit->front(), delta->front(), analysis);
  std::optional<int64_t> size = getConstantSize(count);
  if (size && *size <= ShapeAnalysis::kMaxContents) {
    auto type =
        cast<IntegerType>(getElementTypeOrSelf(op.getStart().getType()));
    ContentsArithmetic arithmetic(analysis, type);
    Shape contents;
    for (int64_t position = 0; position < *size; ++position) {
      DimExpr step = arithmetic.mul(arithmetic.constant(delta->front()),
                                    arithmetic.constant(position));
      DimExpr element = step ? arithmetic.add(start->front(), step) : step;
      contents.push_back(element ? element : analysis.getUnknown());
    }
    analysis.setContents(op.getOutput(), contents);
  }
  return analysis.setShape(op.getOutput(), {count});
}

//===----------------------------------------------------------------------===//
// Shape, Size
//===----------------------------------------------------------------------===//

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

static LogicalResult inferSize(SizeOp op, ShapeAnalysis &analysis) {
  if (std::optional<Shape> input = analysis.getShape(op.getData()))
    analysis.setContents(op.getResult(),
                         normalizeSize(getProduct(*input, op.getContext())));
  return analysis.setShape(op.getResult(), {});
}

void omb::onnx::attachConstantShapes(MLIRContext &context) {
  attachShapeFunction<inferConstant, ConstantOp>(context);
  attachShapeFunction<inferConstantOfShape, ConstantOfShapeOp>(context);
  attachShapeFunction<inferEyeLike, EyeLikeOp>(context);
  attachShapeFunction<inferRange, RangeOp>(context);
  attachShapeFunction<inferShape, ShapeOp>(context);
  attachShapeFunction<inferSize, SizeOp>(context);
}
