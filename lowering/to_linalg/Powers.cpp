//===- Powers.cpp - Powers and remainders ---------------------------------===//

#include "lowering/to_linalg/FloatFormat.h"
#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace omb;

Value omb::buildPow(Scalars &s, Value base, Value exponent) {
  return math::PowFOp::create(s, base, exponent);
}

Value omb::buildFMod(Scalars &s, Value lhs, Value rhs) {
  return arith::RemFOp::create(s, lhs, rhs);
}
