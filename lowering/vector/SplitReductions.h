//===- SplitReductions.h - Reductions in parts ------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_SPLITREDUCTIONS_H
#define OMB_LOWERING_VECTOR_SPLITREDUCTIONS_H

#include "lowering/vector/ColumnReduction.h"
#include "lowering/vector/RowReduction.h"

#include "mlir/IR/PatternMatch.h"

namespace omb::kernels {

/// A reduction, in parts of one of its loops.
struct SplitReduction {
  mlir::linalg::GenericOp op;
  mlir::linalg::FillOp fill;
  Combiner combiner;
  unsigned loop;
  /// 1 where the whole is as fast.
  int64_t parts;

  SplitReduction(const ColumnReduction &reduction, const VectorUnit &unit);
  explicit SplitReduction(const RowReduction &reduction);

  /// Reduces each part, for several workgroups, and then what these give.
  void apply(mlir::RewriterBase &rewriter) const;

private:
  bool isSplittable() const;
  /// How many of equal size, at least `wanted` and not many more if they can
  /// be.
  int64_t countParts(int64_t wanted) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SPLITREDUCTIONS_H
