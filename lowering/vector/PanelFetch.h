//===- PanelFetch.h - Fetching panels before they are read ------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PANELFETCH_H
#define OMB_LOWERING_VECTOR_PANELFETCH_H

#include "lowering/vector/IndexWriter.h"
#include "lowering/vector/KernelSpace.h"

namespace omb::kernels {

/// What is summed of a block's tiles; the sums are in memory meanwhile.
struct SumPart {
  /// The groups.
  mlir::Value begin, end;
  /// Of positions and channels.
  mlir::Value sums;
  /// Whether they are complete then.
  bool isLast;
};

/// Writes what fetches weights while tiles are computed.
///
/// The tiles of a panel read it from the second cache, all but the first, which
/// waits for memory: its loop has more lines to fetch than a CPU can wait for
/// at once. So each tile fetches a part of the panel that its thread will have
/// next. Where nobody knows which that is, steps fetch what later ones read.
class PanelFetch : IndexWriter {
public:
  PanelFetch(mlir::OpBuilder &builder, const PackedContraction &contraction,
             const KernelSpace &space);

  /// Tiles that follow are of this one of `count` panels.
  void setPanel(mlir::Value panel, mlir::OpFoldResult count);
  /// Steps that follow are of a tile before which a thread visits so many
  /// positions; null where nobody knows.
  void setTile(mlir::Value before);
  /// What a step fetches that reads `groups` of `panels`, the first of which is
  /// `at`, and which adds this part of the sums if there are parts.
  void emit(mlir::Value panels, mlir::ValueRange at, int64_t groups,
            const std::optional<SumPart> &part = std::nullopt);

private:
  const KernelSpace &space;
  /// The sizes of the panels' dimensions for sums, and the elements of a group.
  llvm::ArrayRef<int64_t> sumSizes;
  int64_t groupSize;
  /// The elements that a tile fetches for each group that it reads; 0 where the
  /// next panel isn't fetched.
  int64_t share = 0;
  /// The elements to be fetched for a position.
  int64_t positionShare = 0;
  /// This panel and the next one.
  mlir::Value current, following;
  /// The elements that tiles before this one fetch.
  mlir::Value first;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PANELFETCH_H
