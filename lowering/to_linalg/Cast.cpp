//===- Cast.cpp - Lowering of conversions between element types -----------===//

#include "lowering/to_linalg/Cast.h"

#include "dialect/ir/ops/Elementwise.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/SubByte.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// One element
//===----------------------------------------------------------------------===//

/// `x`, of any width, as an element of type `to`; higher bits are discarded.
static Value resizeInteger(Scalars &s, Value x, IntegerType to) {
  Type type = getLoweredType(to);
  unsigned width = x.getType().getIntOrFloatBitWidth();
  if (width > type.getIntOrFloatBitWidth())
    x = arith::TruncIOp::create(s, type, x);
  else if (width < type.getIntOrFloatBitWidth())
    x = s.isUnsignedInteger() ? arith::ExtUIOp::create(s, type, x).getResult()
                              : arith::ExtSIOp::create(s, type, x).getResult();
  return isSubByte(to) ? fitSubByte(s, s.getLoc(), x, to) : x;
}

/// An f32 as a float of less than 32 bits.
static Value narrowFloat(Scalars &s, Value f32, FloatType type,
                         NarrowingOptions options) {
  if (isNarrowFloat(type))
    return encodeNarrowFloat(s, f32, type, options);
  return s.narrow(f32, type);
}

static Value integerToFloat(Scalars &s, Value x, FloatType type,
                            NarrowingOptions options) {
  if (type.getWidth() >= 32)
    return s.toFloat(x, type);
  return narrowFloat(s, s.toFloat(x, s.getF32Type()), type, options);
}

/// Truncation to a signed integer of 32 or 64 bits; the lowest number for NaN
/// and what is out of range, which x86 processors give.
static Value truncateToSigned(Scalars &s, Value x, IntegerType type) {
  double limit = std::ldexp(1.0, type.getWidth() - 1);
  Value isInside = arith::AndIOp::create(
      s, s.lessEqual(s.constant(x, -limit), x), s.less(x, limit));
  Value lowest = arith::ConstantOp::create(
      s, s.getIntegerAttr(type, APInt::getSignedMinValue(type.getWidth())));
  return s.select(isInside, arith::FPToSIOp::create(s, type, x), lowest);
}

/// The standard leaves open what numbers out of range become: here they wrap
/// around as long as 32 (for 32-bit unsigned: 64) bits hold them.
static Value floatToInteger(Scalars &s, Value x, IntegerType type) {
  unsigned width = type.getWidth();
  if (type.isUnsigned() && width == 64) {
    // The upper half of the range by way of the lower one.
    Value half = s.constant(x, std::ldexp(1.0, 63));
    Value low = truncateToSigned(s, x, s.getI64Type());
    Value high = truncateToSigned(s, s.sub(x, half), s.getI64Type());
    Value lowest = s.constant(high, double(INT64_MIN));
    high = arith::XOrIOp::create(s, high, lowest);
    return s.select(s.lessEqual(half, x), high, low);
  }
  bool isWide = width == 64 || (type.isUnsigned() && width == 32);
  Value wide = truncateToSigned(s, x, isWide ? s.getI64Type() : s.getI32Type());
  return resizeInteger(s, wide, type);
}

static Value floatToFloat(Scalars &s, Value x, FloatType type,
                          NarrowingOptions options) {
  auto from = cast<FloatType>(x.getType());
  if (from == type)
    return x;
  if (type.getWidth() > from.getWidth())
    return arith::ExtFOp::create(s, type, x);
  if (type.isF32())
    return arith::TruncFOp::create(s, type, x);
  return narrowFloat(s, from.isF64() ? roundToOdd(s, x) : s.widen(x), type,
                     options);
}

