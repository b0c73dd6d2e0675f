//===- RationalFunctions.h - Quotients of polynomials -----------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_RATIONALFUNCTIONS_H
#define OMB_LOWERING_VECTOR_RATIONALFUNCTIONS_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// What `math.erf` or `math.tanh` of f32 gives for `x`, a number or a vector of
/// them, off by at most 3 units of the last place. Null for other ops.
mlir::Value buildRational(mlir::OpBuilder &builder, mlir::Operation &op,
                          mlir::Value x);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_RATIONALFUNCTIONS_H
