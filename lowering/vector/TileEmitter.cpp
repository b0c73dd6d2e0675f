//===- TileEmitter.cpp - Code of one tile of a product --------------------===//

#include "lowering/vector/TileEmitter.h"

#include "lowering/vector/CodedTileEmitter.h"
#include "lowering/vector/MatrixTileEmitter.h"
#include "lowering/vector/PoolTileEmitter.h"
#include "lowering/vector/VectorTileEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

TileEmitter::TileEmitter(OpBuilder &builder,
                         const PackedContraction &contraction,
                         const KernelSpace &space, const KernelMemory &memory)
    : IndexWriter(builder, contraction.getResult().getLoc()),
      contraction(contraction), space(space), memory(memory),
      type(VectorType::get(space.lanes, contraction.getSumType())),
      finish(builder, loc, contraction.epilogue,
             this->contraction.unpack->getResult(0), memory.operands,
             space.lanes, space.convertsBFloats, memory.resultRing),
      fetch(builder, contraction, space), windows(contraction.getWindows()) {}

void TileEmitter::setPanel(Value number) {
  panel = number;
  channel = arith::MulIOp::create(builder, loc, panel,
                                  constant(space.vectors * space.lanes));
  if (!contraction.isPool())
    fetch.setPanel(panel, memory.panelSizes[contraction.getPanelDim()]);
}

void TileEmitter::setPart(const SumPart &part) {
  assert(!space.matrix && !contraction.isPool());
  this->part = part;
}

std::unique_ptr<TileEmitter>
TileEmitter::create(OpBuilder &builder, const PackedContraction &contraction,
                    const KernelSpace &space, const KernelMemory &memory) {
  if (space.matrix)
    return std::make_unique<MatrixTileEmitter>(builder, contraction, space,
                                               memory);
  if (contraction.isPool())
    return std::make_unique<PoolTileEmitter>(builder, contraction, space,
                                             memory);
  if (contraction.decode)
    return std::make_unique<CodedTileEmitter>(builder, contraction, space,
                                              memory);
  return std::make_unique<VectorTileEmitter>(builder, contraction, space,
                                             memory);
}

Value TileEmitter::apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
  OpFoldResult index = affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(operands.size(), 0, expr), operands);
  return getValueOrCreateConstantIndexOp(builder, loc, index);
}

TileEmitter::Values TileEmitter::getResultIndices(ArrayRef<Value> position,
                                                  OpFoldResult column,
                                                  OpFoldResult vector) {
  AffineExpr lhs, rhs;
  bindDims(builder.getContext(), lhs, rhs);
  Values at(position);
  if (std::optional<unsigned> dim = contraction.getColumnDim())
    at[*dim] = apply(lhs + rhs, {at[*dim], column});
  at.push_back(apply(lhs + rhs * space.lanes, {channel, vector}));
  return at;
}

void TileEmitter::emit(ArrayRef<Value> position, const TileColumns &columns) {
  // Of the loops: those of the positions and of the panel are known.
  Sum sum{Values(contraction.product.getNumLoops(), nullptr), columns, 0,
          columns.count};
  for (auto [loop, index] : llvm::zip(contraction.getPositions(), position))
    sum.indices[loop] = index;
  fetch.setTile(columns.before);
  emitResults(
      position, columns,
      emitSumLoops(contraction.getReductions(), sum, createZeros(columns)));
}

TileEmitter::Values TileEmitter::emitSumLoops(ArrayRef<unsigned> loops,
                                              Sum &sum, Values sums) {
  if (loops.empty())
    return emitStep(sum, sums);
  unsigned dim = contraction.getFirstSumDim() +
                 contraction.getReductions().size() - loops.size();
  int64_t size = contraction.getPanelsType().getDimSize(dim);
  const auto *window = llvm::find_if(windows, [&](const PaddedWindow &each) {
    return each.tap == loops.front();
  });
  bool isPadded = window != windows.end();
  if (isPadded && window->position == contraction.getColumn()) {
    if (sum.columns.first)
      return emitBorderTaps(loops, *window, sum, sums);
    isPadded = false;
  }
  if (!isPadded && size == 1) {
    sum.indices[loops.front()] = constant(0);
    return emitSumLoops(loops.drop_front(), sum, sums);
  }
  // Columns next to each other read the same vectors for several taps, and
  // several codes are in one byte.
  if ((contraction.pack || contraction.decode) && loops.size() == 1 &&
      !isPadded && !ShapedType::isDynamic(size) && size <= kMostWrittenTaps) {
    for (int64_t tap = 0; tap < size; ++tap) {
      sum.indices[loops.front()] = constant(tap);
      sums = emitStep(sum, sums);
    }
    return sums;
  }
  Value begin = constant(0);
  Value end =
      getValueOrCreateConstantIndexOp(builder, loc, memory.panelSizes[dim]);
  if (part) {
    begin = part->begin;
    end = part->end;
  }
  if (isPadded)
    std::tie(begin, end) = getTaps(*window, sum, end);
  int64_t step = loops.size() == 1 ? getStepGroups() : 1;
  auto loop =
      scf::ForOp::create(builder, loc, begin, end, constant(step), sums);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  sum.indices[loops.front()] = loop.getInductionVar();
  Values inner =
      emitSumLoops(loops.drop_front(), sum, Values(loop.getRegionIterArgs()));
  scf::YieldOp::create(builder, loc, inner);
  return Values(loop.getResults());
}

