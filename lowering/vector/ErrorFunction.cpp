//===- ErrorFunction.cpp - The error function of f32 in lanes -------------===//

#include "lowering/vector/ErrorFunction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

// erf(x) is x / 4 + x * P(x^2) / Q(x^2) for |x| <= 3.92, with a relative error
// of 2e-8, the least that polynomials of this degree have; beyond, it rounds
// to 1. A quarter of x is exact, and what is added to it is rounded less than
// the whole would be. One formula for all lanes, where MLIR's has four, and
// selects all of their coefficients.
static constexpr float kLast = 3.92f;
static constexpr float kPart = 0.25f;
static constexpr float kP[] = {
    0.8783791065216064f,     0.06488846242427826f,    0.02422148548066616f,
    2.3341737687587738e-05f, -5.753216100856662e-06f, -7.472851393686142e-06f};
static constexpr float kQ[] = {1.0f,
                               0.5020772218704224f,
                               0.11410965770483017f,
                               0.014969331212341785f,
                               0.0011625500628724694f,
                               3.8091726310085505e-05f};

namespace {
struct Lanes {
  OpBuilder &builder;
  Location loc;
  VectorType type;

  Value constant(float value) {
    return arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(type, builder.getF32FloatAttr(value)));
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
};
} // namespace

Value omb::kernels::buildErf(OpBuilder &builder, Location loc, Value x) {
  Lanes lanes{builder, loc, cast<VectorType>(x.getType())};
  x = lanes.clamp(x, kLast);
  Value square = arith::MulFOp::create(builder, loc, x, x);
  Value quotient = arith::DivFOp::create(
      builder, loc, lanes.polynomial(square, kP), lanes.polynomial(square, kQ));
  Value part = arith::MulFOp::create(builder, loc, x, lanes.constant(kPart));
  Value sum = math::FmaOp::create(builder, loc, x, quotient, part);
  return lanes.clamp(sum, 1);
}
