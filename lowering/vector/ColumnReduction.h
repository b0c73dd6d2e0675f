//===- ColumnReduction.h - Reductions with the channels last ----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_COLUMNREDUCTION_H
#define OMB_LOWERING_VECTOR_COLUMNREDUCTION_H

#include "lowering/vector/Combiner.h"
#include "lowering/vector/RegisterTile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// A reduction that keeps the last dimension of what it reads, the channels, as
/// the last one of its result:
///
///   out[p..., c] = combine(out[p..., c], g(tensors at p..., r..., c))
///
/// where `out` starts with a constant, and what is done to each element of it
/// before anything else is.
struct ColumnReduction {
  mlir::linalg::GenericOp op;
  mlir::linalg::FillOp fill;
  Combiner combiner;
  /// Loops: the channels, the positions in the order of the output's
  /// dimensions, and what is reduced.
  unsigned channel;
  llvm::SmallVector<unsigned> positions;
  llvm::SmallVector<unsigned> reductions;
  /// Null where the reduction is the result.
  mlir::linalg::GenericOp epilogue;

  /// Fails with the reason where `op` is something else.
  static mlir::FailureOr<ColumnReduction>
  match(mlir::linalg::GenericOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);

  /// Whether an operand that is read so has values that several positions
  /// reduce, as the factors of products do.
  bool sharesValues(mlir::AffineMap map) const;
  mlir::Value getResult() const;
  mlir::RankedTensorType getResultType() const;
  mlir::Type getSumType() const;
  /// What is read, each once.
  llvm::SmallVector<mlir::Value> getTensors() const;
  /// The number of values along a loop; dynamic where it isn't known.
  int64_t getSize(unsigned loop) const;
  /// The lanes of a vector of channels, and how many vectors a panel has.
  unsigned getLanes(const VectorUnit &unit) const;
  unsigned getVectors(const VectorUnit &unit) const;
  /// About how long a panel of one position takes, in microseconds; dynamic
  /// sizes are `usual`.
  double getMicroseconds(const VectorUnit &unit, int64_t usual) const;
};

/// Whether the last dimension of what `op` reads is a loop that isn't reduced.
bool keepsLast(mlir::linalg::GenericOp op);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_COLUMNREDUCTION_H
