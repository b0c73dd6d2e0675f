//===- Logical.cpp - Lowering of comparisons and bit operations -----------===//

#include "dialect/ir/ops/Logical.h"
#include "lowering/to_linalg/ElementwisePattern.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// One element
//===----------------------------------------------------------------------===//

static Value computeScalar(AndOp, Scalars &s, ValueRange x) {
  return arith::AndIOp::create(s, x[0], x[1]);
}
static Value computeScalar(BitwiseAndOp, Scalars &s, ValueRange x) {
  return arith::AndIOp::create(s, x[0], x[1]);
}
static Value computeScalar(BitwiseOrOp, Scalars &s, ValueRange x) {
  return arith::OrIOp::create(s, x[0], x[1]);
}
static Value computeScalar(BitwiseXorOp, Scalars &s, ValueRange x) {
  return arith::XOrIOp::create(s, x[0], x[1]);
}
static Value computeScalar(OrOp, Scalars &s, ValueRange x) {
  return arith::OrIOp::create(s, x[0], x[1]);
}
static Value computeScalar(XorOp, Scalars &s, ValueRange x) {
  return arith::XOrIOp::create(s, x[0], x[1]);
}
static Value computeScalar(BitwiseNotOp, Scalars &s, ValueRange x) {
  return arith::XOrIOp::create(s, x[0], s.constant(x[0], -1));
}
static Value computeScalar(NotOp, Scalars &s, ValueRange x) {
  return arith::XOrIOp::create(s, x[0], s.constant(x[0], -1));
}
static Value computeScalar(EqualOp, Scalars &s, ValueRange x) {
  return s.equal(x[0], x[1]);
}
static Value computeScalar(GreaterOp, Scalars &s, ValueRange x) {
  return s.less(x[1], x[0]);
}
static Value computeScalar(GreaterOrEqualOp, Scalars &s, ValueRange x) {
  return s.lessEqual(x[1], x[0]);
}
static Value computeScalar(LessOp, Scalars &s, ValueRange x) {
  return s.less(x[0], x[1]);
}
static Value computeScalar(LessOrEqualOp, Scalars &s, ValueRange x) {
  return s.lessEqual(x[0], x[1]);
}
static Value computeScalar(WhereOp, Scalars &s, ValueRange x) {
  return s.select(x[0], x[1], x[2]);
}

/// A shift by the width or more, or by a negative number, shifts everything
/// out: what is left are zeros, or copies of the sign.
static Value computeScalar(BitShiftOp op, Scalars &s, ValueRange x) {
  unsigned width = x[0].getType().getIntOrFloatBitWidth();
  Value isInside = arith::CmpIOp::create(s, arith::CmpIPredicate::ult, x[1],
                                         s.constant(x[1], width));
  Value zero = s.constant(x[0], 0);
  if (op.getDirection() == "RIGHT" && !s.isUnsignedInteger()) {
    Value amount = s.select(isInside, x[1], s.constant(x[1], width - 1));
    return arith::ShRSIOp::create(s, x[0], amount);
  }
  Value amount = s.select(isInside, x[1], zero);
  Value shifted = op.getDirection() == "RIGHT"
                      ? arith::ShRUIOp::create(s, x[0], amount).getResult()
                      : arith::ShLIOp::create(s, x[0], amount).getResult();
  return s.select(isInside, shifted, zero);
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

void omb::populateLogicalToLinalgPatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  addPatterns<AndOp, BitShiftOp, BitwiseAndOp, BitwiseNotOp, BitwiseOrOp,
              BitwiseXorOp, EqualOp, GreaterOp, GreaterOrEqualOp, LessOp,
              LessOrEqualOp, NotOp, OrOp, WhereOp, XorOp>(converter, patterns);
}
