//===- MergeTaps.cpp - Windows of few channels as rows of memory ----------===//

#include "lowering/vector/MergeTaps.h"

#include "lowering/ConstantBytes.h"
#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/LoopFactors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

/// The loops and dimensions of a convolution that become one.
struct Merged {
  /// Loops of the sum.
  unsigned channel, tap;
  /// Dimensions of the input.
  unsigned channelDim, columnDim;
  int64_t channels, taps;
  /// The loop of the columns, and their distance.
  unsigned column;
  int64_t stride;
};

} // namespace

/// The loop that alone `expr` is; none where it is something else.
static std::optional<unsigned> getLoop(AffineExpr expr) {
  auto dim = dyn_cast<AffineDimExpr>(expr);
  return dim ? std::optional(dim.getPosition()) : std::nullopt;
}

static FailureOr<Merged> matchMerged(const ChannelContraction &contraction) {
  linalg::LinalgOp op = contraction.op;
  AffineMap map = op.getMatchingIndexingMap(contraction.input);
  std::optional<unsigned> column = contraction.getColumn();
  if (!column || contraction.isDepthwise || !contraction.batches.empty())
    return failure();
  Merged found{};
  found.column = *column;
  bool hasChannels = false, hasTaps = false;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    std::optional<unsigned> loop = getLoop(expr);
    if (loop && llvm::is_contained(contraction.reductions, *loop)) {
      if (hasChannels)
        return failure();
      hasChannels = true;
      found.channel = *loop;
      found.channelDim = dim;
      found.channels = contraction.getSize(*loop);
      continue;
    }
    if (!expr.isFunctionOfDim(*column))
      continue;
    auto factors = getLoopFactors(expr, op.getNumLoops());
    if (!factors || factors->back() != 0)
      return failure();
    for (unsigned other = 0; other < op.getNumLoops(); ++other) {
      if (other == *column || (*factors)[other] == 0)
        continue;
      if (hasTaps || (*factors)[other] != 1 ||
          !llvm::is_contained(contraction.reductions, other))
        return failure();
      hasTaps = true;
      found.tap = other;
    }
    found.columnDim = dim;
    found.stride = (*factors)[*column];
  }
  if (!hasChannels || !hasTaps || found.stride <= 0)
    return failure();
  found.taps = contraction.getSize(found.tap);
  auto input = cast<RankedTensorType>(contraction.input->get().getType());
  bool isKnown = !ShapedType::isDynamic(found.taps) &&
                 !ShapedType::isDynamic(found.channels) &&
                 !input.isDynamicDim(found.columnDim);
  return isKnown ? FailureOr<Merged>(found) : FailureOr<Merged>(failure());
}

namespace {

/// A convolution of an image of few channels as one of rows, in which the
/// channels of a window's columns follow each other:
///
///   out[n, y, x, f] += in[n, s*y + i, t*x + j, c] * weights[f, i, j, c]
///     -> out[n, y, x, f] += rows[n, s*y + i, t*C*x + q] * weights[f, i, q]
///
/// where C is the number of channels with zeros that make them a group.
struct MergeTaps : OpInterfaceRewritePattern<linalg::LinalgOp> {
  MergeTaps(MLIRContext *context, VectorUnit unit, FloatType narrow)
      : OpInterfaceRewritePattern(context), unit(unit), narrow(narrow) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<ChannelContraction> contraction =
        ChannelContraction::match(op, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(contraction))
      return failure();
    if (contraction->hasNarrowFactors() || !contraction->hasConstantWeights())
      return rewriter.notifyMatchFailure(op, "has no constant weights");
    int64_t group = getGroup(*contraction);
    FailureOr<Merged> merged = matchMerged(*contraction);
    if (failed(merged) || merged->taps == 1)
      return rewriter.notifyMatchFailure(op, "has no columns of a window");
    if (group == 1 || merged->channels > 4 || merged->channels % group == 0)
      return rewriter.notifyMatchFailure(op, "has channels that fill groups");
    int64_t channels = llvm::alignTo(merged->channels, 4);
    FailureOr<Value> weights =
        createWeights(rewriter, *contraction, *merged, channels);
    if (failed(weights))
      return rewriter.notifyMatchFailure(op, "has weights without values");
    Value rows = createRows(rewriter, *contraction, *merged, channels);
    rewriter.replaceOp(op, createProduct(rewriter, *contraction, *merged,
                                         channels, rows, *weights));
    return success();
  }

private:
  /// How many factors kernels multiply at once.
  int64_t getGroup(const ChannelContraction &contraction) const {
    if (contraction.isInteger)
      return unit.dotBytes;
    bool isNarrow = narrow && narrow.isBF16() && unit.dotsBFloats &&
                    contraction.getElementBytes() == 4;
    return isNarrow ? 2 : 1;
  }

