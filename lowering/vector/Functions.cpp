//===- Functions.cpp - Functions of f32 -----------------------------------===//

#include "lowering/vector/Functions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

/// `number` in all elements of `type`, or it alone.
static Value createConstant(OpBuilder &builder, Location loc, Type type,
                            TypedAttr number) {
  if (auto vector = dyn_cast<VectorType>(type))
    number = DenseElementsAttr::get(vector, Attribute(number));
  return arith::ConstantOp::create(builder, loc, number);
}

namespace {

struct Lanes {
  OpBuilder &builder;
  Location loc;
  Type type;

  Value constant(float value) {
    return createConstant(builder, loc, type, builder.getF32FloatAttr(value));
  }

  /// From `low` to `high`; NaN stays what it is.
  Value clamp(Value x, float low, float high) {
    Value most = constant(high), least = constant(low);
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
      sum = multiplyAdd(sum, x, constant(next));
    return sum;
  }

  Value multiply(Value lhs, Value rhs) {
    return arith::MulFOp::create(builder, loc, lhs, rhs);
  }

  Value multiplyAdd(Value lhs, Value rhs, Value sum) {
    return math::FmaOp::create(builder, loc, lhs, rhs, sum);
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Quotients of polynomials
//===----------------------------------------------------------------------===//

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

} // namespace

static Value buildRational(Lanes &lanes, const RationalFunction &function,
                           Value x) {
  x = lanes.clamp(x, -function.last, function.last);
  Value square = lanes.multiply(x, x);
  Value quotient = arith::DivFOp::create(
      lanes.builder, lanes.loc, lanes.polynomial(square, function.numerator),
      lanes.polynomial(square, function.denominator));
  Value part = lanes.multiply(x, lanes.constant(function.part));
  return lanes.clamp(lanes.multiplyAdd(x, quotient, part), -1, 1);
}

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

//===----------------------------------------------------------------------===//
// The exponential
//===----------------------------------------------------------------------===//

/// e^r for |r| <= ln(2) / 2: relative error 3.1e-9.
static constexpr float kExp[] = {1.0f,
                                 1.0f,
                                 0.4999999403953552f,
                                 0.1666652113199234f,
                                 0.04166838899254799f,
                                 0.008368710055947304f,
                                 0.001381461275741458f};

/// A float that is `number` + `kShift` has the whole `number` in its last bits.
static constexpr float kShift = 12582912; // 1.5 * 2^23

static constexpr int64_t kAVX512Lanes = 16;

namespace {
struct Exponential {
  Lanes lanes;
  bool hasAVX512;

  /// x = n ln(2) + r. ln(2) is a sum, n times whose first part is exact.
  Value build(Value x) {
    x = lanes.clamp(x, -105, 89); // where the result is 0, and infinite
    Value shifted = lanes.multiplyAdd(x, lanes.constant(1.44269504f),
                                      lanes.constant(kShift));
    Value n = arith::SubFOp::create(lanes.builder, lanes.loc, shifted,
                                    lanes.constant(kShift));
    Value rest = lanes.multiplyAdd(n, lanes.constant(-0.693359375f), x);
    rest = lanes.multiplyAdd(n, lanes.constant(2.12194440e-4f), rest);
    Value power = lanes.polynomial(rest, kExp);
    auto vector = dyn_cast<VectorType>(lanes.type);
    return hasAVX512 && vector && vector.getNumElements() == kAVX512Lanes
               ? scaleWithInstruction(power, n)
               : scaleTwice(power, shifted);
  }

private:
  Type getIntegers() const {
    Type i32 = lanes.builder.getI32Type();
    auto vector = dyn_cast<VectorType>(lanes.type);
    return vector ? vector.clone(i32) : i32;
  }

  Value integer(Type type, int64_t value) {
    OpBuilder &builder = lanes.builder;
    return createConstant(
        builder, lanes.loc, type,
        builder.getIntegerAttr(getElementTypeOrSelf(type), value));
  }

  /// x * 2^n
  Value scaleWithInstruction(Value x, Value n) {
    OpBuilder &builder = lanes.builder;
    constexpr int64_t usualRounding = 4;
    Value all = integer(builder.getIntegerType(kAVX512Lanes), -1);
    Value rounding = integer(builder.getI32Type(), usualRounding);
    auto name = builder.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512");
    return LLVM::CallIntrinsicOp::create(builder, lanes.loc, lanes.type, name,
                                         ValueRange{x, n, x, all, rounding})
        .getResult(0);
  }

  /// 2^n of a float, as what its bits are.
  Value buildPower(Value n) {
    constexpr int64_t bias = 127, mantissaBits = 23;
    OpBuilder &b = lanes.builder;
    Type type = getIntegers();
    Value exponent =
        arith::AddIOp::create(b, lanes.loc, n, integer(type, bias));
    Value bits = arith::ShLIOp::create(b, lanes.loc, exponent,
                                       integer(type, mantissaBits));
    return arith::BitcastOp::create(b, lanes.loc, lanes.type, bits);
  }

  /// x * 2^n, where `shifted` is n + kShift. There is a factor for each half of
  /// n: 2^n may be out of range where the result is in it.
  Value scaleTwice(Value x, Value shifted) {
    OpBuilder &b = lanes.builder;
    Type type = getIntegers();
    Value bits = arith::BitcastOp::create(b, lanes.loc, type, shifted);
    Value n = arith::SubIOp::create(
        b, lanes.loc, bits, integer(type, llvm::bit_cast<int32_t>(kShift)));
    Value half = arith::ShRSIOp::create(b, lanes.loc, n, integer(type, 1));
    Value rest = arith::SubIOp::create(b, lanes.loc, n, half);
    Value scaled = lanes.multiply(x, buildPower(half));
    return lanes.multiply(scaled, buildPower(rest));
  }
};
} // namespace

Value omb::kernels::buildFunction(OpBuilder &builder, Operation &op, Value x,
                                  bool hasAVX512) {
  static constexpr RationalFunction erf{3.92f, 0.25f, kErfP, kErfQ};
  static constexpr RationalFunction tanh{9.02f, 0.125f, kTanhP, kTanhQ};
  if (!getElementTypeOrSelf(x.getType()).isF32())
    return nullptr;
  Lanes lanes{builder, op.getLoc(), x.getType()};
  if (isa<math::ErfOp>(op))
    return buildRational(lanes, erf, x);
  if (isa<math::TanhOp>(op))
    return buildRational(lanes, tanh, x);
  return isa<math::ExpOp>(op) ? Exponential{lanes, hasAVX512}.build(x)
                              : Value();
}
