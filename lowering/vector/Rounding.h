//===- Rounding.h - Quotients and integers that are rounded -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROUNDING_H
#define OMB_LOWERING_VECTOR_ROUNDING_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace omb::kernels {

/// The integral number of which an op takes the integer of a few bits, and
/// makes a number of that again; null if it is something else.
mlir::Value getRoundTrip(mlir::Operation &op);

/// The constant by which an op divides, where all that is asked for is the
/// quotient rounded to an integer and the reciprocal is a normal number; null
/// otherwise.
mlir::FloatAttr getRoundedDivisor(mlir::Operation &op);

/// lhs / rhs without a division, exact once it is rounded to an integer.
mlir::Value divideForRounding(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value lhs, mlir::FloatAttr rhs);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROUNDING_H
