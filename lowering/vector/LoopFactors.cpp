//===- LoopFactors.cpp - Indices as sums of loops -------------------------===//

#include "lowering/vector/LoopFactors.h"

#include "mlir/Analysis/FlatLinearValueConstraints.h"

using namespace mlir;

std::optional<SmallVector<int64_t>>
omb::kernels::getLoopFactors(AffineExpr expr, unsigned loops) {
  SmallVector<int64_t> factors;
  // Quotients and remainders would be more of them.
  if (failed(getFlattenedAffineExpr(expr, loops, 0, &factors)) ||
      factors.size() != loops + 1)
    return std::nullopt;
  return factors;
}