  /// [features, the other taps, the columns' taps and channels].
  static FailureOr<Value> createWeights(OpBuilder &builder,
                                        const ChannelContraction &contraction,
                                        const Merged &merged,
                                        int64_t channels) {
    Value weights = contraction.weights->get();
    FailureOr<omb::ConstantBytes> bytes = omb::ConstantBytes::get(weights);
    if (failed(bytes))
      return failure();
    auto type = cast<RankedTensorType>(weights.getType());
    linalg::LinalgOp op = contraction.op;
    AffineMap map = op.getMatchingIndexingMap(contraction.weights);
    SmallVector<int64_t> strides = computeStrides(type.getShape());
    auto getStride = [&](unsigned loop) {
      return strides[*map.getResultPosition(builder.getAffineDimExpr(loop))];
    };
    SmallVector<int64_t> shape{contraction.getSize(contraction.channel)},
        outer{getStride(contraction.channel)};
    for (unsigned loop : getOthers(contraction, merged)) {
      shape.push_back(contraction.getSize(loop));
      outer.push_back(getStride(loop));
    }
    int64_t rows = llvm::product_of(shape), width = bytes->getWidth();
    SmallVector<int64_t> basis = computeStrides(shape);
    shape.push_back(merged.taps * channels);
    auto fill = [&](MutableArrayRef<char> into) {
      llvm::fill(into, 0);
      for (int64_t row = 0; row < rows; ++row) {
        int64_t from = linearize(delinearize(row, basis), outer);
        for (int64_t tap = 0; tap < merged.taps; ++tap)
          for (int64_t channel = 0; channel < merged.channels; ++channel)
            std::copy_n(bytes->at(from + tap * getStride(merged.tap) +
                                  channel * getStride(merged.channel)),
                        width,
                        &into[((row * merged.taps + tap) * channels + channel) *
                              width]);
      }
    };
    return omb::createConstantBytes(
        builder, weights.getLoc(),
        RankedTensorType::get(shape, type.getElementType()),
        bytes->getName() + ".rows", fill);
  }

  /// What is summed over besides.
  static SmallVector<unsigned> getOthers(const ChannelContraction &contraction,
                                         const Merged &merged) {
    SmallVector<unsigned> loops;
    for (unsigned loop : contraction.reductions)
      if (loop != merged.channel && loop != merged.tap)
        loops.push_back(loop);
    return loops;
  }

