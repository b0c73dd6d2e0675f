//===- Transcendentals.h - Functions of one float ---------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_TRANSCENDENTALS_H
#define OMB_LOWERING_TO_LINALG_TRANSCENDENTALS_H

#include "lowering/to_linalg/Scalars.h"

namespace omb {

// Each takes and returns an f32 or f64. They are ops of `math` where IREE's
// code for those is accurate on all targets, and computed here where it is not
// or where there is none (most of f64).
mlir::Value buildAcos(Scalars &s, mlir::Value x);
mlir::Value buildAcosh(Scalars &s, mlir::Value x);
mlir::Value buildAsin(Scalars &s, mlir::Value x);
mlir::Value buildAsinh(Scalars &s, mlir::Value x);
mlir::Value buildAtan(Scalars &s, mlir::Value x);
mlir::Value buildAtanh(Scalars &s, mlir::Value x);
mlir::Value buildCos(Scalars &s, mlir::Value x);
mlir::Value buildCosh(Scalars &s, mlir::Value x);
mlir::Value buildErf(Scalars &s, mlir::Value x);
mlir::Value buildExp(Scalars &s, mlir::Value x);
mlir::Value buildExpM1(Scalars &s, mlir::Value x);
mlir::Value buildLog(Scalars &s, mlir::Value x);
mlir::Value buildLog1P(Scalars &s, mlir::Value x);
mlir::Value buildSin(Scalars &s, mlir::Value x);
mlir::Value buildSinh(Scalars &s, mlir::Value x);
mlir::Value buildSqrt(Scalars &s, mlir::Value x);
mlir::Value buildTan(Scalars &s, mlir::Value x);
mlir::Value buildTanh(Scalars &s, mlir::Value x);

/// The remainder of a truncated division, exact, with the sign of `lhs`.
mlir::Value buildFMod(Scalars &s, mlir::Value lhs, mlir::Value rhs);

/// base ^ exponent, as IEEE 754's pow.
mlir::Value buildPow(Scalars &s, mlir::Value base, mlir::Value exponent);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_TRANSCENDENTALS_H
