//===- SplitColumns.h - Reductions in parts ---------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_SPLITCOLUMNS_H
#define OMB_LOWERING_VECTOR_SPLITCOLUMNS_H

#include "lowering/vector/ColumnReduction.h"

#include "mlir/IR/PatternMatch.h"

namespace omb::kernels {

/// How many parts a reduction is better done in, so that there are enough
/// workgroups: 1 where it stays whole.
int64_t selectParts(const ColumnReduction &reduction, const VectorUnit &unit);

/// Reduces each of `parts` parts of what the first loop reduces, and then what
/// these give.
void splitColumns(mlir::RewriterBase &rewriter,
                  const ColumnReduction &reduction, int64_t parts);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SPLITCOLUMNS_H
