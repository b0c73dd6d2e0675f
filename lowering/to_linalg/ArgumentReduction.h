//===- ArgumentReduction.h - Exponents taken out of arguments ---*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_ARGUMENTREDUCTION_H
#define OMB_LOWERING_TO_LINALG_ARGUMENTREDUCTION_H

#include "lowering/to_linalg/Scalars.h"

namespace omb {

/// ln 2 in two parts; the first has so few bits that its products with
/// exponents are exact.
constexpr double kLn2High = 0.693145751953125;
constexpr double kLn2Low = 1.42860682030941723212e-6;

/// 2^exponent * (1 + rest)
struct Exponential {
  mlir::Value exponent;
  mlir::Value rest;
};

/// e^(x + low), where `x` is in the range in which e^x is neither 0 nor
/// infinite, or not far outside, and `low` is small against it.
Exponential reduceExponential(Scalars &s, mlir::Value x, mlir::Value low);
/// The number that it is, which may be infinite or 0.
mlir::Value scaleExponential(Scalars &s, Exponential exponential);

/// 2^exponent * significand, the latter between the square roots of 1/2 and 2.
/// Both are floats.
struct SplitFloat {
  mlir::Value exponent;
  mlir::Value significand;
};

/// Splits a positive and finite `x`.
SplitFloat splitAroundOne(Scalars &s, mlir::Value x);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_ARGUMENTREDUCTION_H
