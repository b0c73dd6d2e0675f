//===- Scalars.h - Arithmetic on single elements ----------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_SCALARS_H
#define OMB_LOWERING_TO_LINALG_SCALARS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace omb {

/// Builds computations of one element, as the bodies of elementwise ops and
/// reductions have them. All operands of a method have one type; whether
/// integers are unsigned is a property of the builder.
class Scalars : public mlir::ImplicitLocOpBuilder {
public:
  /// `onnxType` is the element type before conversion.
  Scalars(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type onnxType)
      : ImplicitLocOpBuilder(loc, builder),
        isUnsigned(onnxType.isUnsignedInteger() || onnxType.isInteger(1)) {}

  /// A number of the type of `like`.
  mlir::Value constant(mlir::Value like, double number);
  mlir::Value constant(mlir::Type type, double number);
  /// The identities of max and min: an infinity, or the range's end.
  mlir::Value lowest(mlir::Type type);
  mlir::Value highest(mlir::Type type);

  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  /// Integers are truncated; n / 0 is 0 and lowest / -1 is lowest.
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  /// The remainder of a truncated division of integers; n rem 0 is 0.
  mlir::Value rem(mlir::Value lhs, mlir::Value rhs);
  /// The low and the high word of a product of unsigned integers.
  std::pair<mlir::Value, mlir::Value> mulExtended(mlir::Value lhs,
                                                  mlir::Value rhs);
  mlir::Value neg(mlir::Value x);
  mlir::Value abs(mlir::Value x);
  /// The least whole float that isn't less.
  mlir::Value ceil(mlir::Value x);
  /// Whether a float isn't whole; false for infinities and NaN.
  mlir::Value hasFraction(mlir::Value x);
  /// NaN if either is.
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  mlir::Value add(mlir::Value lhs, double rhs) {
    return add(lhs, constant(lhs, rhs));
  }
  mlir::Value mul(mlir::Value lhs, double rhs) {
    return mul(lhs, constant(lhs, rhs));
  }
  mlir::Value max(mlir::Value lhs, double rhs) {
    return max(lhs, constant(lhs, rhs));
  }
  mlir::Value min(mlir::Value lhs, double rhs) {
    return min(lhs, constant(lhs, rhs));
  }

  /// Comparisons with NaN are false, `notEqual` true.
  mlir::Value equal(mlir::Value lhs, mlir::Value rhs);
  mlir::Value notEqual(mlir::Value lhs, mlir::Value rhs);
  mlir::Value less(mlir::Value lhs, mlir::Value rhs);
  mlir::Value lessEqual(mlir::Value lhs, mlir::Value rhs);
  mlir::Value less(mlir::Value lhs, double rhs) {
    return less(lhs, constant(lhs, rhs));
  }
  mlir::Value isNaN(mlir::Value x) { return notEqual(x, x); }

  mlir::Value select(mlir::Value condition, mlir::Value ifTrue,
                     mlir::Value ifFalse);

  /// Floats narrower than f32 as f32; anything else as it is.
  mlir::Value widen(mlir::Value x);
  /// `x` as an operand of a sum of type `type`: floats narrower than f32 as
  /// f32, narrower integers extended.
  mlir::Value extend(mlir::Value x, mlir::Type type);
  /// The way back: `x` rounded to the float type `type`.
  mlir::Value narrow(mlir::Value x, mlir::Type type);

  /// An integer as the nearest float.
  mlir::Value toFloat(mlir::Value x, mlir::Type type);
  /// A float truncated to an integer.
  mlir::Value toInteger(mlir::Value x, mlir::Type type);

  bool isUnsignedInteger() const { return isUnsigned; }

private:
  bool isFloat(mlir::Value x) const {
    return mlir::isa<mlir::FloatType>(x.getType());
  }
  /// `divisor`, or 1 where the division has no result.
  mlir::Value getSafeDivisor(mlir::Value dividend, mlir::Value divisor);

  bool isUnsigned;
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_SCALARS_H
