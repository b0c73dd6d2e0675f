//===- RationalFunctions.cpp - Quotients of polynomials -------------------===//

#include "lowering/vector/RationalFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace {

/// f(x) = c * x + x * P(x^2) / Q(x^2) for |x| <= `last`, where f rounds to 1.
/// The polynomials are those of the least relative error (minimax, by the
/// exchange of Remez) for their degree. c is a power of two, so that c * x is
/// exact: what is added to it is rounded less than the whole would be. One
/// formula for all lanes, where MLIR's erf has four, and selects all of their
/// coefficients.
struct RationalFunction {
  float last, part;
  ArrayRef<float> numerator, denominator;
};

struct Lanes {
  OpBuilder &builder;
  Location loc;
  Type type;

  Value constant(float value) {
    FloatAttr number = builder.getF32FloatAttr(value);
    auto vector = dyn_cast<VectorType>(type);
    if (!vector)
      return arith::ConstantOp::create(builder, loc, number);
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(vector, number));
  }

  /// From -`limit` to `limit`; NaN stays what it is.
  Value clamp(Value x, float limit) {
    Value most = constant(limit), least = constant(-limit);
    Value isMore =
        arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OLT, most, x);
    x = arith::SelectOp::create(builder, loc, isMore, most, x);
    Value isLess = arith::CmpFOp::create(builder, loc,
                                         arith::CmpFPredicate::OLT, x, least);
    return arith::SelectOp::create(builder, loc, isLess, least, x);
  }

  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = constant(coefficients.back());
    for (float next : llvm::reverse(coefficients.drop_back()))
      sum = math::FmaOp::create(builder, loc, sum, x, constant(next));
    return sum;
  }

  Value evaluate(const RationalFunction &function, Value x) {
    x = clamp(x, function.last);
    Value square = arith::MulFOp::create(builder, loc, x, x);
    Value quotient = arith::DivFOp::create(
        builder, loc, polynomial(square, function.numerator),
        polynomial(square, function.denominator));
    Value part =
        arith::MulFOp::create(builder, loc, x, constant(function.part));
    return clamp(math::FmaOp::create(builder, loc, x, quotient, part), 1);
  }
};

} // namespace

/// Relative error: 2e-8.
static constexpr float kErfP[] = {
    0.8783791065216064f,     0.06488846242427826f,    0.02422148548066616f,
    2.3341737687587738e-05f, -5.753216100856662e-06f, -7.472851393686142e-06f};
static constexpr float kErfQ[] = {1.0f,
                                  0.5020772218704224f,
                                  0.11410965770483017f,
                                  0.014969331212341785f,
                                  0.0011625500628724694f,
                                  3.8091726310085505e-05f};

/// Relative error: 2.1e-8.
static constexpr float kTanhP[] = {
    0.875f, 0.07540596276521683f, 0.0002601558808237314f,
    -2.04552252398571e-05f, -8.370709991822878e-08f};
static constexpr float kTanhQ[] = {
    1.0f, 0.4671304225921631f, 0.025871112942695618f, 0.0003283109690528363f,
    7.762110953990486e-07f};

Value omb::kernels::buildRational(OpBuilder &builder, Operation &op, Value x) {
  static constexpr RationalFunction erf{3.92f, 0.25f, kErfP, kErfQ};
  static constexpr RationalFunction tanh{9.02f, 0.125f, kTanhP, kTanhQ};
  if (!isa<math::ErfOp, math::TanhOp>(op) ||
      !getElementTypeOrSelf(x.getType()).isF32())
    return nullptr;
  Lanes lanes{builder, op.getLoc(), x.getType()};
  return lanes.evaluate(isa<math::ErfOp>(op) ? erf : tanh, x);
}
