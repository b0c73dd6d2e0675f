//===- RowSweeps.h - What is computed in which sweep ------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROWSWEEPS_H
#define OMB_LOWERING_VECTOR_ROWSWEEPS_H

#include "lowering/vector/RowKernel.h"

namespace omb::kernels {

/// How the elements of a row are gone through: a sweep for all reductions that
/// don't depend on each other, and a last one for the result. What several
/// sweeps need is computed in each, but for one value that takes long: the
/// first of them leaves it where the result will be.
class RowSweeps {
public:
  explicit RowSweeps(const RowKernel &kernel);

  unsigned getCount() const { return kernel.getSweepCount(); }
  bool isLast(unsigned sweep) const { return sweep + 1 == getCount(); }
  llvm::SmallVector<RowReduction> getReductions(unsigned sweep) const;
  /// The elementwise ops on rows that a sweep computes.
  llvm::SetVector<mlir::Operation *> getWideOps(unsigned sweep) const;
  /// Whether the sweep leaves the op's values in memory, or finds them there.
  bool keeps(mlir::Operation *op, unsigned sweep) const;
  bool finds(mlir::Operation *op, unsigned sweep) const;
  /// Whether a sweep calls functions.
  bool isLong(unsigned sweep) const;
  /// About how long a vector takes in all sweeps, in microseconds.
  double getMicroseconds() const;

private:
  const RowKernel &kernel;
  /// What is left in memory, if anything, and by which sweep.
  mlir::Operation *kept = nullptr;
  unsigned keptBy = 0;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROWSWEEPS_H
