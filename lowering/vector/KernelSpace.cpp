//===- KernelSpace.cpp - Which workgroup computes what --------------------===//

#include "lowering/vector/KernelSpace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;
using namespace omb::kernels;

/// Multiplications and additions that a thread does in a microsecond.
static constexpr double kWorkPerMicrosecond = 50'000;

/// How much faster a matrix unit is than vectors of groups.
static constexpr double kMatrixSpeed = 4;

/// What blocks are made of: rows, or tiles where there are no rows.
static int64_t getUnitCount(ArrayRef<int64_t> rows, int64_t columns,
                            int64_t tileRows) {
  if (ShapedType::isDynamicShape(rows) || ShapedType::isDynamic(columns))
    return ShapedType::kDynamic;
  return rows.empty() ? llvm::divideCeil(columns, tileRows)
                      : llvm::product_of(rows);
}

/// How long a kernel takes: the time until the last thread has ended, in
/// microseconds. There are `blocks` workgroups for each of `panels` panels, all
/// of `work` microseconds but for the last of a panel with `lastWork`. IREE has
/// its threads take workgroups one by one, or eight at a time if there are that
/// many for each. Threads start one after the other, and some are slower.
static double getMakespan(int64_t blocks, int64_t panels, double work,
                          double lastWork, int threads) {
  constexpr double start = 15, perWorkgroup = 0.5, slower = 0.03;
  constexpr int64_t most = 8;
  int64_t count = blocks * panels;
  int64_t atOnce = count < threads * most ? 1 : most;
  SmallVector<double> free(threads);
  for (int thread = 0; thread < threads; ++thread)
    free[thread] = start * thread / threads;
  for (int64_t next = 0; next < count; next += atOnce) {
    auto *thread = llvm::min_element(free);
    double took = 0;
    for (int64_t each = next; each < std::min(next + atOnce, count); ++each)
      took += perWorkgroup + (each % blocks + 1 == blocks ? lastWork : work);
    *thread += took * (1 + slower * (thread - free.begin()) / threads);
  }
  return *llvm::max_element(free);
}

int64_t omb::kernels::selectBlock(int64_t units, int64_t panels,
                                  double unitWork) {
  constexpr int64_t mostBlocks = 64;
  int64_t best = 1, previous = 0;
  double bestTime = std::numeric_limits<double>::infinity();
  for (int64_t count = std::min(units, mostBlocks); count > 0; --count) {
    int64_t block = llvm::divideCeil(units, count);
    if (block == previous)
      continue;
    previous = block;
    int64_t blocks = llvm::divideCeil(units, block);
    double last = (units - (blocks - 1) * block) * unitWork;
    double time = 0;
    for (int threads : {2, 4, 8, 16})
      time += threads *
              getMakespan(blocks, panels, block * unitWork, last, threads);
    if (time < bestTime) {
      best = block;
      bestTime = time;
    }
  }
  return best;
}

KernelSpace KernelSpace::get(const PackedContraction &contraction,
                             const VectorUnit &unit) {
  ArrayRef<int64_t> shape = contraction.getResultType().getShape();
  TileDemand demand = contraction.getTileDemand();
  int64_t columns = demand.rows;
  KernelSpace space;
  space.basis = contraction.getFlatBasis();
  space.hasGaps = !space.basis.empty() && contraction.hasGaps(space.basis);
  SmallVector<int64_t> rows;
  if (space.basis.empty())
    for (unsigned dim : contraction.getRowDims())
      rows.push_back(shape[dim]);
  space.lanes =
      unit.getLanes(contraction.getSumType().getIntOrFloatBitWidth() / 8);
  space.vectors = contraction.getPanelChannels() / space.lanes;
  space.matrix = contraction.selectMatrixTile(unit);
  space.tileRows = space.matrix ? space.matrix->tiles * space.matrix->rows
                                : selectRows(unit, space.vectors, demand);
  space.convertsBFloats = unit.dotsBFloats && contraction.getSumType().isF32();

  constexpr int64_t usualSize = 128;
  int64_t perUnit =
      contraction.countSummed(usualSize) *
      (rows.empty() || ShapedType::isDynamic(columns) ? space.tileRows
                                                      : columns);
  double unitWork = std::max<int64_t>(perUnit, 1) /
                    (kWorkPerMicrosecond * contraction.getGroup() *
                     (space.matrix ? kMatrixSpeed : 1));
  space.block = std::max<int64_t>(1, kUsualMicroseconds / unitWork);
  int64_t units = getUnitCount(rows, columns, space.tileRows);
  int64_t count = contraction.getPanelCount();
  if (!ShapedType::isDynamic(units) && !ShapedType::isDynamic(count))
    space.block = selectBlock(units, count, unitWork);
  return space;
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
