//===- Barrier.h - What IREE must not see through ---------------*- C++ -*-===//

#ifndef OMB_LOWERING_IREE_BARRIER_H
#define OMB_LOWERING_IREE_BARRIER_H

#include "mlir/IR/Builders.h"

namespace omb {

/// Whether `op` gives the elements of its first operand as another shape.
bool isReshape(mlir::Operation *op);

/// `value` behind a `util.optimization_barrier`: what is computed from it is in
/// another dispatch than what it is computed by.
mlir::Value createBarrier(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value value);

/// `tensor` behind a barrier, with its sizes still known: as values of their
/// own where they are `distinct`.
mlir::Value isolateTensor(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value tensor, bool distinct = false);

/// `tensor`, whose dynamic sizes are these.
mlir::Value tieShape(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value tensor, mlir::ValueRange sizes);

} // namespace omb

#endif // OMB_LOWERING_IREE_BARRIER_H
