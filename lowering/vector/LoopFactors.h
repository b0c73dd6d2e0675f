//===- LoopFactors.h - Indices as sums of loops -----------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_LOOPFACTORS_H
#define OMB_LOWERING_VECTOR_LOOPFACTORS_H

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace omb::kernels {

/// What `expr` multiplies each of `loops` loops by, and last the constant that
/// it adds; none where it is no such sum.
std::optional<llvm::SmallVector<int64_t>> getLoopFactors(mlir::AffineExpr expr,
                                                         unsigned loops);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_LOOPFACTORS_H
