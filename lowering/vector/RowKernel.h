//===- RowKernel.h - What is computed row by row ----------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROWKERNEL_H
#define OMB_LOWERING_VECTOR_ROWKERNEL_H

#include "lowering/vector/RowReduction.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace omb::kernels {

/// Operations that together compute one tensor [rows..., n] row by row, as
/// softmax and layer normalization do: elementwise ops on that shape (wide),
/// reductions over n, and elementwise ops and reshapes of their results (of
/// row values), which may have dimensions of size 1 after the rows.
class RowKernel {
public:
  /// What `root` gives: what it reads in turn, as far as nothing else reads it.
  /// Fails with the reason, of which it tells `why` if a reduction is part of
  /// what is read.
  static mlir::FailureOr<RowKernel>
  match(mlir::linalg::GenericOp root,
        llvm::function_ref<void(const llvm::Twine &)> why);

  mlir::linalg::GenericOp getRoot() const { return root; }
  mlir::RankedTensorType getType() const;
  /// Without the dimension of the row's elements.
  unsigned getRowRank() const { return getType().getRank() - 1; }
  /// In their order.
  llvm::ArrayRef<mlir::Operation *> getOps() const { return ops; }
  const llvm::MapVector<mlir::Operation *, RowReduction> &
  getReductions() const {
    return reductions;
  }
  bool isMember(mlir::Value value) const;
  bool isWide(mlir::Operation *op) const;
  /// Whether an op computes a value of each row of others: once for a row.
  bool isRowOp(mlir::Operation *op) const;
  /// Whether all elements of a row read the same of `operand`, of an op that is
  /// no reshape.
  bool isUniform(mlir::OpOperand &operand) const;
  /// What the ops read that none of them computes, each once; and the indices
  /// that their bodies read from outside.
  llvm::SmallVector<mlir::Value> getTensors() const;
  llvm::SmallVector<mlir::Value> getIndices() const;
  /// The reductions before an op: those with n before them are computed in the
  /// sweep n of the row, and what the root yields in the last one.
  unsigned getSweep(mlir::Operation *op) const { return sweeps.lookup(op); }
  unsigned getSweepCount() const { return sweeps.lookup(root) + 1; }

private:
  explicit RowKernel(mlir::linalg::GenericOp root) : root(root) {}

  /// The ops that `root` depends on, as far as they may be members.
  void collect();
  /// Removes ops until all that is left can be computed row by row.
  void prune();
  /// Whether an op is, by itself, wide, a reduction or one of row values.
  bool isCandidate(mlir::Operation *op);
  bool isElementwise(mlir::Operation *op, bool isWide) const;
  bool isRowReshape(mlir::Operation *op) const;
  /// Whether the shape is that of the rows, perhaps with ones after it.
  bool isRowShape(llvm::ArrayRef<int64_t> shape) const;
  /// Whether a member, or what is none, can be read so.
  bool readsMember(mlir::OpOperand &operand) const;
  bool readsOther(mlir::OpOperand &operand) const;
  bool isComputable(mlir::Operation *op) const;
  /// How many reductions there are from an op to the root, with itself.
  unsigned
  getHeight(mlir::Operation *op,
            const llvm::DenseMap<mlir::Operation *, unsigned> &heights) const;
  bool hasOneLength() const;
  void setSweeps();

  mlir::linalg::GenericOp root;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SmallPtrSet<mlir::Operation *, 16> members;
  llvm::MapVector<mlir::Operation *, RowReduction> reductions;
  llvm::DenseMap<mlir::Operation *, unsigned> sweeps;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROWKERNEL_H
