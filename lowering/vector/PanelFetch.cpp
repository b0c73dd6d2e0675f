//===- PanelFetch.cpp - Fetching panels before they are read --------------===//

#include "lowering/vector/PanelFetch.h"

#include "lowering/vector/Prefetch.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

/// With fewer tiles each would have to fetch as much as it reads, or almost.
static constexpr int64_t kFewestTiles = 4;

PanelFetch::PanelFetch(OpBuilder &builder, const PackedContraction &contraction,
                       const KernelSpace &space)
    : IndexWriter(builder, contraction.getResult().getLoc()), space(space),
      groupSize(contraction.getPanelChannels() * contraction.getGroup()) {
  if (contraction.isPool() || contraction.decode || contraction.pack)
    return;
  unsigned first = contraction.getFirstSumDim();
  sumSizes = contraction.getPanelsType().getShape().slice(
      first, contraction.getReductions().size());
  bool isKnown =
      first == 1 && !sumSizes.empty() && !ShapedType::isDynamicShape(sumSizes);
  if (!isKnown || space.visited < kFewestTiles * space.tileRows)
    return;
  int64_t groups =
      space.sumBlock != 0 ? space.sumBlock : llvm::product_of(sumSizes);
  int64_t size = groups * groupSize;
  positionShare = llvm::divideCeil(size, space.visited);
  share = llvm::divideCeil(groupSize * space.tileRows, space.visited);
}

void PanelFetch::setPanel(Value panel, OpFoldResult count) {
  if (share == 0)
    return;
  AffineExpr number = builder.getAffineDimExpr(0);
  AffineExpr after = number + 1 +
                     ((number + 1).floorDiv(space.panelsAtOnce) -
                      number.floorDiv(space.panelsAtOnce)) *
                         space.panelsOfOthers;
  Value expected = asValue(affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(1, 0, after), {OpFoldResult(panel)}));
  Value last = arith::SubIOp::create(builder, loc, asValue(count), constant(1));
  current = panel;
  following = arith::MinSIOp::create(builder, loc, expected, last);
}

void PanelFetch::setTile(Value before) {
  first = nullptr;
  if (share != 0 && before)
    first =
        arith::MulIOp::create(builder, loc, before, constant(positionShare));
}

void PanelFetch::emit(Value panels, ValueRange at, int64_t groups,
                      const std::optional<SumPart> &part) {
  if (!first)
    return createPrefetch(builder, loc, panels, at, groups * groupSize);
  SmallVector<OpFoldResult> operands;
  AffineExpr offset = builder.getAffineConstantExpr(0);
  auto add = [&](OpFoldResult operand, int64_t factor) {
    offset = offset + builder.getAffineDimExpr(operands.size()) * factor;
    operands.push_back(operand);
  };
  add(first, 1);
  for (auto [index, stride] :
       llvm::zip(at.drop_front().drop_back(), computeStrides(sumSizes)))
    add(index, stride * share);
  if (part)
    add(part->begin, -share);
  bool isInPanel = part && !part->isLast;
  if (isInPanel) {
    add(part->begin, groupSize);
    offset = offset + space.sumBlock * groupSize;
  }
  SmallVector<Value> there(at.size(), constant(0));
  there.front() = isInPanel ? current : following;
  there.back() = asValue(affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(operands.size(), 0, offset), operands));
  createPrefetch(builder, loc, panels, there, groups * share, /*aheadBytes=*/0);
}
