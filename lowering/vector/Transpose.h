//===- Transpose.h - Squares of registers -----------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_TRANSPOSE_H
#define OMB_LOWERING_VECTOR_TRANSPOSE_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// The columns of `rows`, as many vectors of as many lanes: a power of two.
llvm::SmallVector<mlir::Value> transposeSquare(mlir::OpBuilder &builder,
                                               mlir::Location loc,
                                               mlir::ValueRange rows);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_TRANSPOSE_H
