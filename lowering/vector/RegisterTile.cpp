//===- RegisterTile.cpp - The block of results kept in registers ----------===//

#include "lowering/vector/RegisterTile.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace mlir;
using namespace omb::kernels;

unsigned VectorUnit::getLanes(unsigned elementBytes, int64_t count) const {
  constexpr unsigned leastBytes = 16;
  unsigned lanes = getLanes(elementBytes);
  if (ShapedType::isDynamic(count) || count >= lanes)
    return lanes;
  return std::max<unsigned>(leastBytes / elementBytes,
                            llvm::PowerOf2Ceil(count));
}

/// Cycles for one step of the sum of a tile: two multiplications and two loads
/// a cycle. The sums form chains, each of which takes a multiplication's
/// latency a step. A row of vectors needs an address of its own.
static double getCycles(int64_t rows, unsigned vectors, bool isDepthwise) {
  constexpr double latency = 4;
  double products = rows * vectors / 2.0;
  double loads = (vectors + rows * (isDepthwise ? vectors + 0.25 : 1)) / 2;
  return std::max({products, loads, latency});
}

/// Cycles for one step of the sums of all positions, in tiles of `tileRows`.
static double getCycles(int64_t rows, int64_t tileRows, unsigned vectors,
                        bool isDepthwise) {
  double cycles = rows / tileRows * getCycles(tileRows, vectors, isDepthwise);
  if (int64_t rest = rows % tileRows)
    cycles += getCycles(rest, vectors, isDepthwise);
  // What the loads of a tile's weights cost beyond the first cache.
  return cycles + 0.25 * vectors * llvm::divideCeil(rows, tileRows);
}

unsigned omb::kernels::selectRows(const VectorUnit &unit, unsigned vectors,
                                  const TileDemand &demand) {
  int64_t most = unit.getMaxRows(vectors, demand.sharesSet);
  int64_t rows = demand.rows;
  if (ShapedType::isDynamic(rows) || rows == 0)
    return most;
  // As even as can be, unless few rows would be left, which take the time of
  // more.
  int64_t best = llvm::divideCeil(rows, llvm::divideCeil(rows, most));
  auto getTime = [&](int64_t tileRows) {
    return getCycles(rows, tileRows, vectors, demand.isDepthwise);
  };
  for (int64_t fewer = best - 1; fewer > most / 2; --fewer)
    if (getTime(fewer) < getTime(best))
      best = fewer;
  return best;
}

std::optional<MatrixTile>
omb::kernels::selectMatrixTile(const TileDemand &demand, int64_t groups) {
  // A register has 16 rows of 64 bytes: 16 groups or sums. Of the 8 registers,
  // 4 are sums, 2 weights and 1 the input.
  constexpr int64_t mostRows = 16, mostGroups = 16;
  if (demand.isDepthwise || ShapedType::isDynamic(groups))
    return std::nullopt;
  int64_t step = std::min(groups, mostGroups);
  while (step > 1 && groups % step != 0)
    --step;
  if (step < kLeastGroups)
    return std::nullopt;
  MatrixTile tile;
  tile.groups = step;
  tile.vectors = demand.channels > 0 && demand.channels <= mostRows ? 1 : 2;
  int64_t rows = demand.rows;
  bool areMany = ShapedType::isDynamic(rows) || rows > mostRows;
  tile.tiles = areMany ? 2 : 1;
  if (ShapedType::isDynamic(rows)) {
    tile.rows = mostRows;
    return tile;
  }
  rows = std::max<int64_t>(rows, 1);
  int64_t count = llvm::divideCeil(rows, tile.tiles * mostRows);
  tile.rows = llvm::divideCeil(rows, count * tile.tiles);
  return tile;
}

bool omb::kernels::fitMatrixUnit(ArrayRef<MatrixTile> tiles) {
  constexpr unsigned registers = 8, channels = 16;
  // How many of each size: of rows, and of numbers of 32 bits in a row.
  std::map<std::pair<unsigned, unsigned>, unsigned> counts;
  for (const MatrixTile &tile : tiles) {
    std::map<std::pair<unsigned, unsigned>, unsigned> own;
    own[{tile.rows, channels}] += tile.tiles * tile.vectors; // sums
    own[{tile.rows, tile.groups}] += 1;                      // the input
    own[{tile.groups, channels}] += tile.vectors;            // weights
    for (auto [size, count] : own)
      counts[size] = std::max(counts[size], count);
  }
  unsigned all = 0;
  for (auto [size, count] : counts)
    all += count;
  return all <= registers;
}

unsigned omb::kernels::selectVectors(const VectorUnit &unit, unsigned lanes,
                                     const TileDemand &demand) {
  int64_t rows = demand.rows, channels = demand.channels;
  constexpr unsigned mostVectors = 4;
  unsigned best = 1;
  double bestCycles = 0;
  for (unsigned vectors = 1; vectors <= mostVectors; ++vectors) {
    int64_t tileRows = selectRows(unit, vectors, demand);
    int64_t total = ShapedType::isDynamic(rows) ? 16 * tileRows : rows;
    double cycles = getCycles(total, tileRows, vectors, demand.isDepthwise);
    int64_t columns =
        ShapedType::isDynamic(channels)
            ? 16 * vectors * lanes
            : llvm::divideCeil(channels, vectors * lanes) * vectors * lanes;
    int64_t all = ShapedType::isDynamic(channels) ? columns : channels;
    cycles = cycles / total / (vectors * lanes) * columns / all;
    if (vectors == 1 || cycles < bestCycles) {
      best = vectors;
      bestCycles = cycles;
    }
  }
  return best;
}
