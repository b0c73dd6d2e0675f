//===- RowEmitter.h - Vector code of one row --------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROWEMITTER_H
#define OMB_LOWERING_VECTOR_ROWEMITTER_H

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/IndexWriter.h"
#include "lowering/vector/RowSweeps.h"

namespace omb::kernels {

/// Where a kernel of rows finds what it reads, and leaves its result.
struct RowMemory {
  /// The memory of the tensors; that of null is the result's.
  llvm::DenseMap<mlir::Value, mlir::Value> tensors;
  /// The indices that the ops read, and what they have become.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> indices;
  mlir::OpFoldResult length;
};

/// Writes the code that computes a row: sweeps through its elements, vector by
/// vector, of which each computes what the reductions of the next ones need.
class RowEmitter : IndexWriter {
public:
  /// To be made outside of loops over rows: makes what all rows need.
  RowEmitter(mlir::OpBuilder &builder, const RowKernel &kernel, unsigned lanes,
             const RowMemory &memory);

  /// The row at these indices.
  void emit(mlir::ValueRange row);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// The vector of a row that code is written for.
  struct Position {
    mlir::Value column;
    /// Null where all lanes are elements of the row.
    mlir::Value mask;
    /// What is computed of it.
    llvm::DenseMap<mlir::Operation *, mlir::Value> wide;
  };

  /// Goes through the row; gives the vectors of the sweep's reductions.
  Values emitSweep();
  /// The vectors from `begin` to `end`, `count` at a time.
  Values emitLoop(mlir::OpFoldResult begin, mlir::OpFoldResult end,
                  unsigned count, Values sums);
  Values emitTail(mlir::OpFoldResult begin, Values sums);
  /// Adds to the reductions of each position what they combine, or stores the
  /// root's value.
  Values emitVectors(llvm::MutableArrayRef<Position> positions, Values sums);
  /// One vector for each reduction instead of several.
  Values combine(Values sums);
  /// The ops of row values that the sweep needs and those before didn't.
  void emitRowOps();

  /// Reads what is the same for all elements of a row.
  void readUniform();
  mlir::Value getOperand(mlir::OpOperand &operand, Position &position);
  mlir::Value getWide(mlir::linalg::GenericOp op, Position &position);
  Values getIndices(mlir::OpOperand &operand, mlir::Value column);
  LaneEmitter createLanes() const;
  mlir::Value load(mlir::Value memory, mlir::ValueRange at,
                   const Position &position);
  void store(mlir::Value value, const Position &position);
  /// The multiple of `step` vectors that isn't above the length.
  mlir::OpFoldResult getFloor(unsigned step);

  const RowKernel &kernel;
  RowSweeps sweeps;
  unsigned lanes;
  const RowMemory &memory;
  /// The division of a softmax; null of something else.
  mlir::Operation *quotient = nullptr;
  /// The lanes of what is left after the last full vector.
  mlir::Value tailMask;

  // Of the row and the sweep that code is written for:
  mlir::ValueRange row;
  unsigned sweep = 0;
  llvm::DenseMap<mlir::OpOperand *, mlir::Value> uniform;
  llvm::DenseMap<mlir::Value, mlir::Value> rowValues;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROWEMITTER_H
