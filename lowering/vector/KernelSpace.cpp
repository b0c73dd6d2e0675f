//===- KernelSpace.cpp - Which workgroup computes what --------------------===//

#include "lowering/vector/KernelSpace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

/// Multiplications and additions that a thread does in a microsecond.
static constexpr double kWorkPerMicrosecond = 50'000;

/// What of a second cache is there for an operand.
static constexpr double kCacheBytes = 1 << 20;

/// How much faster a matrix unit is than vectors of groups, and how much slower
/// depthwise convolutions are, which load a vector for each multiplication.
static constexpr double kMatrixSpeed = 4, kDepthwiseSpeed = 1. / 3;

/// What blocks are made of: rows, or tiles where there are no rows.
static int64_t getUnitCount(ArrayRef<int64_t> rows, int64_t columns,
                            int64_t tileRows) {
  if (ShapedType::isDynamicShape(rows) || ShapedType::isDynamic(columns))
    return ShapedType::kDynamic;
  return rows.empty() ? llvm::divideCeil(columns, tileRows)
                      : llvm::product_of(rows);
}

/// How many workgroups IREE has its threads take at a time: one, or eight if
/// there are that many for each.
static int64_t getWorkgroupsAtOnce(int64_t count, unsigned threads) {
  constexpr int64_t most = 8;
  return count < threads * most ? 1 : most;
}

namespace {
/// What a kernel does; times are in microseconds.
struct KernelWork {
  /// For each of so many panels there are so many units.
  int64_t units, panels;
  double unitTime;
  /// What each block takes besides, and each panel for every thread that comes
  /// to it.
  double blockTime = 0, panelTime = 0;
};

/// The number of units of a block, and how long the kernel takes with it.
struct TimedBlock {
  int64_t block;
  double time;
};
} // namespace

/// The time until the last thread has ended. Threads start one after the other,
/// and some are slower.
static double getMakespan(const KernelWork &work, int64_t block, int threads) {
  constexpr double start = 15, perWorkgroup = 0.5, slower = 0.03;
  int64_t blocks = llvm::divideCeil(work.units, block);
  double whole = block * work.unitTime;
  double last = (work.units - (blocks - 1) * block) * work.unitTime;
  int64_t count = blocks * work.panels;
  int64_t atOnce = getWorkgroupsAtOnce(count, threads);
  SmallVector<double> free(threads);
  for (int thread = 0; thread < threads; ++thread)
    free[thread] = start * thread / threads;
  for (int64_t next = 0; next < count; next += atOnce) {
    auto *thread = llvm::min_element(free);
    int64_t end = std::min(next + atOnce, count);
    double took = ((end - 1) / blocks - next / blocks + 1) * work.panelTime;
    for (int64_t each = next; each < end; ++each)
      took += perWorkgroup + work.blockTime +
              (each % blocks + 1 == blocks ? last : whole);
    *thread += took * (1 + slower * (thread - free.begin()) / threads);
  }
  return *llvm::max_element(free);
}

static TimedBlock findBlock(const KernelWork &work, unsigned threads) {
  constexpr int64_t mostBlocks = 64;
  constexpr unsigned usualThreads[] = {2, 4, 8, 16};
  ArrayRef<unsigned> counts =
      threads ? ArrayRef(threads) : ArrayRef(usualThreads);
  SmallVector<TimedBlock> candidates;
  int64_t previous = 0;
  for (int64_t most = std::min(work.units, mostBlocks); most > 0; --most) {
    int64_t block = llvm::divideCeil(work.units, most);
    if (block == previous)
      continue;
    previous = block;
    double time = 0;
    for (unsigned count : counts)
      time += count * getMakespan(work, block, count);
    candidates.push_back({block, time});
  }
  if (candidates.empty())
    return {1, 0};
  TimedBlock best = *llvm::min_element(
      candidates, [](const TimedBlock &lhs, const TimedBlock &rhs) {
        return lhs.time < rhs.time;
      });
  if (!threads)
    return best;
  // More blocks, where they cost little, let a thread that others disturb do
  // less.
  return *llvm::find_if(candidates, [&](const TimedBlock &each) {
    return each.time <= 1.03 * best.time;
  });
}

int64_t omb::kernels::selectBlock(int64_t units, int64_t panels,
                                  double unitWork, double blockWork,
                                  unsigned threads) {
  return findBlock({units, panels, unitWork, blockWork}, threads).block;
}

