//===- Rounding.cpp - Quotients and integers that are rounded -------------===//

#include "lowering/vector/Rounding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace omb::kernels;

Value omb::kernels::getRoundTrip(Operation &op) {
  Value integer;
  bool isSigned = isa<arith::SIToFPOp>(op);
  if (isSigned || isa<arith::UIToFPOp>(op))
    integer = op.getOperand(0);
  auto narrow = integer ? integer.getDefiningOp<arith::TruncIOp>() : nullptr;
  auto whole =
      narrow ? narrow.getIn().getDefiningOp<arith::FPToSIOp>() : nullptr;
  if (!whole || whole.getIn().getType() != op.getResult(0).getType())
    return nullptr;
  // least < x ? x : least, of x < most ? x : most
  auto getLimit = [](Value value, bool isLower, Value &limited) {
    auto select = value.getDefiningOp<arith::SelectOp>();
    auto less =
        select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : nullptr;
    APFloat limit(0.0f);
    if (!less || less.getPredicate() != arith::CmpFPredicate::OLT ||
        !matchPattern(select.getFalseValue(), m_ConstantFloat(&limit)))
      return std::optional<double>();
    limited = select.getTrueValue();
    Value first = isLower ? select.getFalseValue() : limited,
          second = isLower ? limited : select.getFalseValue();
    bool fits = less.getLhs() == first && less.getRhs() == second;
    return fits ? std::optional(limit.convertToDouble()) : std::nullopt;
  };
  Value inner, number;
  std::optional<double> least = getLimit(whole.getIn(), true, inner),
                        most = least ? getLimit(inner, false, number)
                                     : std::optional<double>();
  if (!most)
    return nullptr;
  int64_t range = int64_t(1) << narrow.getType().getIntOrFloatBitWidth();
  double lowest = isSigned ? -range / 2 : 0;
  auto shifted = number.getDefiningOp<arith::AddFOp>();
  APFloat shift(0.0f);
  if (shifted) {
    if (!matchPattern(shifted.getRhs(), m_ConstantFloat(&shift)) ||
        !shift.isInteger())
      return nullptr;
    number = shifted.getLhs();
  }
  bool isIntegral = number.getDefiningOp<math::RoundEvenOp>() != nullptr;
  return isIntegral && *least >= lowest && *most <= lowest + range - 1
             ? whole.getIn()
             : Value();
}

static APFloat getReciprocal(const APFloat &value) {
  APFloat reciprocal(value.getSemantics(), 1);
  reciprocal.divide(value, APFloat::rmNearestTiesToEven);
  return reciprocal;
}

FloatAttr omb::kernels::getRoundedDivisor(Operation &op) {
  FloatAttr divisor;
  bool isRounded =
      isa<arith::DivFOp>(op) && op.getResult(0).getType().isF32() &&
      llvm::all_of(op.getUsers(), llvm::IsaPred<math::RoundEvenOp>) &&
      matchPattern(op.getOperand(1), m_Constant(&divisor));
  if (!isRounded || !divisor.getValue().isNormal() ||
      !getReciprocal(divisor.getValue()).isNormal())
    return nullptr;
  return divisor;
}

Value omb::kernels::divideForRounding(OpBuilder &builder, Location loc,
                                      Value lhs, FloatAttr rhs) {
  Type type = lhs.getType();
  auto constant = [&](APFloat value) -> Value {
    TypedAttr attr = builder.getFloatAttr(getElementTypeOrSelf(type), value);
    if (auto lanes = dyn_cast<VectorType>(type))
      attr = DenseElementsAttr::get(lanes, value);
    return arith::ConstantOp::create(builder, loc, attr);
  };
  // A quotient by the reciprocal, corrected by its remainder, is the rounded
  // quotient. (Infinities have none.)
  Value reciprocal = constant(getReciprocal(rhs.getValue()));
  Value quotient = arith::MulFOp::create(builder, loc, lhs, reciprocal);
  Value remainder = math::FmaOp::create(builder, loc, quotient,
                                        constant(neg(rhs.getValue())), lhs);
  Value corrected =
      math::FmaOp::create(builder, loc, remainder, reciprocal, quotient);
  Value isNumber = arith::CmpFOp::create(
      builder, loc, arith::CmpFPredicate::ORD, corrected, corrected);
  return arith::SelectOp::create(builder, loc, isNumber, corrected, quotient);
}
