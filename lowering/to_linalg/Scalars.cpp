//===- Scalars.cpp - Arithmetic on single elements ------------------------===//

#include "lowering/to_linalg/Scalars.h"

#include "lowering/to_linalg/NarrowFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using omb::Scalars;

Value Scalars::constant(Type type, double number) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(*this, getFloatAttr(type, number));
  return arith::ConstantOp::create(*this,
                                   getIntegerAttr(type, int64_t(number)));
}

Value Scalars::constant(Value like, double number) {
  return constant(like.getType(), number);
}

Value Scalars::lowest(Type type) {
  if (auto floating = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        *this, getFloatAttr(type, APFloat::getInf(floating.getFloatSemantics(),
                                                  /*Negative=*/true)));
  unsigned width = type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      *this,
      getIntegerAttr(type, isUnsigned ? APInt::getMinValue(width)
                                      : APInt::getSignedMinValue(width)));
}

Value Scalars::highest(Type type) {
  if (auto floating = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        *this,
        getFloatAttr(type, APFloat::getInf(floating.getFloatSemantics())));
  unsigned width = type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      *this,
      getIntegerAttr(type, isUnsigned ? APInt::getMaxValue(width)
                                      : APInt::getSignedMaxValue(width)));
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value Scalars::add(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::AddFOp::create(*this, lhs, rhs);
  return arith::AddIOp::create(*this, lhs, rhs);
}

Value Scalars::sub(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::SubFOp::create(*this, lhs, rhs);
  return arith::SubIOp::create(*this, lhs, rhs);
}

Value Scalars::mul(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::MulFOp::create(*this, lhs, rhs);
  return arith::MulIOp::create(*this, lhs, rhs);
}

Value Scalars::getSafeDivisor(Value dividend, Value divisor) {
  Value one = constant(divisor, 1);
  Value isBad = equal(divisor, constant(divisor, 0));
  if (!isUnsigned) {
    // The processor traps on lowest / -1 as it does on n / 0.
    Value overflows = arith::AndIOp::create(
        *this, equal(dividend, lowest(dividend.getType())),
        equal(divisor, constant(divisor, -1)));
    isBad = arith::OrIOp::create(*this, isBad, overflows);
  }
  return select(isBad, one, divisor);
}

Value Scalars::div(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::DivFOp::create(*this, lhs, rhs);
  Value divisor = getSafeDivisor(lhs, rhs);
  Value quotient =
      isUnsigned ? arith::DivUIOp::create(*this, lhs, divisor).getResult()
                 : arith::DivSIOp::create(*this, lhs, divisor).getResult();
  Value zero = constant(lhs, 0);
  return select(equal(rhs, zero), zero, quotient);
}

Value Scalars::rem(Value lhs, Value rhs) {
  Value divisor = getSafeDivisor(lhs, rhs);
  if (isUnsigned)
    return arith::RemUIOp::create(*this, lhs, divisor);
  return arith::RemSIOp::create(*this, lhs, divisor);
}

/// From the four products of half words. Not by arith.mului_extended, which
/// MLIR has no translation to LLVM for once it is of vectors of several
/// dimensions, and not by a type of twice the width, which a GPU may lack.
std::pair<Value, Value> Scalars::mulExtended(Value lhs, Value rhs) {
  unsigned width = lhs.getType().getIntOrFloatBitWidth();
  auto word = [&](const APInt &value) -> Value {
    return arith::ConstantOp::create(*this,
                                     getIntegerAttr(lhs.getType(), value));
  };
  Value half = word(APInt(width, width / 2));
  Value mask = word(APInt::getLowBitsSet(width, width / 2));
  auto lower = [&](Value x) -> Value {
    return arith::AndIOp::create(*this, x, mask);
  };
  auto upper = [&](Value x) -> Value {
    return arith::ShRUIOp::create(*this, x, half);
  };
  auto times = [&](Value x, Value y) -> Value {
    return arith::MulIOp::create(*this, x, y);
  };
  auto plus = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(*this, x, y);
  };
  Value inner = times(lower(lhs), upper(rhs));
  Value outer = times(upper(lhs), lower(rhs));
  Value carried = plus(plus(upper(times(lower(lhs), lower(rhs))), lower(inner)),
                       lower(outer));
  Value high = plus(plus(times(upper(lhs), upper(rhs)), upper(carried)),
                    plus(upper(inner), upper(outer)));
  return {times(lhs, rhs), high};
}

