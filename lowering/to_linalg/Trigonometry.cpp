//===- Trigonometry.cpp - Circular functions and their inverses -----------===//

#include "lowering/to_linalg/FloatFormat.h"
#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb;

//===----------------------------------------------------------------------===//
// Range reduction
//===----------------------------------------------------------------------===//

/// The bits of 2 / pi after the binary point.
static constexpr uint64_t kTwoOverPi[] = {
    0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
    0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c,
    0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41,
    0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab, 0xf0cfbc209af4361d};

namespace {

/// |x| = quadrant * pi/2 + rest, where |rest| <= pi/4.
struct Reduced {
  Value rest;
  Value quadrant;
};

/// Payne and Hanek's reduction, for numbers of any size. |x| is an integer m
/// times 2^e. Bits of 2/pi that make multiples of 4 times m don't matter, and
/// neither do those far behind: three words between them are multiplied by m,
/// which gives the quadrant in its first two bits and then the fraction of it.
class PayneHanek {
public:
  PayneHanek(Scalars &s, Value x) : s(s), format(s, x), x(x) {}
  Reduced reduce();

private:
  /// Word `position` of a zero word and the bits of 2 / pi.
  Value getWord(unsigned position);
  /// Four words from word `position` on, a value known at run time.
  SmallVector<Value> getWords(Value position);
  /// `high` and `low` shifted to the left, the high word of it.
  Value funnelShift(Value high, Value low, Value amount);
  /// m times the words, without what overflows.
  SmallVector<Value> multiply(Value m, ArrayRef<Value> words);

  Scalars &s;
  FloatFormat format;
  Value x;
};

} // namespace

Value PayneHanek::getWord(unsigned position) {
  if (position == 0)
    return format.bits(0);
  if (format.isF64())
    return format.bits(kTwoOverPi[position - 1]);
  uint64_t pair = kTwoOverPi[(position - 1) / 2];
  return format.bits(position % 2 ? pair >> 32 : pair & 0xffffffff);
}

SmallVector<Value> PayneHanek::getWords(Value position) {
  // Shifts the whole array by each bit of the position.
  unsigned levels = format.isF64() ? 5 : 3;
  unsigned count = format.isF64() ? 20 : 8;
  SmallVector<Value> words;
  for (unsigned i = 0; i < count; ++i)
    words.push_back(getWord(i));
  for (unsigned level = levels; level-- > 0;) {
    unsigned step = 1u << level;
    Value bit = format.bitAnd(position, format.bits(step));
    Value moves = s.notEqual(bit, format.bits(0));
    unsigned needed = std::min<unsigned>(4 + step - 1, words.size());
    SmallVector<Value> next;
    for (unsigned i = 0; i < needed; ++i)
      next.push_back(i + step < words.size()
                         ? s.select(moves, words[i + step], words[i])
                         : words[i]);
    words = next;
  }
  return words;
}

Value PayneHanek::funnelShift(Value high, Value low, Value amount) {
  Value left =
      arith::SubIOp::create(s, format.bits(format.getWidth() - 1), amount);
  // In two steps: a shift by the whole width has no result.
  Value carried = format.shiftRight(format.shiftRight(low, 1), left);
  return format.bitOr(format.shiftLeft(high, amount), carried);
}

SmallVector<Value> PayneHanek::multiply(Value m, ArrayRef<Value> words) {
  auto [low, lowCarry] = s.mulExtended(m, words[2]);
  auto [middle, middleCarry] = s.mulExtended(m, words[1]);
  Value sum = arith::AddIOp::create(s, middle, lowCarry);
  Value overflows =
      arith::CmpIOp::create(s, arith::CmpIPredicate::ult, sum, middle);
  Value carry = arith::ExtUIOp::create(s, format.getBitsType(), overflows);
  Value high = s.add(s.add(s.mul(m, words[0]), middleCarry), carry);
  return {high, sum, low};
}

