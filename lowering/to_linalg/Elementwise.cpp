//===- Elementwise.cpp - Lowering of elementwise arithmetic ---------------===//

#include "dialect/ir/ops/Elementwise.h"
#include "lowering/to_linalg/Cast.h"
#include "lowering/to_linalg/ElementwisePattern.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// One element
//===----------------------------------------------------------------------===//

static Value computeScalar(AbsOp, Scalars &s, ValueRange x) {
  return s.abs(x[0]);
}
static Value computeScalar(AcosOp, Scalars &s, ValueRange x) {
  return buildAcos(s, x[0]);
}
static Value computeScalar(AcoshOp, Scalars &s, ValueRange x) {
  return buildAcosh(s, x[0]);
}
static Value computeScalar(AddOp, Scalars &s, ValueRange x) {
  return s.add(x[0], x[1]);
}
static Value computeScalar(AsinOp, Scalars &s, ValueRange x) {
  return buildAsin(s, x[0]);
}
static Value computeScalar(AsinhOp, Scalars &s, ValueRange x) {
  return buildAsinh(s, x[0]);
}
static Value computeScalar(AtanOp, Scalars &s, ValueRange x) {
  return buildAtan(s, x[0]);
}
static Value computeScalar(AtanhOp, Scalars &s, ValueRange x) {
  return buildAtanh(s, x[0]);
}
static Value computeScalar(CeilOp, Scalars &s, ValueRange x) {
  return s.ceil(x[0]);
}
static Value computeScalar(CosOp, Scalars &s, ValueRange x) {
  return buildCos(s, x[0]);
}
static Value computeScalar(CoshOp, Scalars &s, ValueRange x) {
  return buildCosh(s, x[0]);
}
static Value computeScalar(DivOp, Scalars &s, ValueRange x) {
  return s.div(x[0], x[1]);
}
static Value computeScalar(ErfOp, Scalars &s, ValueRange x) {
  return buildErf(s, x[0]);
}
static Value computeScalar(ExpOp, Scalars &s, ValueRange x) {
  return buildExp(s, x[0]);
}
static Value computeScalar(FloorOp, Scalars &s, ValueRange x) {
  return math::FloorOp::create(s, x[0]);
}
static Value computeScalar(IsNaNOp, Scalars &s, ValueRange x) {
  return s.isNaN(x[0]);
}
static Value computeScalar(LogOp, Scalars &s, ValueRange x) {
  return buildLog(s, x[0]);
}
static Value computeScalar(MulOp, Scalars &s, ValueRange x) {
  return s.mul(x[0], x[1]);
}
static Value computeScalar(NegOp, Scalars &s, ValueRange x) {
  return s.neg(x[0]);
}
static Value computeScalar(ReciprocalOp, Scalars &s, ValueRange x) {
  return s.div(s.constant(x[0], 1), x[0]);
}
static Value computeScalar(RoundOp, Scalars &s, ValueRange x) {
  return math::RoundEvenOp::create(s, x[0]);
}
static Value computeScalar(SinOp, Scalars &s, ValueRange x) {
  return buildSin(s, x[0]);
}
static Value computeScalar(SinhOp, Scalars &s, ValueRange x) {
  return buildSinh(s, x[0]);
}
static Value computeScalar(SqrtOp, Scalars &s, ValueRange x) {
  return buildSqrt(s, x[0]);
}
static Value computeScalar(SubOp, Scalars &s, ValueRange x) {
  return s.sub(x[0], x[1]);
}
static Value computeScalar(TanOp, Scalars &s, ValueRange x) {
  return buildTan(s, x[0]);
}
static Value computeScalar(TanhOp, Scalars &s, ValueRange x) {
  return buildTanh(s, x[0]);
}

static Value computeScalar(IsInfOp op, Scalars &s, ValueRange x) {
  Value isInf = s.constant(s.getI1Type(), 0);
  if (op.getDetectNegative())
    isInf = s.equal(x[0], s.lowest(x[0].getType()));
  if (op.getDetectPositive())
    isInf = arith::OrIOp::create(s, isInf,
                                 s.equal(x[0], s.highest(x[0].getType())));
  return isInf;
}

static Value computeScalar(SignOp, Scalars &s, ValueRange x) {
  Value zero = s.constant(x[0], 0);
  // Neither less, nor greater, nor equal: NaN stays what it is. What the CPU
  // takes for zero isn't.
  Value sign = s.select(s.equal(x[0], zero), zero, x[0]);
  sign = s.select(s.less(zero, x[0]), s.constant(x[0], 1), sign);
  return s.select(s.less(x[0], zero), s.constant(x[0], -1), sign);
}

static Value computeScalar(ClipOp op, Scalars &s, ValueRange x) {
  Value clipped = x[0];
  if (op.getMin())
    clipped = s.max(clipped, x[1]);
  if (op.getMax())
    clipped = s.min(clipped, x.back());
  return clipped;
}

