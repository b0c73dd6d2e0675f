//===- Transcendentals.cpp - Functions of one float -----------------------===//

#include "lowering/to_linalg/Transcendentals.h"

#include "lowering/to_linalg/FloatFormat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb;

/// ln 2 in two parts; the first has few enough bits for exact products with
/// exponents.
static constexpr double kLn2High = 0.693147182464599609375;
static constexpr double kLn2Low = -1.90465429995776787854e-9;

Value omb::buildSqrt(Scalars &s, Value x) { return math::SqrtOp::create(s, x); }

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

namespace {

/// e^x = 2^exponent * (1 + rest)
struct Exponential {
  Value exponent;
  Value rest;
};

} // namespace

/// For f64 in the range where e^x is neither 0 nor infinite.
static Exponential reduceExponential(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value exponent = format.toInteger(s.mul(x, llvm::numbers::log2e));
  Value n = format.toFloat(exponent);
  Value r = s.sub(s.sub(x, s.mul(n, kLn2High)), s.mul(n, kLn2Low));
  // The series from x^2 on; |r| < 0.35.
  SmallVector<double> coefficients;
  double factorial = 1;
  for (int power = 2; power <= 14; ++power) {
    factorial *= power;
    coefficients.push_back(1 / factorial);
  }
  Value p = format.polynomial(r, coefficients);
  return {exponent, s.add(r, s.mul(s.mul(r, r), p))};
}

Value omb::buildExp(Scalars &s, Value x) {
  if (!x.getType().isF64())
    return math::ExpOp::create(s, x);
  FloatFormat format(s, x);
  Value clamped = s.max(s.min(x, 720.0), -750.0);
  Exponential e = reduceExponential(s, clamped);
  // In two steps, since 2^exponent may be out of range where e^x isn't.
  Value half = arith::ShRSIOp::create(s, e.exponent, format.bits(1));
  Value otherHalf = arith::SubIOp::create(s, e.exponent, half);
  Value result = s.mul(s.mul(s.add(e.rest, 1.0), format.powerOfTwo(half)),
                       format.powerOfTwo(otherHalf));
  return s.select(s.isNaN(x), x, result);
}

Value omb::buildExpM1(Scalars &s, Value x) {
  if (!x.getType().isF64())
    return math::ExpM1Op::create(s, x);
  FloatFormat format(s, x);
  Value clamped = s.max(s.min(x, 720.0), -100.0);
  Exponential e = reduceExponential(s, clamped);
  // 2^n * rest + (2^n - 1), with half of 2^n, which is in range.
  Value scale =
      format.powerOfTwo(arith::SubIOp::create(s, e.exponent, format.bits(1)));
  Value half = s.add(s.mul(scale, e.rest), s.add(scale, -0.5));
  Value result = s.mul(half, 2.0);
  // The result is infinite from 2^1025 on, where the scale isn't.
  result =
      s.select(s.less(s.constant(x, 709.8), x), s.highest(x.getType()), result);
  Value isTiny = s.less(s.abs(x), std::ldexp(1.0, -54));
  return s.select(arith::OrIOp::create(s, isTiny, s.isNaN(x)), x, result);
}

//===----------------------------------------------------------------------===//
// Logarithms
//===----------------------------------------------------------------------===//

/// log(2^n * m) = n * ln 2 + 2 * atanh((m - 1) / (m + 1)), m around 1.
Value omb::buildLog(Scalars &s, Value x) {
  if (!x.getType().isF64())
    return math::LogOp::create(s, x);
  FloatFormat format(s, x);
  Value isSubnormal = s.less(x, 0x1p-1022);
  Value normal = s.select(isSubnormal, s.mul(x, 0x1p54), x);
  // Exponents are counted from sqrt(1/2) instead of 1.
  Value origin = format.toBits(s.constant(x, std::sqrt(0.5)));
  Value distance = arith::SubIOp::create(s, format.toBits(normal), origin);
  Value exponent = arith::ShRSIOp::create(s, distance, format.bits(52));
  Value m = format.fromBits(arith::SubIOp::create(
      s, format.toBits(normal), format.shiftLeft(exponent, 52)));
  Value n = format.toFloat(exponent);
  n = s.select(isSubnormal, s.add(n, -54.0), n);

  Value one = s.constant(x, 1);
  Value f = s.sub(m, one);
  Value quotient = s.div(f, s.add(m, one));
  Value square = s.mul(quotient, quotient);
  SmallVector<double> coefficients;
  for (int power = 3; power <= 23; power += 2)
    coefficients.push_back(2.0 / power);
  // 2q = f - q * f: the error of the quotient matters less this way.
  Value tail =
      s.mul(s.mul(quotient, square), format.polynomial(square, coefficients));
  Value logM = s.sub(f, s.sub(s.mul(quotient, f), tail));
  Value result = s.add(s.mul(n, kLn2High), s.add(logM, s.mul(n, kLn2Low)));

  Value zero = s.constant(x, 0);
  Value infinity = s.highest(x.getType());
  result = s.select(s.less(x, infinity), result, x);
  result = s.select(s.equal(x, zero), s.lowest(x.getType()), result);
  return s.select(s.less(x, zero), s.sub(infinity, infinity), result);
}

