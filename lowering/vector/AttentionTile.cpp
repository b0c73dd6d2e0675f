//===- AttentionTile.cpp - How attention is divided -----------------------===//

#include "lowering/vector/AttentionTile.h"

#include "lowering/vector/KernelSpace.h"
#include "lowering/vector/RowStride.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

/// The scores of a tile that stay in a first cache.
static constexpr int64_t kScoreBytes = 16 << 10;

AttentionTile AttentionTile::get(const Attention &attention,
                                 const VectorUnit &unit) {
  unsigned bytes = attention.getElementType().getWidth() / 8;
  int64_t queries = attention.getSize(attention.getQueryLoop());
  int64_t keys = attention.getSize(attention.getKeyLoop());
  AttentionTile tile;
  tile.lanes = unit.getLanes(bytes, queries);
  // What a start that isn't known adds doesn't matter here.
  const TensorAccess &read = attention.getKeys();
  SmallVector<AffineExpr> none(
      attention.getSpace().symbols.size(),
      getAffineConstantExpr(0, attention.getSpace().context));
  auto exprs = llvm::map_to_vector(
      read.at, [&](AffineExpr expr) { return expr.replaceSymbols(none); });
  bool sharesSet =
      sharesCacheSet(cast<RankedTensorType>(read.tensor.getType()), exprs,
                     attention.getSpace().sizes.size(), attention.getKeyLoop());
  TileDemand scores{keys, queries, false, sharesSet};
  tile.queryVectors = selectVectors(unit, tile.lanes, scores);
  tile.keyRows = selectRows(unit, tile.queryVectors, scores);

  int64_t most = kScoreBytes / bytes / tile.getQueries();
  if (ShapedType::isDynamic(keys)) {
    tile.chunk = llvm::alignTo(most, tile.keyRows);
  } else {
    int64_t even = llvm::divideCeil(keys, llvm::divideCeil(keys, most));
    tile.chunk = keys <= most ? keys : llvm::alignTo(even, tile.keyRows);
  }

  int64_t length = attention.getSize(attention.getValueLoop());
  TileDemand result{tile.getQueries(), length, false, false};
  tile.resultLanes = unit.getLanes(bytes, length);
  tile.resultVectors = selectVectors(unit, tile.resultLanes, result);
  tile.resultRows = selectRows(unit, tile.resultVectors, result);
  return tile;
}
