//===- TileEmitter.h - Vector code of one tile ------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_TILEEMITTER_H
#define OMB_LOWERING_VECTOR_TILEEMITTER_H

#include "lowering/vector/KernelSpace.h"

#include "llvm/ADT/DenseMap.h"

namespace omb::kernels {

/// The memory in which a kernel finds what were tensors.
struct KernelMemory {
  llvm::DenseMap<mlir::Value, mlir::Value> operands;
  mlir::Value result;
  /// The sizes of the panels' dimensions and of the result's.
  llvm::SmallVector<mlir::OpFoldResult> panelSizes, resultSizes;
};

/// Writes the code that computes tiles of a packed product.
class TileEmitter {
public:
  TileEmitter(mlir::OpBuilder &builder, const PackedContraction &contraction,
              const KernelSpace &space, const KernelMemory &memory,
              mlir::Value panel);

  /// The tile of `count` columns from `column` on, in the row of these indices.
  /// Without columns, the result's only row.
  void emit(mlir::ValueRange row, mlir::Value column, unsigned count);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// The sums, `vectors` for each column.
  Values emitSums(mlir::ValueRange row, mlir::Value column, unsigned count);
  Values emitSumLoops(llvm::ArrayRef<unsigned> loops, Values &indices,
                      Values sums, unsigned count);
  Values emitStep(llvm::ArrayRef<mlir::Value> indices,
                  llvm::ArrayRef<mlir::Value> sums, unsigned count);
  /// Where the input of column `number` of the tile is.
  Values getInputIndices(llvm::ArrayRef<mlir::Value> indices, unsigned number);

  /// Has the epilogue done to the sums one after the other, in a loop: code for
  /// each would be long, where it is long for one.
  void emitEpilogueLoop(mlir::ValueRange row, mlir::Value column,
                        mlir::Value first, llvm::ArrayRef<mlir::Value> sums);
  /// What the epilogue makes of `sum`, at these indices of the result.
  mlir::Value emitEpilogue(mlir::Value sum, llvm::ArrayRef<mlir::Value> at);
  mlir::Value readOperand(mlir::OpOperand &operand,
                          llvm::ArrayRef<mlir::Value> at);
  mlir::Value toVector(mlir::Value value);
  void store(mlir::Value value, llvm::ArrayRef<mlir::Value> at);
  /// The vector's lanes that are channels; null where all are.
  mlir::Value getMask(mlir::Value channel);

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value value, int64_t offset);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  PackedContraction contraction;
  const KernelSpace &space;
  const KernelMemory &memory;
  mlir::Value panel;
  mlir::VectorType type;
  /// Memory for a tile's sums; null where the epilogue needs no loop.
  mlir::Value buffer;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_TILEEMITTER_H