Reduced PayneHanek::reduce() {
  unsigned width = format.getWidth();
  unsigned precision = format.getPrecision();
  Value magnitude = s.abs(x);
  Value all = format.toBits(magnitude);
  Value exponent = format.shiftRight(all, precision - 1);
  Value hidden = format.bits(uint64_t(1) << (precision - 1));
  Value m = format.bitOr(
      format.bitAnd(all, format.bits((uint64_t(1) << (precision - 1)) - 1)),
      hidden);
  // Where the bits of weight 2 and less begin.
  int64_t first = format.getBias() + precision - 1 - (width - 2);
  Value offset = arith::MaxSIOp::create(
      s, arith::SubIOp::create(s, exponent, format.bits(first)),
      format.bits(0));
  Value amount = format.bitAnd(offset, format.bits(width - 1));
  SmallVector<Value> words =
      getWords(format.shiftRight(offset, llvm::Log2_32(width)));
  SmallVector<Value> window;
  for (unsigned i = 0; i < 3; ++i)
    window.push_back(funnelShift(words[i], words[i + 1], amount));
  SmallVector<Value> product = multiply(m, window);

  Value two = format.bits(2);
  Value fraction = funnelShift(product[0], product[1], two);
  Value behind = funnelShift(product[1], product[2], two);
  // A fraction of a half or more is a negative one of the next quadrant.
  Value quadrant = format.shiftRight(product[0], width - 2);
  quadrant = arith::AddIOp::create(s, quadrant,
                                   format.shiftRight(fraction, width - 1));
  double unit = std::ldexp(1.0, -int(width));
  Value turns =
      s.add(s.mul(format.toFloat(fraction), unit),
            s.mul(format.toFloat(behind, /*isUnsigned=*/true), unit * unit));
  Value rest = s.mul(turns, llvm::numbers::pi / 2);

  Value isSmall = s.less(magnitude, 0.5);
  return {s.select(isSmall, magnitude, rest),
          s.select(isSmall, format.bits(0), quadrant)};
}

//===----------------------------------------------------------------------===//
// Sine, cosine, tangent
//===----------------------------------------------------------------------===//

/// Coefficients of the series of sine (from x^3 on) or cosine (from x^4 on), as
/// polynomials of x^2.
static SmallVector<double> getSeries(unsigned firstPower, unsigned count) {
  SmallVector<double> coefficients;
  double factorial = 1;
  for (unsigned power = 1; power < firstPower + 2 * count; ++power) {
    factorial *= power;
    if (power >= firstPower && (power - firstPower) % 2 == 0)
      coefficients.push_back((power / 2 % 2 ? -1 : 1) / factorial);
  }
  return coefficients;
}

static Value buildSinOfRest(Scalars &s, Value r) {
  FloatFormat format(s, r);
  Value square = s.mul(r, r);
  Value p = format.polynomial(square, getSeries(3, format.isF64() ? 8 : 4));
  return s.add(r, s.mul(r, s.mul(square, p)));
}

static Value buildCosOfRest(Scalars &s, Value r) {
  FloatFormat format(s, r);
  Value square = s.mul(r, r);
  Value p = format.polynomial(square, getSeries(4, format.isF64() ? 7 : 4));
  return s.add(s.add(s.mul(square, -0.5), 1.0),
               s.mul(s.mul(square, square), p));
}

static Value isOdd(Scalars &s, FloatFormat &format, Value quadrant,
                   unsigned bit) {
  return s.notEqual(format.bitAnd(quadrant, format.bits(bit)), format.bits(0));
}

/// NaN where `x` is infinite or NaN.
static Value withoutInfinities(Scalars &s, Value x, Value result) {
  Value isFinite = s.less(s.abs(x), s.highest(x.getType()));
  return s.select(isFinite, result, FloatFormat(s, x).nan());
}

/// `x` where it is so small that it is the result, which keeps -0.
static Value orTiny(Scalars &s, Value x, Value result) {
  bool isF64 = x.getType().isF64();
  Value isTiny = s.less(s.abs(x), std::ldexp(1.0, isF64 ? -27 : -13));
  return s.select(isTiny, x, result);
}

Value omb::buildSin(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Reduced reduced = PayneHanek(s, x).reduce();
  Value value = s.select(isOdd(s, format, reduced.quadrant, 1),
                         buildCosOfRest(s, reduced.rest),
                         buildSinOfRest(s, reduced.rest));
  Value isNegated = arith::XOrIOp::create(
      s, isOdd(s, format, reduced.quadrant, 2), s.less(x, 0.0));
  Value result = s.select(isNegated, s.neg(value), value);
  return withoutInfinities(s, x, orTiny(s, x, result));
}

