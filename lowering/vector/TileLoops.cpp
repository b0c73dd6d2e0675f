//===- TileLoops.cpp - The tiles of a product, in loops -------------------===//

#include "lowering/vector/TileLoops.h"

#include "lowering/vector/ProductTile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

SmallVector<OpFoldResult>
omb::kernels::getRowSizes(const PackedContraction &contraction,
                          const KernelSpace &space,
                          ArrayRef<OpFoldResult> resultSizes) {
  if (!space.basis.empty())
    return {};
  return llvm::map_to_vector(contraction.getRowDims(),
                             [&](unsigned dim) { return resultSizes[dim]; });
}

OpFoldResult omb::kernels::getColumnSize(OpBuilder &builder, Location loc,
                                         const PackedContraction &contraction,
                                         const KernelSpace &space,
                                         ArrayRef<OpFoldResult> resultSizes) {
  if (space.basis.empty()) {
    std::optional<unsigned> dim = contraction.getColumnDim();
    return dim ? resultSizes[*dim] : OpFoldResult(builder.getIndexAttr(1));
  }
  // The number of the last position, plus one.
  AffineExpr last = builder.getAffineSymbolExpr(0) - 1;
  for (auto [size, base] :
       llvm::drop_begin(llvm::zip(resultSizes, space.basis)))
    last = last * base + (*getConstantIntValue(size) - 1);
  OpFoldResult count = affine::makeComposedFoldedAffineApply(
      builder, loc, last + 1, {resultSizes.front()});
  if (std::optional<int64_t> known = getConstantIntValue(count))
    return builder.getIndexAttr(std::max<int64_t>(*known, 0));
  if (!space.hasGaps)
    return count;
  // Of no images, the last position would be before the first.
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  return arith::MaxSIOp::create(
             builder, loc, getValueOrCreateConstantIndexOp(builder, loc, count),
             zero)
      .getResult();
}

Value omb::kernels::getPanelCount(OpBuilder &builder, Location loc,
                                  const PackedContraction &contraction,
                                  ArrayRef<OpFoldResult> panelSizes,
                                  ArrayRef<OpFoldResult> resultSizes) {
  OpFoldResult count;
  if (contraction.isPool())
    count = affine::makeComposedFoldedAffineApply(
        builder, loc,
        builder.getAffineSymbolExpr(0).ceilDiv(contraction.getPanelChannels()),
        resultSizes.back());
  else
    count = panelSizes[contraction.getPanelDim()];
  return getValueOrCreateConstantIndexOp(builder, loc, count);
}

SmallVector<OpFoldResult>
omb::kernels::getPanelSizes(const KernelSignature &signature,
                            OpBuilder &builder, Block *block,
                            const PackedContraction &contraction) {
  if (contraction.decode || contraction.isPool())
    return getAsIndexOpFoldResult(builder.getContext(),
                                  contraction.getPanelsType().getShape());
  return signature.getSizes(builder, block, contraction.getPanels());
}

RankedTensorType
omb::kernels::getPanelsInMemory(const PackedContraction &contraction) {
  RankedTensorType panels = contraction.getPanelsType();
  if (contraction.getGroup() == 1)
    return panels;
  SmallVector<int64_t> shape(panels.getShape().drop_back());
  shape.back() *= contraction.getGroup();
  return RankedTensorType::get(shape, panels.getElementType());
}

TileLoops::TileLoops(OpBuilder &builder, const PackedContraction &contraction,
                     const KernelSpace &space, const KernelMemory &memory)
    : IndexWriter(builder, contraction.getResult().getLoc()),
      contraction(contraction), space(space), memory(memory),
      tiles(TileEmitter::create(builder, contraction, space, memory)) {
  if (space.sumBlock == 0)
    return;
  auto type = MemRefType::get(
      {space.block * space.tileRows, contraction.getPanelChannels()},
      contraction.getSumType());
  sums = memref::AllocaOp::create(builder, loc, type,
                                  builder.getI64IntegerAttr(64));
}

void TileLoops::emitBlock(Value block, Value panel) {
  tiles->setPanel(panel);
  if (!contraction.getColumnDim())
    return tiles->emit({}, {1});
  SmallVector<OpFoldResult> rows =
      getRowSizes(contraction, space, memory.resultSizes);
  if (rows.empty()) {
    Value columns = asValue(
        getColumnSize(builder, loc, contraction, space, memory.resultSizes));
    auto [begin, end] =
        getRange(block, constant(space.block * space.tileRows), columns);
    Value zero = constant(0);
    before = space.visitsBlocks()
                 ? arith::SubIOp::create(builder, loc, zero, begin).getResult()
                 : zero;
    return sums ? emitParts(begin, end) : emitColumns({}, begin, end);
  }
  auto [begin, end] = getRange(block, constant(space.block), getProduct(rows));
  auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value rowsBefore = loop.getInductionVar();
  if (space.visitsBlocks())
    rowsBefore = arith::SubIOp::create(builder, loc, rowsBefore, begin);
  Value columns = asValue(
      getColumnSize(builder, loc, contraction, space, memory.resultSizes));
  before = arith::MulIOp::create(builder, loc, rowsBefore, columns);
  auto row = affine::AffineDelinearizeIndexOp::create(
      builder, loc, loop.getInductionVar(), rows);
  emitColumnsOf(row.getResults());
}