  /// The image with its channels last, padded, each row in one dimension.
  static Value createRows(OpBuilder &builder,
                          const ChannelContraction &contraction,
                          const Merged &merged, int64_t channels) {
    Location loc = contraction.op->getLoc();
    Value image = contraction.input->get(), value;
    auto type = cast<RankedTensorType>(image.getType());
    int64_t rank = type.getRank();
    SmallVector<int64_t> order = getOrder(rank, merged);
    SmallVector<OpFoldResult> low(rank, builder.getIndexAttr(0)), high = low;
    // The padding is put where that of the channels is.
    if (auto pad = image.getDefiningOp<tensor::PadOp>();
        pad && pad.getConstantPaddingValue() &&
        pad.getStaticLow()[merged.channelDim] == 0 &&
        pad.getStaticHigh()[merged.channelDim] == 0) {
      value = pad.getConstantPaddingValue();
      image = pad.getSource();
      low = applyPermutation(pad.getMixedLowPad(), order);
      high = applyPermutation(pad.getMixedHighPad(), order);
    } else {
      value = arith::ConstantOp::create(
          builder, loc, builder.getZeroAttr(type.getElementType()));
    }
    high.back() = builder.getIndexAttr(channels - merged.channels);
    if (!isIdentityPermutation(order)) {
      SmallVector<OpFoldResult> sizes =
          applyPermutation(tensor::getMixedSizes(builder, loc, image), order);
      Value empty =
          tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
      image = linalg::TransposeOp::create(builder, loc, image, empty, order)
                  ->getResult(0);
    }
    SmallVector<int64_t> shape =
        applyPermutation(type.getShape(), ArrayRef(order));
    shape.back() = channels;
    image = tensor::PadOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()),
        image, low, high, value);
    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0; dim + 1 < rank; ++dim)
      groups.push_back({dim});
    groups.back().push_back(rank - 1);
    return tensor::CollapseShapeOp::create(builder, loc, image, groups);
  }

  /// The input's dimensions with the columns and the channels last.
  static SmallVector<int64_t> getOrder(int64_t rank, const Merged &merged) {
    SmallVector<int64_t> order;
    for (int64_t dim = 0; dim < rank; ++dim)
      if (dim != merged.columnDim && dim != merged.channelDim)
        order.push_back(dim);
    order.push_back(merged.columnDim);
    order.push_back(merged.channelDim);
    return order;
  }

  /// The loops of the result, as they were, then those of the sum.
  static Value createProduct(OpBuilder &builder,
                             const ChannelContraction &contraction,
                             const Merged &merged, int64_t channels, Value rows,
                             Value weights) {
    linalg::LinalgOp op = contraction.op;
    SmallVector<unsigned> others = getOthers(contraction, merged);
    SmallVector<unsigned> loops = contraction.positions;
    loops.push_back(contraction.channel);
    unsigned parallel = loops.size();
    loops.append(others);
    SmallVector<AffineExpr> place(op.getNumLoops(),
                                  builder.getAffineConstantExpr(0));
    for (auto [number, loop] : llvm::enumerate(loops))
      place[loop] = builder.getAffineDimExpr(number);
    AffineExpr within = builder.getAffineDimExpr(loops.size());
    unsigned count = loops.size() + 1;
    AffineMap input = op.getMatchingIndexingMap(contraction.input);
    SmallVector<AffineExpr> from, of, to;
    for (auto [dim, expr] : llvm::enumerate(input.getResults()))
      if (dim != merged.columnDim && dim != merged.channelDim)
        from.push_back(expr.replaceDims(place));
    from.push_back(place[merged.column] * (merged.stride * channels) + within);
    of.push_back(place[contraction.channel]);
    for (unsigned loop : others)
      of.push_back(place[loop]);
    of.push_back(within);
    for (unsigned number = 0; number < parallel; ++number)
      to.push_back(builder.getAffineDimExpr(number));
    auto getMap = [&](ArrayRef<AffineExpr> exprs) {
      return AffineMap::get(count, 0, exprs, builder.getContext());
    };
    SmallVector<utils::IteratorType> kinds(count,
                                           utils::IteratorType::reduction);
    std::fill_n(kinds.begin(), parallel, utils::IteratorType::parallel);
    Value start = op.getDpsInits()[0];
    return linalg::GenericOp::create(
               builder, op.getLoc(), start.getType(), ValueRange{rows, weights},
               start, ArrayRef{getMap(from), getMap(of), getMap(to)}, kinds,
               buildMultiplyAdd)
        .getResult(0);
  }

  VectorUnit unit;
  FloatType narrow;
};

} // namespace

void omb::kernels::populateMergeTapsPatterns(RewritePatternSet &patterns,
                                             const VectorUnit &unit,
                                             FloatType narrow) {
  patterns.add<MergeTaps>(patterns.getContext(), unit, narrow);
}