std::pair<Value, Value> TileEmitter::getTaps(const PaddedWindow &window,
                                             const Sum &sum, Value taps) {
  AffineExpr position, size;
  bindDims(builder.getContext(), position, size);
  AffineExpr first = window.low - position * window.stride;
  OpFoldResult from = getInputSize(window.dim);
  Value begin =
      apply(first.ceilDiv(window.dilation), {sum.indices[window.position]});
  Value end = apply((first + size).ceilDiv(window.dilation),
                    {sum.indices[window.position], from});
  return {arith::MaxSIOp::create(builder, loc, begin, constant(0)),
          arith::MinSIOp::create(builder, loc, end, taps)};
}

TileEmitter::Values TileEmitter::emitBorderTaps(ArrayRef<unsigned> loops,
                                                const PaddedWindow &window,
                                                Sum &sum, Values sums) {
  auto input = cast<RankedTensorType>(contraction.getInput().getType());
  int64_t size = input.getDimSize(window.dim);
  auto product = contraction.product;
  int64_t taps = product.getStaticLoopRanges()[window.tap];
  for (int64_t tap = 0; tap < taps; ++tap) {
    // Columns read at first, first + stride, ...; which are inside?
    int64_t first =
        *sum.columns.first * window.stride + tap * window.dilation - window.low;
    auto getColumn = [&](int64_t from) {
      int64_t column = llvm::divideCeilSigned(from - first, window.stride);
      return std::clamp<int64_t>(column, 0, sum.columns.count);
    };
    sum.begin = getColumn(0);
    sum.end = getColumn(size);
    if (sum.begin >= sum.end)
      continue;
    sum.indices[window.tap] = constant(tap);
    sums = emitSumLoops(loops.drop_front(), sum, sums);
  }
  return sums;
}

OpFoldResult TileEmitter::getInputSize(unsigned dim) {
  auto input = cast<RankedTensorType>(contraction.getInput().getType());
  if (!input.isDynamicDim(dim))
    return builder.getIndexAttr(input.getDimSize(dim));
  return memref::getMixedSize(builder, loc,
                              memory.operands.at(contraction.getInput()), dim);
}

Value TileEmitter::getInput() {
  const RowRing *ring = memory.inputRing;
  return ring ? ring->memory : memory.operands.at(contraction.getInput());
}

TileEmitter::Values TileEmitter::locateInput(Values at) {
  const RowRing *ring = memory.inputRing;
  return ring ? ring->locate(builder, loc, at) : at;
}

TileEmitter::Values TileEmitter::getInputIndices(const Sum &sum,
                                                 unsigned number) {
  Values at;
  SmallVector<OpFoldResult> operands;
  for (Value index : sum.indices)
    operands.push_back(index ? OpFoldResult(index)
                             : OpFoldResult(builder.getIndexAttr(0)));
  std::optional<unsigned> columnLoop = contraction.getColumn();
  for (AffineExpr expr : contraction.getInputExprs()) {
    if (columnLoop) {
      AffineExpr column = builder.getAffineDimExpr(*columnLoop);
      expr = expr.replace(column, column + number);
    }
    for (const PaddedWindow &window : windows)
      if (window.dim == at.size())
        expr = expr - window.low;
    at.push_back(apply(expr, operands));
  }
  return at;
}

TileEmitter::Values TileEmitter::getPanelIndices(const Sum &sum) {
  Values at;
  for (unsigned loop : contraction.getBatches())
    at.push_back(sum.indices[loop]);
  at.push_back(panel);
  for (unsigned loop : contraction.getReductions())
    at.push_back(sum.indices[loop]);
  at.push_back(constant(0));
  return at;
}

Value TileEmitter::getMask(Value channel) {
  OpFoldResult channels = memory.resultSizes.back();
  std::optional<int64_t> known = getConstantIntValue(channels);
  if (known && *known % (space.vectors * space.lanes) == 0)
    return nullptr;
  Value left = arith::SubIOp::create(
      builder, loc, getValueOrCreateConstantIndexOp(builder, loc, channels),
      channel);
  return vec::CreateMaskOp::create(
      builder, loc, VectorType::get(space.lanes, builder.getI1Type()), left);
}