void TileLoops::clearSums() {
  auto shape = cast<MemRefType>(sums.getType()).getShape();
  auto type = VectorType::get(space.lanes, contraction.getSumType());
  Value zeros =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  auto loop = scf::ForOp::create(builder, loc, constant(0), constant(shape[0]),
                                 constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  for (int64_t channel = 0; channel < shape[1]; channel += space.lanes)
    vec::StoreOp::create(builder, loc, zeros, sums,
                         ValueRange{loop.getInductionVar(), constant(channel)});
}

void TileLoops::emitParts(Value begin, Value end) {
  clearSums();
  unsigned dim = contraction.getFirstSumDim();
  int64_t groups = contraction.getPanelsType().getDimSize(dim);
  int64_t last = llvm::alignDown(groups - 1, space.sumBlock);
  {
    auto loop = scf::ForOp::create(builder, loc, constant(0), constant(last),
                                   constant(space.sumBlock));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value first = loop.getInductionVar();
    Value after =
        arith::AddIOp::create(builder, loc, first, constant(space.sumBlock));
    tiles->setPart({first, after, sums, /*isLast=*/false});
    emitColumns({}, begin, end);
  }
  tiles->setPart({constant(last), constant(groups), sums, /*isLast=*/true});
  emitColumns({}, begin, end);
}

void TileLoops::emitRow(ValueRange row, Value panel) {
  before = nullptr;
  tiles->setPanel(panel);
  emitColumnsOf(row);
}

void TileLoops::emitColumnsOf(ValueRange row) {
  if (std::optional<PaddedWindow> window = getColumnWindow())
    return emitPaddedColumns(row, *window);
  emitColumns(row, constant(0),
              asValue(getColumnSize(builder, loc, contraction, space,
                                    memory.resultSizes)));
}

SmallVector<Value> TileLoops::getPosition(ValueRange row, Value column) {
  if (!space.basis.empty())
    return affine::AffineDelinearizeIndexOp::create(
               builder, loc, column, ArrayRef(space.basis).drop_front(),
               /*hasOuterBound=*/false)
        .getResults();
  SmallVector<Value> position(row.size() + 1, column);
  for (auto [dim, index] : llvm::zip(contraction.getRowDims(), row))
    position[dim] = index;
  return position;
}

void TileLoops::emitTile(ValueRange row, Value column, TileColumns columns) {
  SmallVector<Value> position = getPosition(row, column);
  if (before)
    columns.before = arith::AddIOp::create(builder, loc, before, column);
  tiles->emit(position, columns);
}

std::optional<PaddedWindow> TileLoops::getColumnWindow() const {
  for (const PaddedWindow &window : contraction.getWindows())
    if (window.position == contraction.getColumn())
      return window;
  return std::nullopt;
}

/// The tiles of a row of which some have columns in the padding: those one by
/// one, the others between them in a loop.
void TileLoops::emitPaddedColumns(ValueRange row, const PaddedWindow &window) {
  int64_t columns =
      contraction.getResultType().getDimSize(*contraction.getColumnDim());
  int64_t input = cast<RankedTensorType>(contraction.getInput().getType())
                      .getDimSize(window.dim);
  int64_t taps = contraction.product.getStaticLoopRanges()[window.tap];
  int64_t step = space.tileRows, first = 0;
  auto isInside = [&](int64_t column) {
    int64_t from = column * window.stride - window.low;
    int64_t to =
        from + (step - 1) * window.stride + (taps - 1) * window.dilation;
    return column + step <= columns && from >= 0 && to < input;
  };
  while (first < columns) {
    int64_t last = first;
    while (isInside(last))
      last += step;
    if (last == first) {
      emitTile(row, constant(first),
               {unsigned(std::min(step, columns - first)), nullptr, first});
      first += step;
      continue;
    }
    auto loop = scf::ForOp::create(builder, loc, constant(first),
                                   constant(last), constant(step));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    emitTile(row, loop.getInductionVar(), {unsigned(step)});
    first = last;
  }
}

void TileLoops::emitColumns(ValueRange row, Value begin, Value end) {
  int64_t size = contraction.getTileDemand(space.basis).rows;
  auto emit = [&](Value first, int64_t count) {
    emitTile(row, first, {unsigned(count)});
  };
  if (!space.matrix || !ShapedType::isDynamic(size))
    return emitTiles(builder, loc, begin, end, size, space.tileRows, emit);
  // What is left is one tile with some of its columns.
  emitTilesAndRest(builder, loc, begin, end, space.tileRows, emit,
                   [&](Value first, Value left) {
                     emitTile(row, first, {space.tileRows, left});
                   });
}
