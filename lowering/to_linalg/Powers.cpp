//===- Powers.cpp - Powers and remainders ---------------------------------===//

#include "lowering/to_linalg/ArgumentReduction.h"
#include "lowering/to_linalg/FloatFormat.h"
#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb;

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

namespace {

/// The sum of two floats, the second of which is below the precision of the
/// first.
struct Pair {
  Value high;
  Value low;
};

/// Arithmetic whose rounding errors are kept.
class PairArithmetic {
public:
  PairArithmetic(Scalars &s, Value like) : s(s), format(s, like) {}

  /// |lhs| is not less than |rhs|, or 0. The sum is subtracted by halves:
  /// drivers of GPUs may simplify (lhs + rhs) - lhs.
  Pair add(Value lhs, Value rhs) {
    Value sum = s.add(lhs, rhs);
    Pair parts = split(sum);
    Value left = s.sub(s.sub(lhs, parts.high), parts.low);
    return {sum, s.add(left, rhs)};
  }
  /// By halves of the significands, whose products are exact.
  Pair multiply(Value lhs, Value rhs) {
    Pair a = split(lhs), b = split(rhs);
    Value product = s.mul(lhs, rhs);
    Value error = s.sub(s.mul(a.high, b.high), product);
    error = s.add(error, s.mul(a.high, b.low));
    error = s.add(error, s.mul(a.low, b.high));
    return {product, s.add(error, s.mul(a.low, b.low))};
  }

private:
  Pair split(Value x) {
    unsigned dropped = (format.getPrecision() + 1) / 2;
    Value mask = format.bits(~((uint64_t(1) << dropped) - 1));
    Value high = format.fromBits(format.bitAnd(format.toBits(x), mask));
    return {high, s.sub(x, high)};
  }

  Scalars &s;
  FloatFormat format;
};

} // namespace

/// The logarithm of a positive and finite `x`: n * ln 2 + 2 * atanh(q).
static Pair buildLogPair(Scalars &s, Value x) {
  FloatFormat format(s, x);
  PairArithmetic pairs(s, x);
  auto [n, m] = splitAroundOne(s, x);
  Value one = s.constant(x, 1);
  Value numerator = s.sub(m, one);
  Pair denominator = pairs.add(one, m);
  Value q = s.div(numerator, denominator.high);
  Pair back = pairs.multiply(q, denominator.high);
  Value missing = s.sub(s.sub(numerator, back.high), back.low);
  missing = s.sub(missing, s.mul(q, denominator.low));
  Value qLow = s.div(missing, denominator.high);

  SmallVector<double> coefficients;
  for (int power = 3; power <= (format.isF64() ? 23 : 11); power += 2)
    coefficients.push_back(2.0 / power);
  Value square = s.mul(q, q);
  Value tail = s.mul(s.mul(q, square), format.polynomial(square, coefficients));
  tail = s.add(tail, s.add(s.mul(qLow, 2.0), s.mul(n, kLn2Low)));
  Pair sum = pairs.add(s.mul(n, kLn2High), s.mul(q, 2.0));
  return pairs.add(sum.high, s.add(sum.low, tail));
}

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

/// |base| ^ exponent for a finite base that isn't 0.
static Value buildPositivePow(Scalars &s, Value magnitude, Value exponent) {
  bool isF64 = magnitude.getType().isF64();
  // Larger exponents give 0, 1 or infinity just as well.
  double limit = std::ldexp(1.0, isF64 ? 70 : 40);
  Value y = s.max(s.min(exponent, limit), -limit);
  Pair log = buildLogPair(s, magnitude);
  Pair product = PairArithmetic(s, y).multiply(y, log.high);
  Value low = s.add(product.low, s.mul(y, log.low));
  double range = isF64 ? 760 : 120;
  Value isInside = s.less(s.abs(product.high), range);
  Value clamped = s.max(s.min(product.high, range), -range);
  return scaleExponential(
      s, reduceExponential(s, clamped,
                           s.select(isInside, low, s.constant(low, 0))));
}

/// The number that `x` is, before conversions, if it is a constant.
static std::optional<double> getNumber(Value x) {
  while (Operation *op = x.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp, arith::UIToFPOp>(
            op))
      break;
    x = op->getOperand(0);
  }
  APFloat number(0.0);
  if (matchPattern(x, m_ConstantFloat(&number)))
    return number.convertToDouble();
  APInt integer;
  if (matchPattern(x, m_ConstantInt(&integer)) && integer.isSignedIntN(8))
    return double(integer.getSExtValue());
  return std::nullopt;
}

/// A power by few multiplications or a square root; null where it takes more.
static Value buildSimplePow(Scalars &s, Value base, Value exponent) {
  std::optional<double> number = getNumber(exponent);
  if (!number)
    return {};
  if (*number == 0.5) {
    // The root of -0 is -0, and that of -infinity is NaN.
    Value root = s.add(math::SqrtOp::create(s, base), 0.0);
    return s.select(s.equal(base, s.lowest(base.getType())),
                    s.highest(base.getType()), root);
  }
  if (std::abs(*number) > 4 || *number != std::trunc(*number))
    return {};
  Value one = s.constant(base, 1);
  Value power = one;
  for (int i = 0; i < std::abs(*number); ++i)
    power = i == 0 ? base : s.mul(power, base);
  return *number < 0 ? s.div(one, power) : power;
}

