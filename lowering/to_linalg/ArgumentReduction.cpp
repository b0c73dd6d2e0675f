//===- ArgumentReduction.cpp - Exponents taken out of arguments -----------===//

#include "lowering/to_linalg/ArgumentReduction.h"

#include "lowering/to_linalg/FloatFormat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb;

Exponential omb::reduceExponential(Scalars &s, Value x, Value low) {
  FloatFormat format(s, x);
  Value exponent = format.toInteger(s.mul(x, llvm::numbers::log2e));
  Value n = format.toFloat(exponent);
  Value high = s.sub(x, s.mul(n, kLn2High));
  Value r = s.add(s.sub(high, s.mul(n, kLn2Low)), low);
  // The series from x^2 on; |r| < 0.35.
  SmallVector<double> coefficients;
  double factorial = 1;
  for (int power = 2; power <= (format.isF64() ? 14 : 8); ++power) {
    factorial *= power;
    coefficients.push_back(1 / factorial);
  }
  Value p = format.polynomial(r, coefficients);
  return {exponent, s.add(r, s.mul(s.mul(r, r), p))};
}

Value omb::scaleExponential(Scalars &s, Exponential exponential) {
  FloatFormat format(s, exponential.rest);
  // In two steps: 2^exponent may be out of range where the product isn't.
  Value exponent = exponential.exponent;
  Value half = arith::ShRSIOp::create(s, exponent, format.bits(1));
  Value otherHalf = arith::SubIOp::create(s, exponent, half);
  return s.mul(s.mul(s.add(exponential.rest, 1.0), format.powerOfTwo(half)),
               format.powerOfTwo(otherHalf));
}

SplitFloat omb::splitAroundOne(Scalars &s, Value x) {
  FloatFormat format(s, x);
  unsigned stored = format.getPrecision() - 1;
  Value isSubnormal = s.less(x, std::ldexp(1.0, int(1 - format.getBias())));
  Value normal =
      s.select(isSubnormal, s.mul(x, std::ldexp(1.0, stored + 1)), x);
  // Exponents are counted from sqrt(1/2) instead of 1.
  Value origin = format.toBits(s.constant(x, std::sqrt(0.5)));
  Value distance = arith::SubIOp::create(s, format.toBits(normal), origin);
  Value exponent = arith::ShRSIOp::create(s, distance, format.bits(stored));
  Value significand = format.fromBits(arith::SubIOp::create(
      s, format.toBits(normal), format.shiftLeft(exponent, stored)));
  Value n = format.toFloat(exponent);
  n = s.select(isSubnormal, s.add(n, -double(stored + 1)), n);
  return {n, significand};
}
