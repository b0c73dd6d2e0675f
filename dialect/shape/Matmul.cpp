//===- Matmul.cpp - Shapes of matrix products -----------------------------===//

#include "dialect/shape/Matmul.h"

#include "dialect/ir/ops/Matmul.h"
#include "dialect/shape/EinsumEquation.h"
#include "dialect/shape/Families.h"

using namespace mlir;
using namespace omb::onnx;

/// Checks that the dimensions that are summed over have one size.
static LogicalResult checkInner(Operation *op, DimExpr lhs, DimExpr rhs,
                                ShapeAnalysis &analysis) {
  if (analysis.merge(lhs, rhs))
    return success();
  return op->emitOpError("can't multiply rows of ")
         << analysis.getName(lhs) << " elements by columns of "
         << analysis.getName(rhs);
}

LogicalResult omb::onnx::inferMatrixProduct(Operation *op, Value a, Value b,
                                            ShapeAnalysis &analysis) {
  std::optional<Shape> lhs = analysis.getShape(a);
  std::optional<Shape> rhs = analysis.getShape(b);
  for (const std::optional<Shape> &shape : {lhs, rhs})
    if (shape && shape->empty())
      return op->emitOpError("can't multiply a scalar; use Mul");
  if (!lhs || !rhs)
    return success();

  bool isRow = lhs->size() == 1;
  bool isColumn = rhs->size() == 1;
  DimExpr inner = isColumn ? rhs->back() : (*rhs)[rhs->size() - 2];
  if (failed(checkInner(op, lhs->back(), inner, analysis)))
    return failure();
  ArrayRef<DimExpr> lhsDims(*lhs), rhsDims(*rhs);
  Shape lhsBatch(lhsDims.drop_back(isRow ? 1 : 2));
  Shape rhsBatch(rhsDims.drop_back(isColumn ? 1 : 2));
  FailureOr<Shape> result = analysis.broadcast(op, {lhsBatch, rhsBatch});
  if (failed(result))
    return failure();
  if (!isRow)
    result->push_back((*lhs)[lhs->size() - 2]);
  if (!isColumn)
    result->push_back(rhs->back());
  return analysis.setShape(op->getResult(0), *result);
}

static LogicalResult inferMatMul(MatMulOp op, ShapeAnalysis &analysis) {
  return inferMatrixProduct(op, op.getA(), op.getB(), analysis);
}

/// Checks that `bias` is broadcast to `result`, not the other way round.
static LogicalResult checkBias(GemmOp op, ArrayRef<DimExpr> bias,
                               ArrayRef<DimExpr> result,
                               ShapeAnalysis &analysis) {
  bool fits = bias.size() <= result.size();
  for (size_t i = 1; fits && i <= bias.size(); ++i) {
    DimExpr own = bias[bias.size() - i];
    DimExpr size = result[result.size() - i];
    fits = getConstantSize(own) == 1 || analysis.merge(own, size);
  }
  if (fits)
    return success();
  return op.emitOpError("has a C that can't be broadcast to ")
         << analysis.getName(result[0]) << " x " << analysis.getName(result[1]);
}

static LogicalResult inferGemm(GemmOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> lhs = analysis.getShape(op.getA());
  std::optional<Shape> rhs = analysis.getShape(op.getB());
  for (const std::optional<Shape> &shape : {lhs, rhs})
    if (shape && shape->size() != 2)
      return op.emitOpError("takes matrices, but has an operand of rank ")
             << shape->size();
  if (!lhs || !rhs)
    return success();
  if (op.getTransA())
    std::swap((*lhs)[0], (*lhs)[1]);
  if (op.getTransB())
    std::swap((*rhs)[0], (*rhs)[1]);
  if (failed(checkInner(op, (*lhs)[1], (*rhs)[0], analysis)))
    return failure();
  Shape result{(*lhs)[0], (*rhs)[1]};
  if (Value bias = op.getC())
    if (std::optional<Shape> shape = analysis.getShape(bias))
      if (failed(checkBias(op, *shape, result, analysis)))
        return failure();
  return analysis.setShape(op.getResult(), result);
}

static LogicalResult inferEinsum(EinsumOp op, ShapeAnalysis &analysis) {
  SmallVector<Shape> shapes;
  SmallVector<int64_t> ranks;
  for (Value operand : op.getInputs()) {
    std::optional<Shape> shape = analysis.getShape(operand);
    if (!shape)
      return success();
    ranks.push_back(shape->size());
    shapes.push_back(*shape);
  }
  FailureOr<EinsumEquation> equation = parseEinsum(op, op.getEquation(), ranks);
  if (failed(equation))
    return failure();

  llvm::DenseMap<int64_t, DimExpr> sizes;
  for (auto [labels, shape] : llvm::zip(equation->operands, shapes)) {
    for (auto [label, size] : llvm::zip(labels, shape)) {
      DimExpr &known = sizes.try_emplace(label, size).first->second;
      DimExpr both = analysis.broadcast(known, size);
      if (!both)
        return op.emitOpError("has operands whose sizes differ: ")
               << analysis.getName(known) << " and " << analysis.getName(size)
               << " for one label of '" << op.getEquation() << "'";
      known = both;
    }
  }
  Shape result;
  for (int64_t label : equation->result)
    result.push_back(sizes.lookup(label));
  return analysis.setShape(op.getResult(), result);
}

static LogicalResult inferDet(DetOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getX());
  if (!shape)
    return success();
  if (shape->size() < 2)
    return op.emitOpError("takes matrices, but has an operand of rank ")
           << shape->size();
  DimExpr rows = (*shape)[shape->size() - 2];
  if (!analysis.merge(rows, shape->back()))
    return op.emitOpError("takes square matrices, but has ")
           << analysis.getName(rows) << " x "
           << analysis.getName(shape->back());
  return analysis.setShape(op.getResult(), ArrayRef(*shape).drop_back(2));
}

void omb::onnx::attachMatmulShapes(MLIRContext &context) {
  attachShapeFunction<inferMatMul, MatMulOp>(context);
  attachShapeFunction<inferGemm, GemmOp>(context);
  attachShapeFunction<inferEinsum, EinsumOp>(context);
  attachShapeFunction<inferDet, DetOp>(context);
}
