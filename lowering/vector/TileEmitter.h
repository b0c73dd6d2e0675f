//===- TileEmitter.h - Vector code of one tile ------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_TILEEMITTER_H
#define OMB_LOWERING_VECTOR_TILEEMITTER_H

#include "lowering/vector/EpilogueEmitter.h"
#include "lowering/vector/KernelSpace.h"

#include "llvm/ADT/DenseMap.h"

namespace omb::kernels {

/// The memory in which a kernel finds what were tensors.
struct KernelMemory {
  /// The result is that of null.
  llvm::DenseMap<mlir::Value, mlir::Value> operands;
  /// The sizes of the panels' dimensions and of the result's.
  llvm::SmallVector<mlir::OpFoldResult> panelSizes, resultSizes;
};

/// Writes the code that computes tiles of a packed product.
class TileEmitter {
public:
  TileEmitter(mlir::OpBuilder &builder, const PackedContraction &contraction,
              const KernelSpace &space, const KernelMemory &memory,
              mlir::Value panel);

  /// The tile of `count` columns from this position on. `column` is the first
  /// column's number where the tile has columns in the input's padding, which
  /// are skipped.
  void emit(llvm::ArrayRef<mlir::Value> position, unsigned count,
            std::optional<int64_t> column = std::nullopt);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// What the code for the sums needs to know.
  struct Sum {
    /// The value of each loop of the product; null where it has none yet.
    Values indices;
    unsigned count;
    std::optional<int64_t> column;
    /// The columns of the tile that the current tap has values for.
    unsigned begin, end;
  };

  /// The sums, `vectors` for each column.
  Values emitSums(llvm::ArrayRef<mlir::Value> position, unsigned count,
                  std::optional<int64_t> column);
  Values emitSumLoops(llvm::ArrayRef<unsigned> loops, Sum &sum, Values sums);
  /// The taps one by one, each for the columns that aren't in the padding.
  Values emitBorderTaps(llvm::ArrayRef<unsigned> loops,
                        const PaddedWindow &window, Sum &sum, Values sums);
  Values emitStep(const Sum &sum, Values sums);
  /// Weights of narrower floats than the sums as what is multiplied.
  mlir::Value widen(mlir::Value weights);
  /// A group of the input's values for each lane.
  mlir::Value readGroup(mlir::Value input, llvm::ArrayRef<mlir::Value> at);
  /// The taps of a window that aren't in the padding.
  std::pair<mlir::Value, mlir::Value> getTaps(const PaddedWindow &window,
                                              const Sum &sum, mlir::Value taps);
  /// The weights and the input of the column `number` of the tile.
  Values readWeights(const Sum &sum);
  Values readInput(const Sum &sum, unsigned number);
  /// Where the input of column `number` of the tile is.
  Values getInputIndices(const Sum &sum, unsigned number);

  /// Has the epilogue done to the sums one after the other, in a loop: code for
  /// each would be long, where it is long for one.
  void emitEpilogueLoop(llvm::ArrayRef<mlir::Value> position,
                        llvm::ArrayRef<mlir::Value> sums);
  /// Where the result of a vector of the tile is.
  Values getResultIndices(llvm::ArrayRef<mlir::Value> position,
                          mlir::OpFoldResult column, mlir::OpFoldResult vector);
  /// The vector's lanes that are channels; null where all are.
  mlir::Value getMask(mlir::Value channel);

  mlir::Value constant(int64_t value);
  /// An index computed from others.
  mlir::Value apply(mlir::AffineExpr expr,
                    llvm::ArrayRef<mlir::OpFoldResult> operands);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  PackedContraction contraction;
  const KernelSpace &space;
  const KernelMemory &memory;
  /// The panel's number and its first channel.
  mlir::Value panel, channel;
  /// A vector of the sums.
  mlir::VectorType type;
  llvm::SmallVector<PaddedWindow> windows;
  /// Memory for a tile's sums; null where the epilogue needs no loop.
  mlir::Value buffer;
  EpilogueEmitter finish;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_TILEEMITTER_H
