//===- Packing.h - Tensors in tiles -----------------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PACKING_H
#define OMB_LOWERING_VECTOR_PACKING_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// `tensor` with `dims` in tiles of `sizes`, which come last, of the dimensions
/// in `order` (empty: as they are). Zeros are behind its last elements.
mlir::Value createPack(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value tensor, llvm::ArrayRef<int64_t> dims,
                       llvm::ArrayRef<int64_t> sizes,
                       llvm::ArrayRef<int64_t> order = {});

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PACKING_H
