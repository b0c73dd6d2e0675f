//===- NarrowFloats.cpp - Floats of 4, 6 and 8 bits -----------------------===//

#include "lowering/to_linalg/NarrowFloats.h"

#include "lowering/to_linalg/SubByte.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace omb;

bool omb::isNarrowFloat(Type type) {
  auto floating = dyn_cast<FloatType>(type);
  return floating && floating.getWidth() <= 8;
}

namespace {

/// A format with a sign, an exponent and a mantissa; codes are without the
/// sign. -1 where the format has no such code.
struct Format {
  int exponentBits;
  int mantissaBits;
  int bias;
  int largest;
  int infinity;
  int nan;
  /// No negative zero: its code is the only NaN.
  bool isUnsignedZero = false;

  int getSignBit() const { return 1 << (exponentBits + mantissaBits); }
};

} // namespace

static Format getFormat(FloatType type) {
  if (isa<Float8E4M3FNType>(type))
    return {4, 3, 7, 0x7E, -1, 0x7F};
  if (isa<Float8E5M2Type>(type))
    return {5, 2, 15, 0x7B, 0x7C, 0x7E};
  if (isa<Float8E4M3FNUZType>(type))
    return {4, 3, 8, 0x7F, -1, -1, true};
  if (isa<Float8E5M2FNUZType>(type))
    return {5, 2, 16, 0x7F, -1, -1, true};
  if (isa<Float4E2M1FNType>(type))
    return {2, 1, 1, 0x7, -1, -1};
  if (isa<Float6E2M3FNType>(type))
    return {2, 3, 1, 0x1F, -1, -1};
  assert(isa<Float6E3M2FNType>(type) && "not an ONNX element type");
  return {3, 2, 3, 0x1F, -1, -1};
}

static constexpr int32_t kInfinity = 0x7F800000;
static constexpr int32_t kNaN = 0x7FC00000;

namespace {

/// i32 arithmetic on the bits of an f32.
class Bits {
public:
  explicit Bits(Scalars &s) : s(s) {}

  Value constant(int64_t number) { return s.constant(s.getI32Type(), number); }
  Value of(Value f32) {
    return arith::BitcastOp::create(s, s.getI32Type(), f32);
  }
  Value toFloat(Value bits) {
    return arith::BitcastOp::create(s, s.getF32Type(), bits);
  }
  Value shiftLeft(Value x, int amount) {
    return arith::ShLIOp::create(s, x, constant(amount));
  }
  Value shiftRight(Value x, int amount) {
    return arith::ShRUIOp::create(s, x, constant(amount));
  }
  Value mask(Value x, int64_t bits) {
    return arith::AndIOp::create(s, x, constant(bits));
  }
  Value join(Value lhs, Value rhs) { return arith::OrIOp::create(s, lhs, rhs); }
  Value add(Value x, int64_t number) { return s.add(x, constant(number)); }
  Value equal(Value x, int64_t number) { return s.equal(x, constant(number)); }
  Value greater(Value x, int64_t number) {
    return arith::CmpIOp::create(s, arith::CmpIPredicate::sgt, x,
                                 constant(number));
  }
  Value select(Value condition, int64_t ifTrue, Value ifFalse) {
    return s.select(condition, constant(ifTrue), ifFalse);
  }

private:
  Scalars &s;
};

} // namespace

//===----------------------------------------------------------------------===//
// To f32
//===----------------------------------------------------------------------===//

/// An f8E8M0FNU is the exponent of an f32; the smallest one is denormal there.
static Value decodePower(Scalars &s, Value code) {
  Bits b(s);
  Value bits = b.shiftLeft(code, 23);
  bits = b.select(b.equal(code, 0), 1 << 22, bits);
  return b.toFloat(b.select(b.equal(code, 0xFF), kNaN, bits));
}

Value omb::decodeNarrowFloat(Scalars &s, Value x, FloatType type) {
  Bits b(s);
  Value code =
      isSubByte(type) ? x : arith::BitcastOp::create(s, s.getI8Type(), x);
  code = arith::ExtUIOp::create(s, s.getI32Type(), code);
  if (isa<Float8E8M0FNUType>(type))
    return decodePower(s, code);
  Format format = getFormat(type);
  Value magnitude = b.mask(code, format.getSignBit() - 1);
  Value sign = b.mask(code, format.getSignBit());
  sign = b.shiftLeft(sign, 31 - (format.exponentBits + format.mantissaBits));
  Value normal = b.add(b.shiftLeft(magnitude, 23 - format.mantissaBits),
                       (127 - format.bias) << 23);
  Value denormal =
      s.mul(arith::UIToFPOp::create(s, s.getF32Type(), magnitude),
            std::ldexp(1.0, 1 - format.bias - format.mantissaBits));
  Value isNormal = b.greater(magnitude, (1 << format.mantissaBits) - 1);
  Value bits = s.select(isNormal, normal, b.of(denormal));
  if (format.nan >= 0)
    bits = b.select(b.greater(magnitude, format.largest), kNaN, bits);
  if (format.infinity >= 0)
    bits = b.select(b.equal(magnitude, format.infinity), kInfinity, bits);
  bits = b.join(bits, sign);
  if (format.isUnsignedZero)
    bits = b.select(b.equal(code, format.getSignBit()), kNaN, bits);
  return b.toFloat(bits);
}

