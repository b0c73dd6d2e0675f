//===- VectorTileEmitter.h - Tiles in vector registers ----------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORTILEEMITTER_H
#define OMB_LOWERING_VECTOR_VECTORTILEEMITTER_H

#include "lowering/vector/TileEmitter.h"

namespace omb::kernels {

/// Keeps the sums of a tile in vector registers: multiplies a row of weights
/// with one value, or one group, of each column.
class VectorTileEmitter : public TileEmitter {
public:
  VectorTileEmitter(mlir::OpBuilder &builder,
                    const PackedContraction &contraction,
                    const KernelSpace &space, const KernelMemory &memory);

protected:
  /// The sums are `vectors` for each column.
  Values createZeros(const TileColumns &columns) override;
  /// The vectors of weights of a step.
  virtual Values readWeights(const Sum &sum);
  /// The input of the column `number` of the tile.
  Values readInput(const Sum &sum, unsigned number);
  Values emitStep(const Sum &sum, Values sums) override;

private:
  void emitResults(llvm::ArrayRef<mlir::Value> position,
                   const TileColumns &columns, Values sums) override;

  /// Where in memory the `number`-th of a tile's sums is between its parts.
  Values getSumIndices(const TileColumns &columns, unsigned number);
  Values readSums(const TileColumns &columns);
  void writeSums(const TileColumns &columns, llvm::ArrayRef<mlir::Value> sums);
  /// Has the epilogue done to the sums one after the other, in a loop: code for
  /// each would be long, where it is long for one.
  void emitEpilogueLoop(llvm::ArrayRef<mlir::Value> position,
                        llvm::ArrayRef<mlir::Value> sums);
  /// Weights of narrower floats than the sums as what is multiplied.
  mlir::Value widen(mlir::Value weights);
  /// The bytes of a depthwise convolution as what is multiplied; else `read`.
  mlir::Value toNumbers(mlir::Value read);
  /// A group of the input's values for each lane.
  mlir::Value readGroup(mlir::Value input, llvm::ArrayRef<mlir::Value> at);

  /// Memory for a tile's sums; null where the epilogue needs no loop.
  mlir::Value buffer;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORTILEEMITTER_H