/// The size of a tensor in memory; none where it isn't known.
static std::optional<int64_t> getBytes(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.hasStaticShape())
    return std::nullopt;
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}

/// The size of the weights as they are stored; none where it isn't known.
static std::optional<int64_t>
getWeightBytes(const PackedContraction &contraction) {
  auto decode = contraction.decode;
  return getBytes(decode ? decode->getOperand(0) : contraction.getPanels());
}

/// What is read of an operand of which `passes` workgroups, one after the
/// other, read the same `part`: as often, unless that stays in the second
/// caches, each of which gets it.
static double getTraffic(double bytes, double part, int64_t passes) {
  constexpr int64_t caches = 2;
  return bytes * (part <= kCacheBytes ? std::min(passes, caches) : passes);
}

/// Whether less is read from beyond the second caches if workgroups next to
/// each other share rows than if they share a panel.
static bool readsLessBySharingRows(PackedContraction contraction,
                                   int64_t blocks, int64_t panels) {
  // Panels of a depthwise convolution have inputs of their own, parts of lines
  // that are read as a whole.
  if (contraction.pack)
    return true;
  std::optional<int64_t> input = getBytes(contraction.getInput());
  std::optional<int64_t> weights = getWeightBytes(contraction);
  if (!input || !weights)
    return false;
  int64_t batches =
      llvm::product_of(contraction.getPanelsType().getShape().take_front(
          contraction.getPanelDim()));
  // The blocks that have the same panels.
  int64_t sharing = llvm::divideCeil(blocks, batches);
  double byRows =
      *input + getTraffic(*weights, double(*weights) / batches, sharing);
  double byPanels = getTraffic(*input, *input, panels) + *weights;
  // Rows of the result are then written as a whole, too.
  return byRows <= byPanels;
}

KernelSpace KernelSpace::getTiles(const PackedContraction &contraction,
                                  const VectorUnit &unit,
                                  ArrayRef<int64_t> basis) {
  KernelSpace space;
  space.basis.assign(basis.begin(), basis.end());
  space.hasGaps = !basis.empty() && contraction.hasGaps(basis);
  space.lanes =
      unit.getLanes(contraction.getSumType().getIntOrFloatBitWidth() / 8);
  space.vectors = contraction.getPanelChannels() / space.lanes;
  space.matrix = contraction.selectMatrixTile(unit, basis);
  space.tileRows = space.matrix ? space.matrix->tiles * space.matrix->rows
                                : selectRows(unit, space.vectors,
                                             contraction.getTileDemand(basis));
  space.convertsBFloats = unit.dotsBFloats && contraction.getSumType().isF32();
  return space;
}

double KernelSpace::getWork(const PackedContraction &contraction,
                            int64_t positions) const {
  constexpr int64_t usualSize = 128;
  double speed = matrix ? kMatrixSpeed : contraction.pack ? kDepthwiseSpeed : 1;
  int64_t products = contraction.countSummed(usualSize) * positions;
  return std::max<int64_t>(products, 1) /
         (kWorkPerMicrosecond * contraction.getGroup() * speed);
}

/// The microseconds that reading all weights takes where no cache has them:
/// more than multiplying them with one tile.
static double getReadingTime(const PackedContraction &contraction) {
  constexpr double bytesPerMicrosecond = 10'000;
  return getWeightBytes(contraction).value_or(0) / bytesPerMicrosecond;
}

/// How many groups are summed at a time if the sums of a block are made in
/// parts: as many as leave space in a second cache for what else a block reads.
/// 0 if all are.
static int64_t selectSumBlock(const PackedContraction &contraction,
                              const KernelSpace &space) {
  constexpr int64_t partBytes = 160 << 10;
  bool isProduct = !contraction.pack && !contraction.decode &&
                   !contraction.isPool() && contraction.getWindows().empty();
  if (space.matrix || !isProduct || contraction.getReductions().size() != 1)
    return 0;
  RankedTensorType panels = contraction.getPanelsType();
  int64_t groups = panels.getDimSize(contraction.getFirstSumDim());
  if (ShapedType::isDynamic(groups))
    return 0;
  int64_t channels = contraction.getPanelChannels();
  int64_t bytes = groups * channels * contraction.getGroup() *
                  panels.getElementTypeBitWidth() / 8;
  int64_t parts = llvm::divideCeil(bytes, partBytes);
  return parts <= 1 ? 0 : llvm::divideCeil(groups, parts);
}

