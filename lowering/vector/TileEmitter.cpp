//===- TileEmitter.cpp - Vector code of one tile --------------------------===//

#include "lowering/vector/TileEmitter.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/ProductTile.h"

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
                         const KernelSpace &space, const KernelMemory &memory,
                         Value panel)
    : builder(builder), loc(contraction.getResult().getLoc()),
      contraction(contraction), space(space), memory(memory), panel(panel),
      type(VectorType::get(space.lanes, contraction.getSumType())),
      windows(contraction.getWindows()),
      finish(builder, loc, contraction.epilogue,
             this->contraction.unpack->getResult(0), memory.operands,
             space.lanes, space.convertsBFloats) {
  channel = arith::MulIOp::create(builder, loc, panel,
                                  constant(space.vectors * space.lanes));
  auto epilogue = contraction.epilogue;
  if (!epilogue || !callsFunctions(*epilogue.getBody()))
    return;
  int64_t vectors = space.tileRows * space.vectors;
  buffer = memref::AllocaOp::create(
      builder, loc,
      MemRefType::get({vectors, space.lanes}, type.getElementType()));
}

Value TileEmitter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value TileEmitter::apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
  OpFoldResult index = affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(operands.size(), 0, expr), operands);
  return getValueOrCreateConstantIndexOp(builder, loc, index);
}

void TileEmitter::emit(ArrayRef<Value> position, unsigned count,
                       std::optional<int64_t> column) {
  Values sums = emitSums(position, count, column);
  if (buffer)
    return emitEpilogueLoop(position, sums);
  for (auto [number, sum] : llvm::enumerate(sums)) {
    Values at =
        getResultIndices(position, builder.getIndexAttr(number / space.vectors),
                         builder.getIndexAttr(number % space.vectors));
    finish.emit(sum, at, getMask(at.back()));
  }
}

