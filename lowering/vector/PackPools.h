//===- PackPools.h - Pools in the order of kernels --------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PACKPOOLS_H
#define OMB_LOWERING_VECTOR_PACKPOOLS_H

#include "lowering/vector/ChannelPool.h"

#include "mlir/IR/PatternMatch.h"

namespace omb::kernels {

/// Whether `op` reads a window's sizes.
bool isPool(mlir::linalg::LinalgOp op);

/// The pool that `op` is; fails with the reason where it is better left alone.
mlir::FailureOr<ChannelPool>
matchPackablePool(mlir::linalg::LinalgOp op, const VectorUnit &unit,
                  llvm::function_ref<void(const llvm::Twine &)> why);

/// Has pools of images with their channels last done by panels of channels.
void populatePackPoolPatterns(mlir::RewritePatternSet &patterns,
                              const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PACKPOOLS_H
