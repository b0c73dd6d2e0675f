//===- Prefetch.h - Fetching what is read later -----------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PREFETCH_H
#define OMB_LOWERING_VECTOR_PREFETCH_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// How many bytes ahead a loop fetches. A CPU fetches ahead by itself, but only
/// up to the end of a page, and what a loop goes through has few pages.
constexpr int64_t kAheadBytes = 4096;

/// Fetches `count` elements of `memory` that are so many bytes after `at`.
void createPrefetch(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value memory, mlir::ValueRange at, int64_t count,
                    int64_t aheadBytes = kAheadBytes);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PREFETCH_H
