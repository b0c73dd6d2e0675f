//===- Transcendentals.cpp - Functions of one float -----------------------===//

#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using omb::Scalars;

#define OMB_MATH_FUNCTION(BUILDER, OP)                                         \
  Value omb::BUILDER(Scalars &s, Value x) { return math::OP::create(s, x); }
OMB_MATH_FUNCTION(buildAcos, AcosOp)
OMB_MATH_FUNCTION(buildAcosh, AcoshOp)
OMB_MATH_FUNCTION(buildAsin, AsinOp)
OMB_MATH_FUNCTION(buildAsinh, AsinhOp)
OMB_MATH_FUNCTION(buildAtan, AtanOp)
OMB_MATH_FUNCTION(buildAtanh, AtanhOp)
OMB_MATH_FUNCTION(buildCos, CosOp)
OMB_MATH_FUNCTION(buildCosh, CoshOp)
OMB_MATH_FUNCTION(buildErf, ErfOp)
OMB_MATH_FUNCTION(buildExp, ExpOp)
OMB_MATH_FUNCTION(buildExpM1, ExpM1Op)
OMB_MATH_FUNCTION(buildLog, LogOp)
OMB_MATH_FUNCTION(buildLog1P, Log1pOp)
OMB_MATH_FUNCTION(buildSin, SinOp)
OMB_MATH_FUNCTION(buildSinh, SinhOp)
OMB_MATH_FUNCTION(buildSqrt, SqrtOp)
OMB_MATH_FUNCTION(buildTan, TanOp)
OMB_MATH_FUNCTION(buildTanh, TanhOp)
#undef OMB_MATH_FUNCTION

Value omb::buildPow(Scalars &s, Value base, Value exponent) {
  return math::PowFOp::create(s, base, exponent);
}

Value omb::buildFMod(Scalars &s, Value lhs, Value rhs) {
  return arith::RemFOp::create(s, lhs, rhs);
}
