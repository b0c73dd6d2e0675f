//===- ErrorFunction.h - The error function of f32 in lanes -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ERRORFUNCTION_H
#define OMB_LOWERING_VECTOR_ERRORFUNCTION_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// erf(x) of a vector of f32, off by at most 3 units of the last place.
mlir::Value buildErf(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value x);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ERRORFUNCTION_H