Value Scalars::neg(Value x) {
  if (isFloat(x))
    return arith::NegFOp::create(*this, x);
  return sub(constant(x, 0), x);
}

Value Scalars::abs(Value x) {
  if (isFloat(x))
    return math::AbsFOp::create(*this, x);
  if (isUnsigned)
    return x;
  return math::AbsIOp::create(*this, x);
}

// Not by its own op, for which IREE has no function where CPUs have no such
// instruction; it has one for floor.
Value Scalars::ceil(Value x) {
  return neg(math::FloorOp::create(*this, neg(x)));
}

// Not whether they are equal: LLVM would truncate then, by a function that IREE
// doesn't have for such CPUs either.
Value Scalars::hasFraction(Value x) {
  return less(math::FloorOp::create(*this, x), x);
}

Value Scalars::max(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::MaximumFOp::create(*this, lhs, rhs);
  if (isUnsigned)
    return arith::MaxUIOp::create(*this, lhs, rhs);
  return arith::MaxSIOp::create(*this, lhs, rhs);
}

Value Scalars::min(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::MinimumFOp::create(*this, lhs, rhs);
  if (isUnsigned)
    return arith::MinUIOp::create(*this, lhs, rhs);
  return arith::MinSIOp::create(*this, lhs, rhs);
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

Value Scalars::equal(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OEQ, lhs, rhs);
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, lhs, rhs);
}

Value Scalars::notEqual(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::UNE, lhs, rhs);
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ne, lhs, rhs);
}

Value Scalars::less(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OLT, lhs, rhs);
  return arith::CmpIOp::create(
      *this, isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt,
      lhs, rhs);
}

Value Scalars::lessEqual(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OLE, lhs, rhs);
  return arith::CmpIOp::create(
      *this, isUnsigned ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle,
      lhs, rhs);
}

Value Scalars::select(Value condition, Value ifTrue, Value ifFalse) {
  return arith::SelectOp::create(*this, condition, ifTrue, ifFalse);
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

Value Scalars::widen(Value x) {
  auto type = dyn_cast<FloatType>(x.getType());
  if (!type || type.getWidth() >= 32)
    return x;
  if (isNarrowFloat(type))
    return decodeNarrowFloat(*this, x, type);
  return arith::ExtFOp::create(*this, getF32Type(), x);
}

Value Scalars::extend(Value x, Type type) {
  auto from = dyn_cast<IntegerType>(x.getType());
  auto to = dyn_cast<IntegerType>(type);
  if (!from || !to || from.getWidth() >= to.getWidth())
    return widen(x);
  if (isUnsigned)
    return arith::ExtUIOp::create(*this, to, x);
  return arith::ExtSIOp::create(*this, to, x);
}

Value Scalars::narrow(Value x, Type type) {
  if (x.getType() == type || !isa<FloatType>(type))
    return x;
  if (type.isBF16() && x.getType().isF32())
    x = roundToBFloat(*this, x);
  return arith::TruncFOp::create(*this, type, x);
}

Value Scalars::toFloat(Value x, Type type) {
  if (isUnsigned)
    return arith::UIToFPOp::create(*this, type, x);
  return arith::SIToFPOp::create(*this, type, x);
}

Value Scalars::toInteger(Value x, Type type) {
  if (isUnsigned)
    return arith::FPToUIOp::create(*this, type, x);
  return arith::FPToSIOp::create(*this, type, x);
}
