//===- Prefetch.h - Fetching what is read later -----------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PREFETCH_H
#define OMB_LOWERING_VECTOR_PREFETCH_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// Fetches what a later step of a loop through `memory` will read: as far ahead
/// as pays off, `count` elements, which this step reads from `at` on.
void createPrefetch(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value memory, mlir::ValueRange at, int64_t count);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PREFETCH_H
