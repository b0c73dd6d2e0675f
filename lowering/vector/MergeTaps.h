//===- MergeTaps.h - Windows of few channels as rows of memory --*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_MERGETAPS_H
#define OMB_LOWERING_VECTOR_MERGETAPS_H

#include "lowering/vector/RegisterTile.h"

#include "mlir/IR/PatternMatch.h"

namespace omb::kernels {

/// Adds the pattern that makes one loop of the channels of an image, which are
/// fewer than a group of factors, and of the columns of a window. `narrow` is
/// the type of the factors of products of f32; null: f32.
void populateMergeTapsPatterns(mlir::RewritePatternSet &patterns,
                               const VectorUnit &unit, mlir::FloatType narrow);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_MERGETAPS_H
