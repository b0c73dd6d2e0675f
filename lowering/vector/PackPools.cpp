//===- PackPools.cpp - Pools in the order of kernels ----------------------===//

#include "lowering/vector/PackPools.h"

#include "lowering/vector/Packing.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb::kernels;

static unsigned getLanes(const ChannelPool &pool, const VectorUnit &unit) {
  auto op = pool.op;
  return unit.getLanes(
      getElementTypeOrSelf(op->getResult(0).getType()).getIntOrFloatBitWidth() /
      8);
}

bool omb::kernels::isPool(linalg::LinalgOp op) {
  return op.getNumDpsInputs() == 2 && getWindowType(op.getDpsInputs()[1]);
}

FailureOr<ChannelPool>
omb::kernels::matchPackablePool(linalg::LinalgOp op, const VectorUnit &unit,
                                function_ref<void(const Twine &)> why) {
  FailureOr<ChannelPool> pool = ChannelPool::match(op, why);
  if (failed(pool))
    return failure();
  int64_t channels = pool->getTileDemand().channels;
  // Of bytes, there are many lanes.
  constexpr int64_t mostLanes = 16;
  int64_t lanes = std::min<int64_t>(getLanes(*pool, unit), mostLanes);
  if (!ShapedType::isDynamic(channels) && channels * 4 <= lanes) {
    why("is a pool with too few channels for a vector");
    return failure();
  }
  return pool;
}

namespace {

/// Makes of
///
///   out[p..., c] = combine(out[p..., c], g(image[f(p..., r...), c]))
///
/// with c = j * `panel` + v
///
///   packed[p..., j, v] = combine(packed[p..., j, v],
///                                g((linalg.pack image)[f(p..., r...), j, v]))
///   out = linalg.unpack packed
struct PackPool : OpInterfaceRewritePattern<linalg::LinalgOp> {
  PackPool(MLIRContext *context, VectorUnit unit)
      : OpInterfaceRewritePattern(context), unit(unit) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<ChannelPool> pool =
        matchPackablePool(op, unit, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(pool))
      return failure();
    unsigned lanes = getLanes(*pool, unit);
    int64_t panel = lanes * selectVectors(unit, lanes, pool->getTileDemand());
    Location loc = op.getLoc();
    linalg::GenericOp packed = createPacked(rewriter, *pool, panel);
    Value start = op.getDpsInits()[0];
    auto type = cast<RankedTensorType>(start.getType());
    Value out = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, start),
        type.getElementType());
    Value result = linalg::UnPackOp::create(
                       rewriter, loc, packed.getResult(0), out,
                       ArrayRef<int64_t>{type.getRank() - 1},
                       ArrayRef<OpFoldResult>{rewriter.getIndexAttr(panel)})
                       ->getResult(0);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// The loops stay as they are, the channels' loop counts panels, and one more
  /// goes through a panel.
  static linalg::GenericOp createPacked(PatternRewriter &rewriter,
                                        const ChannelPool &pool,
                                        int64_t panel) {
    linalg::LinalgOp op = pool.op;
    Location loc = op.getLoc();
    unsigned loops = op.getNumLoops();
    AffineExpr within = rewriter.getAffineDimExpr(loops);
    SmallVector<AffineMap> maps;
    for (AffineMap map : op.getIndexingMapsArray()) {
      SmallVector<AffineExpr> results(map.getResults());
      if (maps.size() != 1) // the window has no channels
        results.push_back(within);
      maps.push_back(
          AffineMap::get(loops + 1, 0, results, rewriter.getContext()));
    }
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    iterators.push_back(utils::IteratorType::parallel);

    Value whole = pool.getImage()->get();
    int64_t last = cast<RankedTensorType>(whole.getType()).getRank() - 1;
    Value image = createPack(rewriter, loc, whole, last, panel);
    Value start = op.getDpsInits()[0];
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, loc, start);
    sizes.back() = tensor::getMixedSize(rewriter, loc, image, last);
    sizes.push_back(rewriter.getIndexAttr(panel));
    Value empty = tensor::EmptyOp::create(
        rewriter, loc, sizes, getElementTypeOrSelf(start.getType()));
    auto fill = pool.fill;
    Value filled =
        linalg::FillOp::create(rewriter, loc, fill.value(), empty).getResult(0);
    auto packed = linalg::GenericOp::create(
        rewriter, loc, filled.getType(),
        ValueRange{image, pool.getWindow()->get()}, filled, maps, iterators);
    rewriter.inlineRegionBefore(op->getRegion(0), packed.getRegion(),
                                packed.getRegion().begin());
    return packed;
  }

  VectorUnit unit;
};

} // namespace

void omb::kernels::populatePackPoolPatterns(RewritePatternSet &patterns,
                                            const VectorUnit &unit) {
  patterns.add<PackPool>(patterns.getContext(), unit);
}