/// The remainder with the sign of the divisor, or of the dividend (`fmod`).
static Value computeScalar(ModOp op, Scalars &s, ValueRange x) {
  Value zero = s.constant(x[0], 0);
  bool isFloat = isa<FloatType>(x[0].getType());
  Value remainder = isFloat ? buildFMod(s, x[0], x[1]) : s.rem(x[0], x[1]);
  if (op.getFmod())
    return remainder;
  // A remainder of the other sign is one divisor off.
  Value differs =
      arith::XOrIOp::create(s, s.less(remainder, zero), s.less(x[1], zero));
  Value isZero = s.equal(remainder, zero);
  Value shifted = s.select(differs, s.add(remainder, x[1]), remainder);
  Value signedZero =
      isFloat ? math::CopySignOp::create(s, zero, x[1]).getResult() : zero;
  return s.select(isZero, signedZero, shifted);
}

static Value fold(Value (Scalars::*combine)(Value, Value), Scalars &s,
                  ValueRange x) {
  Value result = x[0];
  for (Value next : x.drop_front())
    result = (s.*combine)(result, next);
  return result;
}
static Value computeScalar(MaxOp, Scalars &s, ValueRange x) {
  return fold(&Scalars::max, s, x);
}
static Value computeScalar(MinOp, Scalars &s, ValueRange x) {
  return fold(&Scalars::min, s, x);
}
static Value computeScalar(SumOp, Scalars &s, ValueRange x) {
  return fold(&Scalars::add, s, x);
}
static Value computeScalar(MeanOp, Scalars &s, ValueRange x) {
  return s.div(fold(&Scalars::add, s, x), s.constant(x[0], x.size()));
}

/// Wraps around. A negative power of anything but 1 and -1 is truncated to 0.
static Value buildIntegerPow(Scalars &base, Scalars &exponent, Value x,
                             Value y) {
  unsigned width = x.getType().getIntOrFloatBitWidth();
  unsigned exponentWidth = y.getType().getIntOrFloatBitWidth();
  unsigned bits = std::min(width, exponentWidth);
  APInt known;
  if (matchPattern(y, m_ConstantInt(&known)))
    bits = std::min(bits, known.getActiveBits());
  Value one = base.constant(x, 1);
  Value zero = exponent.constant(y, 0);
  Value result = one;
  Value power = x;
  // x^(2^bit) is 0 or 1 from the width on, so that one step does the rest.
  Value rest = y;
  for (unsigned bit = 0; bit < bits; ++bit) {
    Value low = arith::AndIOp::create(base, rest, exponent.constant(y, 1));
    result = base.select(exponent.notEqual(low, zero), base.mul(result, power),
                         result);
    power = base.mul(power, power);
    rest = arith::ShRUIOp::create(base, rest, exponent.constant(y, 1));
  }
  if (bits < exponentWidth)
    result = base.select(exponent.notEqual(rest, zero), base.mul(result, power),
                         result);
  if (exponent.isUnsignedInteger())
    return result;
  Value minusOne = base.constant(x, -1);
  Value isUnit = base.equal(x, one);
  if (!base.isUnsignedInteger())
    isUnit = arith::OrIOp::create(base, isUnit, base.equal(x, minusOne));
  // The odd powers of 1 and -1, even negative ones, are the number itself.
  Value isOdd = exponent.notEqual(
      arith::AndIOp::create(base, y, exponent.constant(y, 1)), zero);
  Value inverse =
      base.select(isUnit, base.select(isOdd, x, one), base.constant(x, 0));
  return base.select(exponent.less(y, zero), inverse, result);
}

static Value convertToFloat(Scalars &s, Value x, Type type) {
  if (isa<IntegerType>(x.getType()))
    return s.toFloat(x, type);
  unsigned from = x.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from == to)
    return x;
  return from < to ? arith::ExtFOp::create(s, type, x).getResult()
                   : arith::TruncFOp::create(s, type, x).getResult();
}

/// The result has the type of the base, but is computed in the wider type.
static Value computeScalar(PowOp op, Scalars &s, ValueRange x) {
  Type baseType = getElementTypeOrSelf(op.getX());
  Scalars base(s, s.getLoc(), baseType);
  Type type = x[0].getType();
  bool isInteger = isa<IntegerType>(type);
  if (isInteger && isa<IntegerType>(x[1].getType()))
    return buildIntegerPow(base, s, x[0], x[1]);
  Type wide = isInteger || x[1].getType().isF64() ? s.getF64Type() : type;
  Value power = buildPow(s, convertToFloat(base, x[0], wide),
                         convertToFloat(s, x[1], wide));
  if (isInteger)
    return buildCast(s, power, wide, baseType, NarrowingOptions());
  return convertToFloat(s, power, type);
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

template <typename... OpTs>
static void addPatterns(const TypeConverter &converter,
                        RewritePatternSet &patterns) {
  patterns.add<ElementwiseToGeneric<OpTs, computeScalar>...>(
      converter, patterns.getContext());
}

void omb::populateElementwiseToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  addPatterns<AbsOp, AcosOp, AcoshOp, AddOp, AsinOp, AsinhOp, AtanOp, AtanhOp,
              CeilOp, ClipOp, CosOp, CoshOp, DivOp, ErfOp, ExpOp, FloorOp,
              IsInfOp, IsNaNOp, LogOp, MaxOp, MeanOp, MinOp, ModOp, MulOp,
              NegOp, PowOp, ReciprocalOp, RoundOp, SignOp, SinOp, SinhOp,
              SqrtOp, SubOp, SumOp, TanOp, TanhOp>(converter, patterns);
}