Value omb::buildPow(Scalars &s, Value base, Value exponent) {
  if (Value simple = buildSimplePow(s, base, exponent))
    return simple;
  FloatFormat format(s, base);
  auto both = [&](Value lhs, Value rhs) {
    return arith::AndIOp::create(s, lhs, rhs).getResult();
  };
  auto either = [&](Value lhs, Value rhs) {
    return arith::OrIOp::create(s, lhs, rhs).getResult();
  };
  Value zero = s.constant(base, 0);
  Value one = s.constant(base, 1);
  Value infinity = s.highest(base.getType());
  Value magnitude = s.abs(base);
  Value result = buildPositivePow(s, magnitude, exponent);

  Value isZero = s.equal(base, zero);
  Value isInfinite = s.equal(magnitude, infinity);
  Value grows = arith::XOrIOp::create(s, isZero, s.less(zero, exponent));
  result = s.select(either(isZero, isInfinite), s.select(grows, infinity, zero),
                    result);
  Value isFractional = s.hasFraction(exponent);
  Value isOdd = both(s.equal(isFractional, s.constant(isFractional, 0)),
                     s.hasFraction(s.mul(exponent, 0.5)));
  Value isNegative = s.less(format.copySign(one, base), zero);
  result = s.select(both(isNegative, isOdd), s.neg(result), result);

  Value hasNoRoot =
      both(both(s.less(base, zero), s.less(magnitude, infinity)), isFractional);
  Value isNaN = either(s.isNaN(base), s.isNaN(exponent));
  result = s.select(either(hasNoRoot, isNaN), format.nan(), result);
  return s.select(either(s.equal(exponent, zero), s.equal(base, one)), one,
                  result);
}

//===----------------------------------------------------------------------===//
// Remainders
//===----------------------------------------------------------------------===//

namespace {

/// significand * 2^exponent, both integers; the exponent has an offset.
struct IntegerFloat {
  Value significand;
  Value exponent;
};

} // namespace

static IntegerFloat takeApart(Scalars &s, FloatFormat &format, Value x) {
  unsigned stored = format.getPrecision() - 1;
  Value bits = format.toBits(x);
  Value exponent = format.shiftRight(bits, stored);
  Value hidden = format.bits(uint64_t(1) << stored);
  Value rest = format.bitAnd(bits, format.bits((uint64_t(1) << stored) - 1));
  Value isSubnormal = s.equal(exponent, format.bits(0));
  return {s.select(isSubnormal, rest, format.bitOr(rest, hidden)),
          s.select(isSubnormal, format.bits(1), exponent)};
}

/// significand * 2^shift mod divisor, as many bits at a time as there is room
/// for. `like` is a float of the format.
static Value buildShiftedRemainder(Scalars &s, Value like, Value significand,
                                   Value shift, Value divisor) {
  FloatFormat format(s, like);
  int64_t room = format.getWidth() - format.getPrecision();
  Type type = divisor.getType();
  Value zero = format.bits(0);
  Value step = format.bits(room);
  Value start = arith::RemUIOp::create(s, significand, divisor);
  auto loop = scf::WhileOp::create(
      s, TypeRange{type, type}, ValueRange{start, shift},
      [&](OpBuilder &b, Location loc, ValueRange state) {
        Value isLeft = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt,
                                             state[1], zero);
        scf::ConditionOp::create(b, loc, isLeft, state);
      },
      [&](OpBuilder &b, Location loc, ValueRange state) {
        Value count = arith::MinSIOp::create(b, loc, state[1], step);
        Value shifted = arith::ShLIOp::create(b, loc, state[0], count);
        Value rest = arith::RemUIOp::create(b, loc, shifted, divisor);
        Value left = arith::SubIOp::create(b, loc, state[1], count);
        scf::YieldOp::create(b, loc, ValueRange{rest, left});
      });
  return loop.getResult(0);
}

Value omb::buildFMod(Scalars &s, Value lhs, Value rhs) {
  FloatFormat format(s, lhs);
  Value magnitude = s.abs(lhs);
  Value divisor = s.abs(rhs);
  Value zero = s.constant(lhs, 0);
  IntegerFloat a = takeApart(s, format, magnitude);
  IntegerFloat b = takeApart(s, format, divisor);
  Value shift = arith::SubIOp::create(s, a.exponent, b.exponent);
  Value isInside = s.less(divisor, s.highest(lhs.getType()));
  // No divisor 0, and no loop where it isn't needed.
  Value isValid = arith::AndIOp::create(
      s, s.less(zero, divisor), s.less(magnitude, s.highest(lhs.getType())));
  Value isLarger = arith::AndIOp::create(
      s, isValid,
      arith::AndIOp::create(s, isInside, s.lessEqual(divisor, magnitude)));
  Value integer = buildShiftedRemainder(
      s, lhs, a.significand, s.select(isLarger, shift, format.bits(0)),
      s.select(isLarger, b.significand, format.bits(1)));

  // The exponent in two steps, since it may be one of a subnormal number.
  Value exponent = arith::SubIOp::create(
      s, b.exponent, format.bits(format.getBias() + format.getPrecision() - 1));
  Value half = arith::ShRSIOp::create(s, exponent, format.bits(1));
  Value otherHalf = arith::SubIOp::create(s, exponent, half);
  Value rest = s.mul(s.mul(format.toFloat(integer), format.powerOfTwo(half)),
                     format.powerOfTwo(otherHalf));
  Value result = s.select(isLarger, rest, magnitude);
  return s.select(isValid, format.copySign(result, lhs), format.nan());
}
