//===- StoredFloats.h - Floats that memory holds narrow ---------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_STOREDFLOATS_H
#define OMB_LOWERING_VECTOR_STOREDFLOATS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace omb::kernels {

/// The type that a pass's option `narrow` of this value names; null of an empty
/// one. Fails, with an error at `op`, of another one.
mlir::FailureOr<mlir::FloatType> parseNarrow(mlir::Operation *op,
                                             llvm::StringRef narrow);

/// As f32 what memory holds, a value or a vector: floats of at most 32 bits, or
/// signed bytes. `isBFloat`: bf16, which is an i16 there.
mlir::Value widenStored(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value stored, bool isBFloat);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_STOREDFLOATS_H
