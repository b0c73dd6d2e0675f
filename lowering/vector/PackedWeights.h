//===- PackedWeights.h - Constants in the order kernels read ----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PACKEDWEIGHTS_H
#define OMB_LOWERING_VECTOR_PACKEDWEIGHTS_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// A constant of [`batches` dimensions, ceil(channels / panel), dimensions that
/// are summed..., panel] with the values of `weights`, a constant; zeros where
/// the last panel has no value. `order` are the weights' dimensions in this
/// order. With a `group` of more than one, that many values along the last
/// dimension, filled up with zeros, are next to each other: [..., ceil(last /
/// group), panel, group]. Where `element` isn't the weights' type, it is bf16
/// or f16 of f32, rounded to even, or f32 of signed bytes. Fails where the
/// weights have no bytes.
mlir::FailureOr<mlir::Value> packWeights(mlir::OpBuilder &builder,
                                         mlir::Value weights, int64_t panel,
                                         llvm::ArrayRef<int64_t> order,
                                         size_t batches, int64_t group,
                                         mlir::Type element);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PACKEDWEIGHTS_H
