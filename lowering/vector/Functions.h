//===- Functions.h - Functions of f32 -------------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_FUNCTIONS_H
#define OMB_LOWERING_VECTOR_FUNCTIONS_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// What `math.exp`, `math.erf` or `math.tanh` of f32 gives for `x`, a number or
/// a vector of them, off by at most 3 units of the last place (exp: 1). Null
/// for other ops. `hasAVX512`: whether its instructions may be used.
mlir::Value buildFunction(mlir::OpBuilder &builder, mlir::Operation &op,
                          mlir::Value x, bool hasAVX512);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_FUNCTIONS_H
