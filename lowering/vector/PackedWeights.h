//===- PackedWeights.h - Constants in the order kernels read ----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PACKEDWEIGHTS_H
#define OMB_LOWERING_VECTOR_PACKEDWEIGHTS_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// A constant of [ceil(size of dimension order[0] / panel), sizes of the
/// dimensions order[1:]..., panel] with the values of `weights`, a constant of
/// floats; zeros where the last panel has no value. Fails where the weights
/// have no bytes.
mlir::FailureOr<mlir::Value> packWeights(mlir::OpBuilder &builder,
                                         mlir::Value weights, int64_t panel,
                                         llvm::ArrayRef<int64_t> order);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PACKEDWEIGHTS_H
