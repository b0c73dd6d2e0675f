//===- TileEmitter.h - Code of one tile of a product ------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_TILEEMITTER_H
#define OMB_LOWERING_VECTOR_TILEEMITTER_H

#include "lowering/vector/EpilogueEmitter.h"
#include "lowering/vector/IndexWriter.h"
#include "lowering/vector/KernelSpace.h"
#include "lowering/vector/PanelFetch.h"
#include "lowering/vector/RowRing.h"

#include "llvm/ADT/DenseMap.h"
#include <memory>

namespace omb::kernels {

/// The memory in which a kernel finds what were tensors.
struct KernelMemory {
  /// The result is that of null.
  llvm::DenseMap<mlir::Value, mlir::Value> operands;
  /// The sizes of the panels' dimensions and of the result's.
  llvm::SmallVector<mlir::OpFoldResult> panelSizes, resultSizes;
  /// Where the input, or the result, is instead, if only some of its rows are
  /// kept.
  const RowRing *inputRing = nullptr, *resultRing = nullptr;
};

/// The columns of a tile.
struct TileColumns {
  /// As many at most.
  unsigned count;
  /// How many there are; null: `count`.
  mlir::Value known = nullptr;
  /// The first column's number where the tile has columns in the input's
  /// padding, which are skipped.
  std::optional<int64_t> first = std::nullopt;
  /// How many positions a thread visits before them; null where nobody knows.
  mlir::Value before = nullptr;
};

/// Writes the code that computes tiles of a packed product: the loops of the
/// sums and what is done to these. The sums themselves are the derived class's.
class TileEmitter : protected IndexWriter {
public:
  /// Writes with vector registers, or with the matrix unit if `space` says so.
  static std::unique_ptr<TileEmitter>
  create(mlir::OpBuilder &builder, const PackedContraction &contraction,
         const KernelSpace &space, const KernelMemory &memory);
  virtual ~TileEmitter() = default;

  /// Tiles that follow are of the panel of this number.
  void setPanel(mlir::Value number);

  /// Tiles that follow add only this; for sums in vector registers.
  void setPart(const SumPart &part);

  /// The tile of `columns` from this position on.
  void emit(llvm::ArrayRef<mlir::Value> position, const TileColumns &columns);

protected:
  using Values = llvm::SmallVector<mlir::Value>;

  /// What the code for the sums needs to know.
  struct Sum {
    /// The value of each loop of the product; null where it has none yet.
    Values indices;
    TileColumns columns;
    /// The columns of the tile that the current tap has values for.
    unsigned begin, end;
  };

  TileEmitter(mlir::OpBuilder &builder, const PackedContraction &contraction,
              const KernelSpace &space, const KernelMemory &memory);

  /// The sums before anything is added, or what they are before a part.
  virtual Values createZeros(const TileColumns &columns) = 0;
  /// How many groups of the innermost loop a step takes.
  virtual int64_t getStepGroups() const { return 1; }
  virtual Values emitStep(const Sum &sum, Values sums) = 0;
  /// The loops of the sum that are left, inside of those that have an index.
  virtual Values emitSumLoops(llvm::ArrayRef<unsigned> loops, Sum &sum,
                              Values sums);
  /// Does the epilogue to the sums and stores them.
  virtual void emitResults(llvm::ArrayRef<mlir::Value> position,
                           const TileColumns &columns, Values sums) = 0;

  /// The size of the input's dimension.
  mlir::OpFoldResult getInputSize(unsigned dim);
  /// The memory of the input.
  mlir::Value getInput();
  /// Where in that its element at these indices is.
  Values locateInput(Values at);
  /// Which of the input's elements column `number` of the tile reads.
  Values getInputIndices(const Sum &sum, unsigned number);
  /// Where the first of the panel's values of this step are.
  Values getPanelIndices(const Sum &sum);
  /// Where the result of a vector of the tile is.
  Values getResultIndices(llvm::ArrayRef<mlir::Value> position,
                          mlir::OpFoldResult column, mlir::OpFoldResult vector);
  /// The vector's lanes that are channels; null where all are.
  mlir::Value getMask(mlir::Value channel);

  /// An index computed from others.
  mlir::Value apply(mlir::AffineExpr expr,
                    llvm::ArrayRef<mlir::OpFoldResult> operands);

  PackedContraction contraction;
  const KernelSpace &space;
  const KernelMemory &memory;
  /// The panel's number and its first channel.
  mlir::Value panel, channel;
  std::optional<SumPart> part;
  /// A vector of the sums.
  mlir::VectorType type;
  EpilogueEmitter finish;
  PanelFetch fetch;

private:
  /// The taps one by one, each for the columns that aren't in the padding.
  Values emitBorderTaps(llvm::ArrayRef<unsigned> loops,
                        const PaddedWindow &window, Sum &sum, Values sums);
  /// The taps of a window that aren't in the padding.
  std::pair<mlir::Value, mlir::Value> getTaps(const PaddedWindow &window,
                                              const Sum &sum, mlir::Value taps);

  llvm::SmallVector<PaddedWindow> windows;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_TILEEMITTER_H
