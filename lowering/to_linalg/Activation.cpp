//===- Activation.cpp - Lowering of activation functions ------------------===//

#include "dialect/ir/ops/Activation.h"
#include "lowering/to_linalg/ElementwisePattern.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// One element
//===----------------------------------------------------------------------===//

static Value buildSigmoid(Scalars &s, Value x) {
  Value one = s.constant(x, 1);
  return s.div(one, s.add(one, buildExp(s, s.neg(x))));
}

/// x * sigmoid(alpha * x)
static Value buildSwish(Scalars &s, Value x, float alpha) {
  return s.mul(x, buildSigmoid(s, s.mul(x, alpha)));
}

/// max(0, min(1, alpha * x + beta))
static Value buildHardSigmoid(Scalars &s, Value x, double alpha, double beta) {
  return s.max(s.min(s.add(s.mul(x, alpha), beta), 1.0), 0.0);
}

static Value computeScalar(CeluOp op, Scalars &s, ValueRange x) {
  float alpha = op.getAlpha();
  Value scaled = s.div(x[0], s.constant(x[0], alpha));
  Value negative = s.min(s.mul(buildExpM1(s, scaled), alpha), 0.0);
  return s.add(s.max(x[0], 0.0), negative);
}

static Value computeScalar(EluOp op, Scalars &s, ValueRange x) {
  Value negative = s.mul(buildExpM1(s, x[0]), op.getAlpha());
  return s.select(s.less(x[0], 0.0), negative, x[0]);
}

static Value computeScalar(GeluOp op, Scalars &s, ValueRange x) {
  Value half = s.mul(x[0], 0.5);
  if (op.getApproximate() == "tanh") {
    Value cube = s.mul(s.mul(x[0], x[0]), x[0]);
    Value inner = s.mul(s.add(x[0], s.mul(cube, 0.044715)),
                        std::sqrt(2 / llvm::numbers::pi));
    return s.mul(half, s.add(buildTanh(s, inner), 1.0));
  }
  Value inner = s.mul(x[0], std::sqrt(0.5));
  return s.mul(half, s.add(buildErf(s, inner), 1.0));
}

static Value computeScalar(HardSigmoidOp op, Scalars &s, ValueRange x) {
  return buildHardSigmoid(s, x[0], op.getAlpha(), op.getBeta());
}

static Value computeScalar(HardSwishOp, Scalars &s, ValueRange x) {
  return s.mul(x[0], buildHardSigmoid(s, x[0], 1.0 / 6, 0.5));
}

static Value computeScalar(LeakyReluOp op, Scalars &s, ValueRange x) {
  return s.select(s.less(x[0], 0.0), s.mul(x[0], op.getAlpha()), x[0]);
}

/// x * tanh(softplus(x)), where tanh(log(1 + e)) = n / (n + 2) for
/// n = e * (e + 2): nothing cancels, and nothing overflows since the quotient
/// is 1 from x = 40 on.
static Value computeScalar(MishOp, Scalars &s, ValueRange x) {
  Value e = buildExp(s, s.min(x[0], 40.0));
  if (x[0].getType().isF32())
    e = buildExp(s, s.min(x[0], 20.0));
  Value n = s.mul(e, s.add(e, 2.0));
  return s.mul(x[0], s.div(n, s.add(n, 2.0)));
}

static Value computeScalar(PReluOp, Scalars &s, ValueRange x) {
  return s.select(s.less(x[0], 0.0), s.mul(x[0], x[1]), x[0]);
}

static Value computeScalar(ReluOp, Scalars &s, ValueRange x) {
  return s.max(x[0], 0.0);
}

static Value computeScalar(SeluOp op, Scalars &s, ValueRange x) {
  Value negative = s.mul(buildExpM1(s, x[0]), op.getAlpha());
  return s.mul(s.select(s.less(x[0], 0.0), negative, x[0]), op.getGamma());
}

/// Integers are compared and shifted as numbers, not rounded to integers first.
static Value computeScalar(ShrinkOp op, Scalars &s, ValueRange x) {
  Type type = x[0].getType();
  Value number = x[0];
  if (isa<IntegerType>(type))
    number = s.toFloat(x[0], s.getF64Type());
  Value below = s.less(number, -op.getLambd());
  Value above = s.less(s.constant(number, op.getLambd()), number);
  Value shrunk =
      s.select(above, s.add(number, -op.getBias()), s.constant(number, 0));
  shrunk = s.select(below, s.add(number, op.getBias()), shrunk);
  return isa<IntegerType>(type) ? s.toInteger(shrunk, type) : shrunk;
}

static Value computeScalar(SigmoidOp, Scalars &s, ValueRange x) {
  return buildSigmoid(s, x[0]);
}

/// log(1 + exp(x)), without overflow.
static Value computeScalar(SoftplusOp, Scalars &s, ValueRange x) {
  Value small = buildLog1P(s, buildExp(s, s.neg(s.abs(x[0]))));
  return s.add(s.max(x[0], 0.0), small);
}

static Value computeScalar(SoftsignOp, Scalars &s, ValueRange x) {
  return s.div(x[0], s.add(s.abs(x[0]), 1.0));
}

static Value computeScalar(SwiGLUOp op, Scalars &s, ValueRange x) {
  return s.mul(buildSwish(s, x[0], op.getAlpha()), x[1]);
}

static Value computeScalar(SwishOp op, Scalars &s, ValueRange x) {
  return buildSwish(s, x[0], op.getAlpha());
}

static Value computeScalar(ThresholdedReluOp op, Scalars &s, ValueRange x) {
  Value zero = s.constant(x[0], 0);
  return s.select(s.less(s.constant(x[0], op.getAlpha()), x[0]), x[0], zero);
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

void omb::populateActivationToLinalgPatterns(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  addPatterns<CeluOp, EluOp, GeluOp, HardSigmoidOp, HardSwishOp, LeakyReluOp,
              MishOp, PReluOp, ReluOp, SeluOp, ShrinkOp, SigmoidOp, SoftplusOp,
              SoftsignOp, SwiGLUOp, SwishOp, ThresholdedReluOp>(converter,
                                                                patterns);
}
