//===- FloatFormat.h - The parts of an f32 or f64 ---------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_FLOATFORMAT_H
#define OMB_LOWERING_TO_LINALG_FLOATFORMAT_H

#include "lowering/to_linalg/Scalars.h"

#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Takes floats of one type (f32 or f64) apart and puts them together.
class FloatFormat {
public:
  FloatFormat(Scalars &s, mlir::Value like)
      : s(s), type(mlir::cast<mlir::FloatType>(like.getType())) {}

  unsigned getWidth() const { return isF64() ? 64 : 32; }
  /// The bits of the significand, with the first one, which isn't stored.
  unsigned getPrecision() const { return isF64() ? 53 : 24; }
  int64_t getBias() const { return type.isF64() ? 1023 : 127; }
  bool isF64() const { return type.isF64(); }
  mlir::IntegerType getBitsType() const {
    return mlir::IntegerType::get(type.getContext(), getWidth());
  }

  mlir::Value toBits(mlir::Value x);
  mlir::Value fromBits(mlir::Value bits);
  mlir::Value bits(uint64_t value);
  mlir::Value shiftLeft(mlir::Value x, mlir::Value amount);
  mlir::Value shiftLeft(mlir::Value x, unsigned amount) {
    return shiftLeft(x, bits(amount));
  }
  mlir::Value shiftRight(mlir::Value x, mlir::Value amount);
  mlir::Value shiftRight(mlir::Value x, unsigned amount) {
    return shiftRight(x, bits(amount));
  }
  mlir::Value bitAnd(mlir::Value lhs, mlir::Value rhs);
  mlir::Value bitOr(mlir::Value lhs, mlir::Value rhs);

  /// 2 ^ exponent, for an exponent of a normal number.
  mlir::Value powerOfTwo(mlir::Value exponent);
  /// The nearest integer, as an integer; `x` is in its range.
  mlir::Value toInteger(mlir::Value x);
  mlir::Value toFloat(mlir::Value integer, bool isUnsigned = false);

  mlir::Value copySign(mlir::Value magnitude, mlir::Value sign);
  mlir::Value sqrt(mlir::Value x);
  /// The polynomial whose coefficients are given, the constant one first.
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients);

private:
  Scalars &s;
  mlir::FloatType type;
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_FLOATFORMAT_H