/// The rounding error of 1 + x is known, and corrected.
Value omb::buildLog1P(Scalars &s, Value x) {
  if (!x.getType().isF64())
    return math::Log1pOp::create(s, x);
  Value one = s.constant(x, 1);
  Value sum = s.add(x, one);
  Value rounded = s.sub(sum, one);
  Value corrected = s.mul(buildLog(s, sum), s.div(x, rounded));
  Value isExact = arith::OrIOp::create(s, s.equal(rounded, x),
                                       s.equal(sum, s.highest(x.getType())));
  Value result = s.select(isExact, buildLog(s, sum), corrected);
  return s.select(s.equal(rounded, s.constant(x, 0)), x, result);
}

//===----------------------------------------------------------------------===//
// Hyperbolic functions
//===----------------------------------------------------------------------===//

/// e^|x| / 2, which may be finite where e^|x| isn't.
static Value buildHalfExp(Scalars &s, Value magnitude) {
  Value root = buildExp(s, s.mul(magnitude, 0.5));
  return s.mul(s.mul(root, 0.5), root);
}

static double getExpLimit(Value x) { return x.getType().isF64() ? 700 : 80; }

Value omb::buildCosh(Scalars &s, Value x) {
  Value a = s.abs(x);
  Value e = buildExp(s, a);
  Value sum = s.add(s.mul(e, 0.5), s.div(s.constant(x, 0.5), e));
  return s.select(s.less(a, getExpLimit(x)), sum, buildHalfExp(s, a));
}

Value omb::buildSinh(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value a = s.abs(x);
  // e^a - e^-a, where e^a = 1 + m
  Value m = buildExpM1(s, a);
  Value difference = s.mul(s.add(m, s.div(m, s.add(m, 1.0))), 0.5);
  Value result =
      s.select(s.less(a, getExpLimit(x)), difference, buildHalfExp(s, a));
  return format.copySign(result, x);
}

Value omb::buildTanh(Scalars &s, Value x) {
  if (!x.getType().isF64())
    return math::TanhOp::create(s, x);
  FloatFormat format(s, x);
  Value m = buildExpM1(s, s.mul(s.abs(x), -2.0));
  return format.copySign(s.div(s.neg(m), s.add(m, 2.0)), x);
}

/// From here on 1 + x^2 is x^2.
static double getSquareLimit(Value x) {
  return x.getType().isF64() ? 1e9 : 1e5;
}

Value omb::buildAsinh(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value a = s.abs(x);
  Value square = s.mul(a, a);
  Value root = format.sqrt(s.add(square, 1.0));
  // a + sqrt(a^2 + 1) - 1, without cancellation
  Value small = buildLog1P(s, s.add(a, s.div(square, s.add(root, 1.0))));
  Value large = s.add(buildLog(s, a), llvm::numbers::ln2);
  Value result = s.select(s.less(a, getSquareLimit(x)), small, large);
  return format.copySign(result, x);
}

Value omb::buildAcosh(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value t = s.add(x, -1.0);
  Value root = format.sqrt(s.add(s.mul(t, 2.0), s.mul(t, t)));
  Value small = buildLog1P(s, s.add(t, root));
  Value large = s.add(buildLog(s, x), llvm::numbers::ln2);
  Value result = s.select(s.less(x, getSquareLimit(x)), small, large);
  Value infinity = s.highest(x.getType());
  return s.select(s.less(x, 1.0), s.sub(infinity, infinity), result);
}

Value omb::buildAtanh(Scalars &s, Value x) {
  FloatFormat format(s, x);
  Value a = s.abs(x);
  Value quotient = s.div(s.mul(a, 2.0), s.sub(s.constant(x, 1), a));
  Value result = s.mul(buildLog1P(s, quotient), 0.5);
  return format.copySign(result, x);
}

//===----------------------------------------------------------------------===//
// The error function
//===----------------------------------------------------------------------===//

/// erf(x) / x for |x| <= 1, a polynomial of x^2 with an error below 1e-17.
static constexpr double kErfSmall[] = {
    1.12837916709551257,     -0.376126389031835404,   0.112837916709450063,
    -0.0268661706432377704,  0.00522397760711642273,  -0.000854832597538969208,
    0.000120552949048397079, -1.49247369074196033e-5, 1.64474247033173624e-6,
    -1.62084838018717059e-7, 1.37200645467776856e-8,  -7.79589882700214224e-10};

/// (1 - erf(x)) * e^(x^2) for 1 <= x <= 6, a polynomial of
/// (x - 2.5) / (x + 2.5) with an error of 1.1e-16.
static constexpr double kErfcLarge[] = {
    0.210806364061143571,     -0.371736733948973238,   0.251713193217456006,
    -0.12503305237885553,     0.0399225390747837979,   -0.00399370116414698679,
    -0.0026423659277596579,   0.000875915401916885563, 0.000228379558966054137,
    -0.000128876496153171986, -3.4172229273553034e-5,  1.86097123146174644e-5,
    7.48480117852628033e-6,   -2.28421730943413455e-6, -1.56252585077431593e-6,
    8.13438070922963423e-8};

Value omb::buildErf(Scalars &s, Value x) {
  if (!x.getType().isF64())
    return math::ErfOp::create(s, x);
  FloatFormat format(s, x);
  Value a = s.min(s.abs(x), 6.0);
  Value square = s.mul(a, a);
  Value small = s.mul(a, format.polynomial(square, kErfSmall));
  Value t = s.div(s.add(a, -2.5), s.add(a, 2.5));
  Value complement =
      s.mul(buildExp(s, s.neg(square)), format.polynomial(t, kErfcLarge));
  Value large = s.sub(s.constant(x, 1), complement);
  return format.copySign(s.select(s.less(a, 1.0), small, large), x);
}
