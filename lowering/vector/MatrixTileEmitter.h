//===- MatrixTileEmitter.h - Tiles in a matrix unit -------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_MATRIXTILEEMITTER_H
#define OMB_LOWERING_VECTOR_MATRIXTILEEMITTER_H

#include "lowering/vector/TileEmitter.h"

namespace omb::kernels {

/// Keeps the sums of a tile in the registers of Intel's AMX (Intel 64 and IA-32
/// Architectures Software Developer's Manual, volume 1, chapter 18): each is a
/// matrix of columns of the tile by 16 channels, to which an instruction adds
/// the product of a matrix of the input's groups, read where they are, and one
/// of the panel's. What is done to the sums is done from memory.
class MatrixTileEmitter : public TileEmitter {
public:
  MatrixTileEmitter(mlir::OpBuilder &builder,
                    const PackedContraction &contraction,
                    const KernelSpace &space, const KernelMemory &memory);

private:
  /// The sums are `vectors` for each `rows` columns.
  Values createZeros(const TileColumns &columns) override;
  int64_t getStepGroups() const override { return matrix.groups; }
  Values emitStep(const Sum &sum, Values sums) override;
  void emitResults(llvm::ArrayRef<mlir::Value> position,
                   const TileColumns &columns, Values sums) override;

  /// The position of a column of a tile with gaps, and whether it is one of the
  /// result's.
  Values getGappedPosition(llvm::ArrayRef<mlir::Value> position,
                           mlir::Value column);
  mlir::Value isInResult(llvm::ArrayRef<mlir::Value> position);
  /// The matrix of the input for the tile's columns from `first` on.
  mlir::Value loadInput(const Sum &sum, unsigned first);
  /// Copies what the input has for these columns, and zeros where they are
  /// in the padding, to `gathered`.
  void gatherInput(const Sum &sum, unsigned first);
  /// The matrix of the panel for its channels from 16 * `vector` on.
  mlir::Value loadPanel(const Sum &sum, unsigned vector);

  /// A matrix of `rows` rows of `bytes` bytes, `stride` bytes apart.
  mlir::Value load(unsigned rows, unsigned bytes, mlir::Value address,
                   mlir::Value stride);
  mlir::Value call(llvm::StringRef intrinsic, mlir::ValueRange operands,
                   mlir::Type result);
  /// The address of an element of `memory`, a memref.
  mlir::Value getAddress(mlir::Value memref, llvm::ArrayRef<mlir::Value> at);
  mlir::Value toPointer(mlir::Value address);
  /// The bytes from an element's address to another's.
  mlir::Value getDistance(mlir::Value from, mlir::Value to);
  mlir::Value word(int64_t value);
  mlir::Value half(int64_t value);

  MatrixTile matrix;
  /// Memory for a tile's sums, and for the input of `rows` columns.
  mlir::Value buffer, gathered;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_MATRIXTILEEMITTER_H
