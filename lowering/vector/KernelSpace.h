//===- KernelSpace.h - Which workgroup computes what ------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_KERNELSPACE_H
#define OMB_LOWERING_VECTOR_KERNELSPACE_H

#include "lowering/vector/PackedContraction.h"
#include "lowering/vector/RegisterTile.h"

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// What a workgroup of a kernel of unknown size takes: beside this, starting it
/// costs nothing.
constexpr double kUsualMicroseconds = 20;

/// The number of units of a block with which kernels end soonest on few and on
/// many threads, or on `threads` of them unless that is 0. There are `units`
/// for each of `panels`, all of `unitWork` microseconds; each block takes
/// `blockWork` besides.
int64_t selectBlock(int64_t units, int64_t panels, double unitWork,
                    double blockWork = 0, unsigned threads = 0);

/// How a kernel's result is divided.
///
/// The result has rows, columns and channels; where it is flat, no rows. A tile
/// is `tileRows` columns of one row and `vectors` vectors of channels; a
/// workgroup has the tiles of one panel of channels, or of all, for `block`
/// rows, or, where there are no rows, for `block` tiles.
struct KernelSpace {
  unsigned lanes;
  unsigned vectors;
  unsigned tileRows;
  int64_t block;
  /// What workgroups next to each other share, so that it stays in a cache: the
  /// rows of the input, or the panel. Whichever leaves less to be read again.
  bool sharesRows;
  /// Whether a workgroup has all panels.
  bool hasAllPanels = false;
  /// How many groups are summed for all tiles of a block before others are, so
  /// that the second cache has what this reads; 0: all.
  int64_t sumBlock = 0;
  /// The positions for which a thread has a panel, or this part of it, before
  /// it has the next; 0 where nobody knows.
  int64_t visited = 0;
  /// Of how many panels in a row a thread has all blocks, and how many panels
  /// other threads have before its next ones.
  int64_t panelsAtOnce = 1, panelsOfOthers = 0;
  /// Whether an instruction rounds such vectors of sums to bf16.
  bool convertsBFloats;
  /// The tile of a matrix unit; none where vectors are multiplied.
  std::optional<MatrixTile> matrix;
  /// By which all positions are counted, as columns; empty where there are
  /// rows.
  llvm::SmallVector<int64_t> basis;
  /// Whether some columns are no positions of the result.
  bool hasGaps;

  static KernelSpace get(const PackedContraction &contraction,
                         const VectorUnit &unit);
  /// Only the tiles, of positions that are counted by `basis`.
  static KernelSpace getTiles(const PackedContraction &contraction,
                              const VectorUnit &unit,
                              llvm::ArrayRef<int64_t> basis);

  /// Whether the positions that a thread visits are those of a block.
  bool visitsBlocks() const { return sharesRows || sumBlock != 0; }
  /// Which panels a thread has, where there are `units` of `positions` each.
  void setVisits(int64_t units, int64_t positions, int64_t panels,
                 unsigned threads);
  /// The microseconds that this number of positions of a panel takes.
  double getWork(const PackedContraction &contraction, int64_t positions) const;

  /// The number of blocks of a result with these numbers of rows (none where
  /// there are columns only) and columns.
  mlir::Value getBlockCount(mlir::OpBuilder &builder, mlir::Location loc,
                            llvm::ArrayRef<mlir::OpFoldResult> rows,
                            mlir::OpFoldResult columns) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_KERNELSPACE_H
