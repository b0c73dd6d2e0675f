//===- TileLoops.h - The tiles of a product, in loops -----------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_TILELOOPS_H
#define OMB_LOWERING_VECTOR_TILELOOPS_H

#include "lowering/vector/KernelSignature.h"
#include "lowering/vector/TileEmitter.h"

namespace omb::kernels {

/// The sizes of the result's rows; none where it is flat.
llvm::SmallVector<mlir::OpFoldResult>
getRowSizes(const PackedContraction &contraction, const KernelSpace &space,
            llvm::ArrayRef<mlir::OpFoldResult> resultSizes);

/// The number of columns of a row, or of the result where it is flat.
mlir::OpFoldResult
getColumnSize(mlir::OpBuilder &builder, mlir::Location loc,
              const PackedContraction &contraction, const KernelSpace &space,
              llvm::ArrayRef<mlir::OpFoldResult> resultSizes);

/// The number of panels.
mlir::Value getPanelCount(mlir::OpBuilder &builder, mlir::Location loc,
                          const PackedContraction &contraction,
                          llvm::ArrayRef<mlir::OpFoldResult> panelSizes,
                          llvm::ArrayRef<mlir::OpFoldResult> resultSizes);

/// The sizes of the panels' dimensions, in a block that takes the dynamic ones
/// of what the kernel reads.
llvm::SmallVector<mlir::OpFoldResult>
getPanelSizes(const KernelSignature &signature, mlir::OpBuilder &builder,
              mlir::Block *block, const PackedContraction &contraction);

/// The panels with the groups of all channels in one dimension, which vectors
/// are read from.
mlir::RankedTensorType getPanelsInMemory(const PackedContraction &contraction);

/// Writes loops over tiles of a product.
class TileLoops : IndexWriter {
public:
  TileLoops(mlir::OpBuilder &builder, const PackedContraction &contraction,
            const KernelSpace &space, const KernelMemory &memory);

  /// The tiles of a block of one panel.
  void emitBlock(mlir::Value block, mlir::Value panel);
  /// The tiles of a row, where the result isn't flat, of one panel.
  void emitRow(mlir::ValueRange row, mlir::Value panel);

private:
  void emitColumnsOf(mlir::ValueRange row);
  void emitPaddedColumns(mlir::ValueRange row, const PaddedWindow &window);
  void clearSums();
  /// The same with the sums in parts, all tiles of one before the next.
  void emitParts(mlir::Value begin, mlir::Value end);
  /// The tiles of the columns from `begin` to `end`.
  void emitColumns(mlir::ValueRange row, mlir::Value begin, mlir::Value end);
  /// The position of a row and a column in the order of the result's
  /// dimensions.
  llvm::SmallVector<mlir::Value> getPosition(mlir::ValueRange row,
                                             mlir::Value column);
  std::optional<PaddedWindow> getColumnWindow() const;
  /// The tile of a row from this column on.
  void emitTile(mlir::ValueRange row, mlir::Value column, TileColumns columns);

  PackedContraction contraction;
  const KernelSpace &space;
  const KernelMemory &memory;
  std::unique_ptr<TileEmitter> tiles;
  /// How many positions a thread visits before a row's first column; null where
  /// nobody knows.
  mlir::Value before;
  /// Memory for the sums of a block between their parts; null where there are
  /// none.
  mlir::Value sums;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_TILELOOPS_H
