//===- SparseTile.cpp - Rows of a product with sparse weights -------------===//

#include "lowering/vector/SparseTile.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

/// As few rows take less time one by one than in lanes most of which are for
/// nothing.
static constexpr int64_t kMostSingleRows = 3;

/// The part of the second cache that the elements of a tile may fill, which are
/// read in any order.
static constexpr int64_t kTileBytes = 1 << 20;

static constexpr int64_t kElementBytes = 4;
static constexpr int64_t kMostVectors = 4;
static constexpr int64_t kMostImageVectors = 8;

int64_t SparseTile::getMostImageRows(const VectorUnit &unit) {
  return unit.getLanes(kElementBytes) * kMostImageVectors;
}

/// As many coordinates as there are numbers of 8 bits.
static constexpr int64_t kChunk = 256;

int64_t SparseTile::getChunk(int64_t inner, double density) const {
  constexpr double fewestValues = 8;
  if (lanes == 1 || inner <= kChunk || density * kChunk < fewestValues)
    return 0;
  return llvm::divideCeil(inner, llvm::divideCeil(inner, kChunk));
}

/// As few vectors as make all tiles of `rows` rows alike.
static SparseTile divide(int64_t rows, unsigned lanes, int64_t mostVectors) {
  int64_t vectors = std::max<int64_t>(llvm::divideCeil(rows, lanes), 1);
  int64_t tiles = llvm::divideCeil(vectors, mostVectors);
  return {lanes, static_cast<unsigned>(llvm::divideCeil(vectors, tiles))};
}

SparseTile SparseTile::getOfImage(const VectorUnit &unit, int64_t rows) {
  return divide(rows, unit.getLanes(kElementBytes), kMostImageVectors);
}

SparseTile SparseTile::get(const VectorUnit &unit, int64_t rows,
                           int64_t inner) {
  bool isDynamic = ShapedType::isDynamic(rows);
  if (!isDynamic && rows <= kMostSingleRows)
    return {1, 1};
  unsigned lanes = unit.getLanes(kElementBytes, rows);
  int64_t most = std::clamp<int64_t>(
      kTileBytes / std::max<int64_t>(inner * lanes * kElementBytes, 1), 1,
      kMostVectors);
  if (isDynamic)
    return {lanes, static_cast<unsigned>(most)};
  return divide(rows, lanes, most);
}