Value omb::buildCast(ImplicitLocOpBuilder &builder, Value x, Type from, Type to,
                     NarrowingOptions options) {
  if (from == to)
    return x;
  Scalars s(builder, builder.getLoc(), from);
  if (isNarrowFloat(from)) {
    x = decodeNarrowFloat(s, x, cast<FloatType>(from));
    from = x.getType();
  }
  auto floatTo = dyn_cast<FloatType>(to);
  if (!isa<FloatType>(from)) {
    if (floatTo)
      return integerToFloat(s, x, floatTo, options);
    if (to.isInteger(1))
      return s.notEqual(x, s.constant(x, 0));
    return resizeInteger(s, x, cast<IntegerType>(to));
  }
  if (floatTo)
    return floatToFloat(s, x, floatTo, options);
  Value wide = s.widen(x);
  if (to.isInteger(1))
    return s.notEqual(wide, s.constant(wide, 0));
  return floatToInteger(s, wide, cast<IntegerType>(to));
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

static NarrowingOptions getOptions(bool saturate, StringRef roundMode) {
  NarrowingOptions options;
  options.saturate = saturate;
  if (roundMode == "down")
    options.powerRounding = NarrowingOptions::Down;
  else if (roundMode == "nearest")
    options.powerRounding = NarrowingOptions::Nearest;
  return options;
}

namespace {

/// Cast and CastLike.
template <typename OpT> struct CastToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value input = op->getOperand(0);
    auto from = dyn_cast<RankedTensorType>(input.getType());
    auto to = dyn_cast<RankedTensorType>(op.getType());
    if (!from || !to)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    if (!to.getElementType().isIntOrFloat() ||
        !from.getElementType().isIntOrFloat())
      return rewriter.notifyMatchFailure(op, "strings can't be converted");
    NarrowingOptions options =
        getOptions(op.getSaturate() != 0, op.getRoundMode());
    auto body = [&](OpBuilder &builder, Location loc, ValueRange elements) {
      ImplicitLocOpBuilder implicit(loc, builder);
      return buildCast(implicit, elements[0], from.getElementType(),
                       to.getElementType(), options);
    };
    rewriter.replaceOp(op, buildElementwise(rewriter, op.getLoc(),
                                            adaptor.getOperands()[0],
                                            input.getType(), to, body));
    return success();
  }
};

/// Bits of one width under another name.
struct BitCastToArith : OpConversionPattern<BitCastOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(BitCastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto from = dyn_cast<RankedTensorType>(adaptor.getInput().getType());
    auto to = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!from || !to)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    Type element = to.getElementType();
    Type onnxElement = getElementTypeOrSelf(op.getType());
    if (from.getElementType() == element && !isSubByte(onnxElement)) {
      rewriter.replaceOpWithNewOp<tensor::CastOp>(op, to, adaptor.getInput());
      return success();
    }
    if (isa<ComplexType>(element) || isa<ComplexType>(from.getElementType()))
      return rewriter.notifyMatchFailure(
          op, "complex numbers have no bits in common with other types");
    auto body = [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
      // A bool takes eight bits in a tensor.
      Value bits = elements[0];
      if (isSubByte(onnxElement))
        return fitSubByte(b, loc, bits, onnxElement);
      if (bits.getType().isInteger(1))
        bits = arith::ExtUIOp::create(b, loc, b.getI8Type(), bits);
      if (element.isInteger(1))
        return arith::CmpIOp::create(
            b, loc, arith::CmpIPredicate::ne, bits,
            arith::ConstantOp::create(b, loc,
                                      b.getIntegerAttr(bits.getType(), 0)));
      if (bits.getType() == element)
        return bits;
      return arith::BitcastOp::create(b, loc, element, bits);
    };
    rewriter.replaceOp(
        op, buildElementwise(rewriter, op.getLoc(), adaptor.getInput(),
                             op.getInput().getType(),
                             cast<RankedTensorType>(op.getType()), body));
    return success();
  }
};

} // namespace

void omb::populateCastToLinalgPatterns(const TypeConverter &converter,
                                       RewritePatternSet &patterns) {
  patterns
      .add<CastToGeneric<CastOp>, CastToGeneric<CastLikeOp>, BitCastToArith>(
          converter, patterns.getContext());
}