//===----------------------------------------------------------------------===//
// From f32
//===----------------------------------------------------------------------===//

/// The exponent of an f32, rounded as the options say.
static Value encodePower(Scalars &s, Value x, NarrowingOptions options) {
  Bits b(s);
  Value bits = b.mask(b.of(x), 0x7FFFFFFF);
  Value rounding;
  switch (options.powerRounding) {
  case NarrowingOptions::Up:
    rounding = b.constant(0x7FFFFF);
    break;
  case NarrowingOptions::Down:
    rounding = b.constant(0);
    break;
  case NarrowingOptions::Nearest:
    // Ties go up, but the smallest power's fraction has no implicit one.
    rounding =
        b.select(b.greater(bits, 0x7FFFFF), 0x400000, b.constant(0x3FFFFF));
    break;
  }
  Value code = b.shiftRight(s.add(bits, rounding), 23);
  if (options.saturate)
    code = b.select(b.greater(code, 0xFE), 0xFE, code);
  int32_t largest = options.saturate ? kInfinity : kInfinity - 1;
  return b.select(b.greater(bits, largest), 0xFF, code);
}

/// The code without the sign, as if the format had no largest number. `bits`
/// are those of a number that is not negative.
static Value roundMagnitude(Scalars &s, Value bits, const Format &format) {
  Bits b(s);
  int dropped = 23 - format.mantissaBits;
  // Half of what is dropped, less one where the bit above is even.
  Value isOdd = b.mask(b.shiftRight(bits, dropped), 1);
  Value rounded = s.add(b.add(bits, (1 << (dropped - 1)) - 1), isOdd);
  Value normal = b.add(b.shiftRight(rounded, dropped),
                       -((127 - format.bias) << format.mantissaBits));
  // The sum's last bit is worth one denormal: the addition rounds.
  float anchor = std::ldexp(1.0f, dropped + 1 - format.bias);
  Value anchored = b.of(s.add(b.toFloat(bits), anchor));
  Value denormal = b.add(anchored, -int64_t(llvm::bit_cast<int32_t>(anchor)));
  Value isNormal = b.greater(bits, ((128 - format.bias) << 23) - 1);
  return s.select(isNormal, normal, denormal);
}

Value omb::encodeNarrowFloat(Scalars &s, Value x, FloatType type,
                             NarrowingOptions options) {
  auto finish = [&](Value code) -> Value {
    Value truncated = arith::TruncIOp::create(s, s.getI8Type(), code);
    if (isSubByte(type))
      return truncated;
    return arith::BitcastOp::create(s, type, truncated);
  };
  if (isa<Float8E8M0FNUType>(type))
    return finish(encodePower(s, x, options));

  Bits b(s);
  Format format = getFormat(type);
  int nan = format.nan >= 0 ? format.nan : format.getSignBit();
  int overflow = format.infinity >= 0 ? format.infinity : nan;
  // Formats without NaN and infinity always saturate.
  if (options.saturate || (format.nan < 0 && !format.isUnsignedZero))
    overflow = format.largest;
  Value bits = b.mask(b.of(x), 0x7FFFFFFF);
  Value code = roundMagnitude(s, bits, format);
  code = b.select(b.greater(code, format.largest), overflow, code);
  code = b.select(b.greater(bits, kInfinity), nan, code);
  Value sign = b.shiftRight(b.mask(b.of(x), int64_t(INT32_MIN)),
                            31 - (format.exponentBits + format.mantissaBits));
  if (format.isUnsignedZero)
    sign = b.select(b.equal(code, 0), 0, sign);
  return finish(b.join(code, sign));
}

Value omb::roundToOdd(Scalars &s, Value x) {
  Bits b(s);
  Value nearest = arith::TruncFOp::create(s, s.getF32Type(), x);
  Value back = arith::ExtFOp::create(s, s.getF64Type(), nearest);
  Value isExact = s.equal(back, x);
  Value isBeyond = s.less(s.abs(x), s.abs(back));
  Value bits = b.of(nearest);
  Value towardZero = s.select(isBeyond, b.add(bits, -1), bits);
  Value odd = b.join(towardZero, b.constant(1));
  Value isKept = arith::OrIOp::create(s, isExact, s.isNaN(x));
  return b.toFloat(s.select(isKept, bits, odd));
}

Value omb::roundToBFloat(Scalars &s, Value x) {
  Bits b(s);
  Value bits = b.of(x);
  Value isOdd = b.mask(b.shiftRight(bits, 16), 1);
  Value rounded = b.add(s.add(bits, isOdd), 0x7FFF);
  return s.select(s.isNaN(x), x, b.toFloat(b.mask(rounded, -0x10000)));
}