/// Whether a block has enough tiles for its sums to be made in parts, and not
/// so many that these aren't in a first or second cache meanwhile.
static bool sumsInParts(const PackedContraction &contraction,
                        const KernelSpace &space) {
  constexpr int64_t fewestTiles = 4, mostBytes = 96 << 10;
  int64_t bytes = space.block * space.tileRows *
                  contraction.getPanelChannels() *
                  contraction.getSumType().getIntOrFloatBitWidth() / 8;
  return space.block >= fewestTiles && bytes <= mostBytes;
}

KernelSpace KernelSpace::get(const PackedContraction &contraction,
                             const VectorUnit &unit) {
  KernelSpace space = getTiles(contraction, unit, contraction.getFlatBasis());
  int64_t columns = contraction.getTileDemand(space.basis).rows;
  SmallVector<int64_t> rows;
  if (space.basis.empty())
    for (unsigned dim : contraction.getRowDims())
      rows.push_back(contraction.getResultType().getDimSize(dim));
  bool isOfTiles = rows.empty() || ShapedType::isDynamic(columns);
  double unitWork =
      space.getWork(contraction, isOfTiles ? space.tileRows : columns);
  space.block = std::max<int64_t>(1, kUsualMicroseconds / unitWork);
  int64_t units = getUnitCount(rows, columns, space.tileRows);
  int64_t count = contraction.getPanelCount();
  if (ShapedType::isDynamic(units) || ShapedType::isDynamic(count)) {
    space.sharesRows = bool(contraction.pack);
    return space;
  }
  double panelTime = getReadingTime(contraction) / std::max<int64_t>(count, 1);
  space.sumBlock = rows.empty() ? selectSumBlock(contraction, space) : 0;
  KernelWork work{units, count, unitWork};
  // A long panel isn't in the cache anymore when the next block needs it.
  (space.sumBlock == 0 ? work.panelTime : work.blockTime) = panelTime;
  TimedBlock one = findBlock(work, unit.threads);
  space.block = one.block;
  space.sharesRows = readsLessBySharingRows(
      contraction, llvm::divideCeil(units, space.block), count);
  // Blocks of all panels find what isn't too much in the cache.
  double allTime = getWeightBytes(contraction).value_or(0) <= kCacheBytes
                       ? 0
                       : panelTime * count;
  TimedBlock all =
      findBlock({units, 1, unitWork * count, allTime}, unit.threads);
  space.hasAllPanels = space.sharesRows && all.time <= one.time;
  if (space.hasAllPanels)
    space.block = all.block;
  if (!sumsInParts(contraction, space))
    space.sumBlock = 0;
  space.setVisits(units, rows.empty() ? space.tileRows : columns, count,
                  unit.threads);
  return space;
}

void KernelSpace::setVisits(int64_t units, int64_t positions, int64_t panels,
                            unsigned threads) {
  visited = (visitsBlocks() ? block : units) * positions;
  if (hasAllPanels || threads < 2)
    return;
  int64_t blocks = std::max<int64_t>(llvm::divideCeil(units, block), 1);
  int64_t atOnce = getWorkgroupsAtOnce(blocks * panels, threads);
  if (blocks * panels <= threads)
    visited = 0; // there is no next one
  int64_t ofPanel = sharesRows ? 1 : blocks;
  panelsAtOnce = std::max<int64_t>(atOnce / ofPanel, 1);
  if (atOnce >= ofPanel)
    panelsOfOthers = panelsAtOnce * (threads - 1);
}

Value KernelSpace::getBlockCount(OpBuilder &builder, Location loc,
                                 ArrayRef<OpFoldResult> rows,
                                 OpFoldResult columns) const {
  AffineExpr units = builder.getAffineSymbolExpr(0);
  for (size_t dim = 1; dim < rows.size(); ++dim)
    units = units * builder.getAffineSymbolExpr(dim);
  int64_t size = rows.empty() ? block * tileRows : block;
  OpFoldResult count = affine::makeComposedFoldedAffineApply(
      builder, loc, units.ceilDiv(size),
      rows.empty() ? ArrayRef(columns) : rows);
  return getValueOrCreateConstantIndexOp(builder, loc, count);
}