void TileEmitter::emitEpilogueLoop(ArrayRef<Value> position,
                                   ArrayRef<Value> sums) {
  Value zero = constant(0);
  for (auto [number, sum] : llvm::enumerate(sums))
    vec::StoreOp::create(builder, loc, sum, buffer,
                         ValueRange{constant(number), zero});
  auto loop = scf::ForOp::create(builder, loc, zero, constant(sums.size()),
                                 constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar();
  auto split = affine::AffineDelinearizeIndexOp::create(
      builder, loc, number, ArrayRef<int64_t>{int64_t(space.vectors)},
      /*hasOuterBound=*/false);
  Value sum =
      vec::LoadOp::create(builder, loc, type, buffer, ValueRange{number, zero});
  Values at =
      getResultIndices(position, split.getResult(0), split.getResult(1));
  finish.emit(sum, at, getMask(at.back()));
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

TileEmitter::Values TileEmitter::emitSums(ArrayRef<Value> position,
                                          unsigned count,
                                          std::optional<int64_t> column) {
  // Of the loops: those of the positions and of the panel are known.
  Sum sum{Values(contraction.product.getNumLoops(), nullptr), count, column, 0,
          count};
  for (auto [loop, index] : llvm::zip(contraction.getPositions(), position))
    sum.indices[loop] = index;
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return emitSumLoops(contraction.getReductions(), sum,
                      Values(count * space.vectors, zero));
}

TileEmitter::Values TileEmitter::emitSumLoops(ArrayRef<unsigned> loops,
                                              Sum &sum, Values sums) {
  if (loops.empty())
    return emitStep(sum, sums);
  unsigned dim = contraction.getPanelDim() + 1 +
                 contraction.getReductions().size() - loops.size();
  const auto *window = llvm::find_if(windows, [&](const PaddedWindow &each) {
    return each.tap == loops.front();
  });
  bool isPadded = window != windows.end();
  if (isPadded && window->position == contraction.getColumn()) {
    if (sum.column)
      return emitBorderTaps(loops, *window, sum, sums);
    isPadded = false;
  }
  if (!isPadded && contraction.getPanelsType().getDimSize(dim) == 1) {
    sum.indices[loops.front()] = constant(0);
    return emitSumLoops(loops.drop_front(), sum, sums);
  }
  int64_t size = contraction.getPanelsType().getDimSize(dim);
  // Columns next to each other read the same vectors for several taps.
  if (contraction.pack && loops.size() == 1 && !isPadded &&
      !ShapedType::isDynamic(size) && size <= kMostWrittenTaps) {
    for (int64_t tap = 0; tap < size; ++tap) {
      sum.indices[loops.front()] = constant(tap);
      sums = emitStep(sum, sums);
    }
    return sums;
  }
  Value begin = constant(0);
  Value end =
      getValueOrCreateConstantIndexOp(builder, loc, memory.panelSizes[dim]);
  if (isPadded)
    std::tie(begin, end) = getTaps(*window, sum, end);
  auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1), sums);
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
  Value input = memory.operands.at(contraction.getInput());
  OpFoldResult from = memref::getMixedSize(builder, loc, input, window.dim);
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
  auto input =
      cast<MemRefType>(memory.operands.at(contraction.getInput()).getType());
  int64_t size = input.getDimSize(window.dim);
  auto product = contraction.product;
  int64_t taps = product.getStaticLoopRanges()[window.tap];
  for (int64_t tap = 0; tap < taps; ++tap) {
    // Columns read at first, first + stride, ...; which are inside?
    int64_t first =
        *sum.column * window.stride + tap * window.dilation - window.low;
    auto getColumn = [&](int64_t from) {
      int64_t column = llvm::divideCeilSigned(from - first, window.stride);
      return std::clamp<int64_t>(column, 0, sum.count);
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

TileEmitter::Values TileEmitter::readWeights(const Sum &sum) {
  Values at;
  for (unsigned loop : contraction.getBatches())
    at.push_back(sum.indices[loop]);
  at.push_back(panel);
  for (unsigned loop : contraction.getReductions())
    at.push_back(sum.indices[loop]);
  at.push_back(nullptr);
  Values weights;
  int64_t count = space.lanes * contraction.getGroup();
  Value panels = memory.operands.at(contraction.getPanels());
  auto lanes = VectorType::get(count, getElementTypeOrSelf(panels));
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    at.back() = constant(vector * count);
    Value read = vec::LoadOp::create(builder, loc, lanes, panels, at);
    weights.push_back(contraction.getGroup() == 1 ? widen(read) : read);
  }
  return weights;
}

TileEmitter::Values TileEmitter::readInput(const Sum &sum, unsigned number) {
  Value input = memory.operands.at(contraction.getInput());
  Values at = getInputIndices(sum, number);
  if (contraction.getGroup() > 1)
    return Values(space.vectors, readGroup(input, at));
  if (!contraction.pack) {
    Value value = memref::LoadOp::create(builder, loc, input, at);
    return Values(space.vectors, finish.toVector(value));
  }
  AffineExpr first = builder.getAffineDimExpr(0);
  at.push_back(nullptr);
  Values vectors;
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    at.back() = apply(first + vector * space.lanes, {channel});
    vectors.push_back(finish.readVector(input, at, getMask(at.back())));
  }
  return vectors;
}

Value TileEmitter::widen(Value weights) {
  Type element = contraction.getPanelsType().getElementType();
  if (element == type.getElementType())
    return weights;
  if (!element.isBF16())
    return arith::ExtFOp::create(builder, loc, type, weights);
  // A bf16 is the upper half of an f32.
  auto words = VectorType::get(space.lanes, builder.getI32Type());
  Value upper = arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(words, APInt(32, 16)));
  Value bits = arith::ShLIOp::create(
      builder, loc, arith::ExtUIOp::create(builder, loc, words, weights),
      upper);
  return arith::BitcastOp::create(builder, loc, type, bits);
}

Value TileEmitter::readGroup(Value input, ArrayRef<Value> at) {
  unsigned group = contraction.getGroup();
  Type word = builder.getI32Type();
  Value values = vec::LoadOp::create(
      builder, loc, VectorType::get(group, getElementTypeOrSelf(input)), input,
      at);
  bool fillsWord =
      group * getElementTypeOrSelf(input).getIntOrFloatBitWidth() ==
      type.getElementTypeBitWidth();
  if (!fillsWord) // two bytes
    values = arith::ExtUIOp::create(
        builder, loc, VectorType::get(group, builder.getI16Type()), values);
  Value one =
      vec::BitCastOp::create(builder, loc, VectorType::get(1, word), values);
  Value lanes = finish.toVector(vec::ExtractOp::create(builder, loc, one, 0));
  Type element = getElementTypeOrSelf(values.getType());
  return vec::BitCastOp::create(
      builder, loc, VectorType::get(space.lanes * group, element), lanes);
}

TileEmitter::Values TileEmitter::emitStep(const Sum &sum, Values sums) {
  return emitProducts(builder, loc, std::move(sums), readWeights(sum),
                      sum.begin, sum.end,
                      [&](unsigned number) { return readInput(sum, number); });
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
