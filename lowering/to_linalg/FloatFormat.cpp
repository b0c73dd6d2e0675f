//===- FloatFormat.cpp - The parts of an f32 or f64 -----------------------===//

#include "lowering/to_linalg/FloatFormat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using omb::FloatFormat;

Value FloatFormat::toBits(Value x) {
  return arith::BitcastOp::create(s, getBitsType(), x);
}

Value FloatFormat::fromBits(Value bits) {
  return arith::BitcastOp::create(s, type, bits);
}

Value FloatFormat::bits(uint64_t value) {
  return arith::ConstantOp::create(
      s, s.getIntegerAttr(getBitsType(), APInt(64, value).trunc(getWidth())));
}

Value FloatFormat::shiftLeft(Value x, Value amount) {
  return arith::ShLIOp::create(s, x, amount);
}

Value FloatFormat::shiftRight(Value x, Value amount) {
  return arith::ShRUIOp::create(s, x, amount);
}

Value FloatFormat::bitAnd(Value lhs, Value rhs) {
  return arith::AndIOp::create(s, lhs, rhs);
}

Value FloatFormat::bitOr(Value lhs, Value rhs) {
  return arith::OrIOp::create(s, lhs, rhs);
}

Value FloatFormat::powerOfTwo(Value exponent) {
  Value biased = arith::AddIOp::create(s, exponent, bits(getBias()));
  return fromBits(shiftLeft(biased, getPrecision() - 1));
}

Value FloatFormat::toInteger(Value x) {
  return arith::FPToSIOp::create(s, getBitsType(),
                                 math::RoundEvenOp::create(s, x));
}

Value FloatFormat::toFloat(Value integer, bool isUnsigned) {
  if (isUnsigned)
    return arith::UIToFPOp::create(s, type, integer);
  return arith::SIToFPOp::create(s, type, integer);
}

Value FloatFormat::copySign(Value magnitude, Value sign) {
  return math::CopySignOp::create(s, magnitude, sign);
}

Value FloatFormat::sqrt(Value x) { return math::SqrtOp::create(s, x); }

Value FloatFormat::polynomial(Value x, ArrayRef<double> coefficients) {
  Value result = s.constant(x, coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    result = s.add(s.mul(result, x), coefficient);
  return result;
}