Value omb::buildCos(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Reduced reduced = PayneHanek(s, x).reduce();
  Value value = s.select(isOdd(s, format, reduced.quadrant, 1),
                         buildSinOfRest(s, reduced.rest),
                         buildCosOfRest(s, reduced.rest));
  // Negative in quadrants 1 and 2.
  Value next = arith::AddIOp::create(s, reduced.quadrant, format.bits(1));
  Value result = s.select(isOdd(s, format, next, 2), s.neg(value), value);
  return withoutInfinities(s, x, result);
}

Value omb::buildTan(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Reduced reduced = PayneHanek(s, x).reduce();
  Value sine = buildSinOfRest(s, reduced.rest);
  Value cosine = buildCosOfRest(s, reduced.rest);
  Value odd = isOdd(s, format, reduced.quadrant, 1);
  Value value =
      s.div(s.select(odd, s.neg(cosine), sine), s.select(odd, sine, cosine));
  Value result = s.select(s.less(x, 0.0), s.neg(value), value);
  return withoutInfinities(s, x, orTiny(s, x, result));
}

//===----------------------------------------------------------------------===//
// Inverse functions
//===----------------------------------------------------------------------===//

/// atan(t) for |t| <= 1/4, by its series.
static Value buildAtanOfRest(Scalars &s, Value t) {
  FloatFormat format(s, t);
  SmallVector<double> coefficients;
  for (int power = 3; power <= (format.isF64() ? 25 : 11); power += 2)
    coefficients.push_back((power / 2 % 2 ? -1.0 : 1.0) / power);
  Value square = s.mul(t, t);
  return s.add(
      t, s.mul(t, s.mul(square, format.polynomial(square, coefficients))));
}

/// atan(a) = atan(c) + atan((a - c) / (1 + a * c)), with c out of 0, 1/2, 1,
/// and pi/2 - atan(1 / a) for a > 1.
Value omb::buildAtan(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value a = s.abs(x);
  Value isBig = s.less(s.constant(x, 1), a);
  Value isNearOne =
      s.select(isBig, s.less(a, 4.0 / 3), s.less(s.constant(x, 0.75), a));
  Value isNearZero =
      s.select(isBig, s.less(s.constant(x, 4), a), s.less(a, 0.25));
  auto choose = [&](double zero, double half, double one) {
    return s.select(
        isNearZero, s.constant(x, zero),
        s.select(isNearOne, s.constant(x, one), s.constant(x, half)));
  };
  Value c = choose(0, 0.5, 1);
  // Zero times infinity has no value.
  Value scaled = s.select(isNearZero, s.constant(x, 0), s.mul(a, c));
  Value one = s.constant(x, 1);
  Value inner = s.add(one, scaled);
  Value numerator = s.select(isBig, s.sub(one, scaled), s.sub(a, c));
  Value denominator = s.select(isBig, s.add(a, c), inner);
  Value rest = buildAtanOfRest(s, s.div(numerator, denominator));

  double half = 0.463647609000806116214, pi = llvm::numbers::pi;
  Value base = choose(0, half, pi / 4);
  Value bigBase = choose(pi / 2, pi / 2 - half, pi / 4);
  Value result = s.select(isBig, s.sub(bigBase, rest), s.add(base, rest));
  return format.copySign(result, x);
}

/// asin(x) is twice the angle whose tangent is x / (1 + sqrt(1 - x^2)).
Value omb::buildAsin(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value one = s.constant(x, 1);
  Value root = format.sqrt(s.mul(s.sub(one, x), s.add(one, x)));
  return orTiny(s, x, s.mul(buildAtan(s, s.div(x, s.add(one, root))), 2.0));
}

/// acos(x) is twice the angle whose tangent is sqrt((1 - x) / (1 + x)).
Value omb::buildAcos(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value one = s.constant(x, 1);
  Value tangent = format.sqrt(s.div(s.sub(one, x), s.add(one, x)));
  return s.mul(buildAtan(s, tangent), 2.0);
}
