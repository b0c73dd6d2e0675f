//===- Elementwise.cpp - Shapes of elementwise operators ------------------===//

#include "dialect/ir/ops/Elementwise.h"
#include "dialect/shape/Broadcasting.h"
#include "dialect/shape/Families.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace omb::onnx;

LogicalResult omb::onnx::inferBroadcast(Operation *op,
                                        ShapeAnalysis &analysis) {
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

LogicalResult omb::onnx::inferSameShape(Operation *op,
                                        ShapeAnalysis &analysis) {
  if (std::optional<Shape> shape = analysis.getShape(op->getOperand(0)))
    return analysis.setShape(op->getResult(0), *shape);
  return success();
}

/// The bounds are scalars, not broadcast. Exporters write vectors of one
/// element too, and ONNX Runtime takes them.
static LogicalResult inferClip(ClipOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  for (Value bound : {op.getMin(), op.getMax()}) {
    std::optional<Shape> shape =
        bound ? analysis.getShape(bound) : std::nullopt;
    bool isOneElement = shape && shape->size() == 1 &&
                        getConstantSize(shape->front()) == 1 && input &&
                        !input->empty();
    if (shape && !shape->empty() && !isOneElement)
      return op->emitOpError("has a 'min' or 'max' of rank ")
             << shape->size() << "; it must be a scalar";
  }
  return inferSameShape(op, analysis);
}

static LogicalResult inferCastLike(CastLikeOp op, ShapeAnalysis &analysis) {
  return inferSameShape(op, analysis);
}

//===----------------------------------------------------------------------===//
// Contents, one element
//===----------------------------------------------------------------------===//

using Elements = ArrayRef<DimExpr>;

static DimExpr evaluate(AbsOp, const ContentsArithmetic &c, Elements x) {
  return c.isUnsigned() ? x[0] : c.max(x[0], c.sub(c.constant(0), x[0]));
}
static DimExpr evaluate(AddOp, const ContentsArithmetic &c, Elements x) {
  return c.add(x[0], x[1]);
}
static DimExpr evaluate(CastOp, const ContentsArithmetic &c, Elements x) {
  return c.cast(x[0]);
}
static DimExpr evaluate(DivOp, const ContentsArithmetic &c, Elements x) {
  return c.div(x[0], x[1]);
}
static DimExpr evaluate(MaxOp, const ContentsArithmetic &c, Elements x) {
  DimExpr result = x[0];
  for (DimExpr next : x.drop_front())
    result = result ? c.max(result, next) : result;
  return result;
}
static DimExpr evaluate(MinOp, const ContentsArithmetic &c, Elements x) {
  DimExpr result = x[0];
  for (DimExpr next : x.drop_front())
    result = result ? c.min(result, next) : result;
  return result;
}
static DimExpr evaluate(ModOp op, const ContentsArithmetic &c, Elements x) {
  return c.mod(x[0], x[1], /*truncated=*/op.getFmod());
}
static DimExpr evaluate(MulOp, const ContentsArithmetic &c, Elements x) {
  return c.mul(x[0], x[1]);
}
static DimExpr evaluate(NegOp, const ContentsArithmetic &c, Elements x) {
  return c.sub(c.constant(0), x[0]);
}
static DimExpr evaluate(SubOp, const ContentsArithmetic &c, Elements x) {
  return c.sub(x[0], x[1]);
}

template <typename... OpTs> static void attachContents(MLIRContext &context) {
  (attachShapeFunction<inferBroadcastContents<OpTs, evaluate>, OpTs>(context),
   ...);
}

void omb::onnx::attachElementwiseShapes(MLIRContext &context) {
  attachContents<AbsOp, AddOp, CastOp, DivOp, MaxOp, MinOp, ModOp, MulOp, NegOp,
                 SubOp>(context);
  attachShapeFunction<inferBroadcast, MeanOp, PowOp, SumOp>(context);
  attachShapeFunction<inferSameShape, AcosOp, AcoshOp, AsinOp, AsinhOp, AtanOp,
                      AtanhOp, BitCastOp, CeilOp, CosOp, CoshOp, ErfOp, ExpOp,
                      FloorOp, IsInfOp, IsNaNOp, LogOp, ReciprocalOp, RoundOp,
                      SignOp, SinOp, SinhOp, SqrtOp, TanOp, TanhOp>(context);
  attachShapeFunction<inferCastLike, CastLikeOp>(context);
  attachShapeFunction<inferClip, ClipOp>(context);
}
