//===- Logical.cpp - Shapes of comparisons and bit operations -------------===//

#include "dialect/ir/ops/Logical.h"
#include "dialect/shape/Broadcasting.h"
#include "dialect/shape/Families.h"

using namespace mlir;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// Contents, one element
//===----------------------------------------------------------------------===//

using Elements = ArrayRef<DimExpr>;

static DimExpr negate(const ContentsArithmetic &c, std::optional<bool> value) {
  return c.boolean(value ? std::optional(!*value) : std::nullopt);
}

static DimExpr evaluate(AndOp, const ContentsArithmetic &c, Elements x) {
  return c.min(x[0], x[1]);
}
static DimExpr evaluate(EqualOp, const ContentsArithmetic &c, Elements x) {
  return c.boolean(c.equal(x[0], x[1]));
}
static DimExpr evaluate(GreaterOp, const ContentsArithmetic &c, Elements x) {
  return c.boolean(c.less(x[1], x[0]));
}
static DimExpr evaluate(GreaterOrEqualOp, const ContentsArithmetic &c,
                        Elements x) {
  return negate(c, c.less(x[0], x[1]));
}
static DimExpr evaluate(LessOp, const ContentsArithmetic &c, Elements x) {
  return c.boolean(c.less(x[0], x[1]));
}
static DimExpr evaluate(LessOrEqualOp, const ContentsArithmetic &c,
                        Elements x) {
  return negate(c, c.less(x[1], x[0]));
}
static DimExpr evaluate(NotOp, const ContentsArithmetic &c, Elements x) {
  std::optional<int64_t> value = getConstantSize(x[0]);
  return c.boolean(value ? std::optional(*value == 0) : std::nullopt);
}
static DimExpr evaluate(OrOp, const ContentsArithmetic &c, Elements x) {
  return c.max(x[0], x[1]);
}
static DimExpr evaluate(WhereOp, const ContentsArithmetic &, Elements x) {
  if (x[1] == x[2])
    return x[1];
  std::optional<int64_t> condition = getConstantSize(x[0]);
  if (!condition)
    return {};
  return *condition ? x[1] : x[2];
}

template <typename... OpTs> static void attachContents(MLIRContext &context) {
  (attachShapeFunction<inferBroadcastContents<OpTs, evaluate>, OpTs>(context),
   ...);
}

void omb::onnx::attachLogicalShapes(MLIRContext &context) {
  attachContents<AndOp, EqualOp, GreaterOp, GreaterOrEqualOp, LessOp,
                 LessOrEqualOp, NotOp, OrOp, WhereOp>(context);
  attachShapeFunction<inferBroadcast, BitShiftOp, BitwiseAndOp, BitwiseOrOp,
                      BitwiseXorOp, XorOp>(context);
  attachShapeFunction<inferSameShape, BitwiseNotOp>(context);
}
