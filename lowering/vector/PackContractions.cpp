//===- PackContractions.cpp - omb-pack-contractions -----------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/Outliner.h"
#include "lowering/vector/PackedWeights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_PACKCONTRACTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

static bool isZeroFill(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.value(), m_AnyZeroFloat());
}

/// output += sum of the packed product's loops, where the output's start isn't
/// zero.
static Value addStart(OpBuilder &builder, Location loc, Value product,
                      Value start) {
  auto type = cast<RankedTensorType>(product.getType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> parallel(type.getRank(),
                                            utils::IteratorType::parallel);
  Value out = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, product),
      type.getElementType());
  return linalg::GenericOp::create(
             builder, loc, type, ValueRange{product, start}, out,
             ArrayRef{identity, identity, identity}, parallel,
             [](OpBuilder &inner, Location at, ValueRange args) {
               Value sum = arith::AddFOp::create(inner, at, args[0], args[1]);
               linalg::YieldOp::create(inner, at, sum);
             })
      .getResult(0);
}

/// Whether a vector of channels, most of which don't exist, takes longer than
/// another vector would: unless there are several loops to sum over.
static bool hasTooFewChannels(const ChannelContraction &contraction,
                              const VectorUnit &unit) {
  int64_t channels = contraction.getSize(contraction.channel);
  auto isLoop = [&](unsigned loop) { return contraction.getSize(loop) != 1; };
  return !contraction.isDepthwise && !ShapedType::isDynamic(channels) &&
         channels * 4 <= unit.getLanes(contraction.getElementBytes()) &&
         llvm::count_if(contraction.reductions, isLoop) < 2;
}

/// What is packed; fails with the reason where `op` is better left alone.
static FailureOr<ChannelContraction>
matchPackable(linalg::LinalgOp op, const VectorUnit &unit,
              function_ref<void(const Twine &)> why) {
  FailureOr<ChannelContraction> contraction =
      ChannelContraction::match(op, why);
  if (succeeded(contraction) && hasTooFewChannels(*contraction, unit)) {
    why("has too few channels for a vector");
    return failure();
  }
  return contraction;
}

namespace {

/// A product reads transposed weights in the order that they have.
struct FoldTransposedWeights : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1 ||
        op.hasIndexSemantics())
      return rewriter.notifyMatchFailure(op, "isn't a product");
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto transpose = operand->get().getDefiningOp<linalg::TransposeOp>();
      if (!transpose || !matchPattern(transpose.getInput(), m_Constant()))
        continue;
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      AffineMap &map = maps[operand->getOperandNumber()];
      map = AffineMap::get(
          map.getNumDims(), 0,
          applyPermutation(map.getResults(),
                           invertPermutationVector(transpose.getPermutation())),
          rewriter.getContext());
      SmallVector<Value> inputs = op.getDpsInputs();
      inputs[operand->getOperandNumber()] = transpose.getInput();
      auto generic = linalg::GenericOp::create(
          rewriter, op.getLoc(), op->getResultTypes(), inputs, op.getDpsInits(),
          maps, op.getIteratorTypesArray());
      rewriter.inlineRegionBefore(op->getRegion(0), generic.getRegion(),
                                  generic.getRegion().begin());
      rewriter.replaceOp(op, generic);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "has no transposed constant");
  }
};

/// Makes of
///
///   out[p..., n] += input[f(p..., r...)] * weights[b..., n, r...]
///
/// with n = j * `panel` + v, and panels of zeros beyond the last channel,
///
///   packed[p..., j, v] += input[f(p..., r...)] * panels[b..., j, r..., v]
///   out = linalg.unpack packed
///
/// A depthwise convolution reads (linalg.pack input)[f(p..., r...), j, v].
struct PackContraction : OpInterfaceRewritePattern<linalg::LinalgOp> {
  PackContraction(MLIRContext *context, VectorUnit unit)
      : OpInterfaceRewritePattern(context), unit(unit) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<ChannelContraction> contraction =
        matchPackable(op, unit, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(contraction))
      return failure();
    int64_t panel = getPanel(*contraction);
    FailureOr<Value> panels = createPanels(rewriter, *contraction, panel);
    if (failed(panels))
      return rewriter.notifyMatchFailure(op, "has weights without values");

    Location loc = op.getLoc();
    Value start = op.getDpsInits()[0];
    Value packed = createPacked(rewriter, *contraction, *panels, panel);
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, loc, start);
    auto type = cast<RankedTensorType>(start.getType());
    Value out =
        tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
    Value result =
        linalg::UnPackOp::create(
            rewriter, loc, packed, out, ArrayRef<int64_t>{type.getRank() - 1},
            ArrayRef<OpFoldResult>{rewriter.getIndexAttr(panel)})
            ->getResult(0);
    if (!isZeroFill(start))
      result = addStart(rewriter, loc, result, start);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// The channels of a panel: those of a tile.
  int64_t getPanel(const ChannelContraction &contraction) const {
    unsigned lanes = unit.getLanes(contraction.getElementBytes());
    return lanes * selectVectors(unit, lanes, contraction.getTileDemand());
  }

  /// The weights panel by panel.
  static FailureOr<Value> createPanels(OpBuilder &builder,
                                       const ChannelContraction &contraction,
                                       int64_t panel) {
    Value weights = contraction.weights->get();
    SmallVector<int64_t> order = contraction.getWeightsOrder();
    int64_t batches = contraction.batches.size();
    if (contraction.hasConstantWeights())
      return packWeights(builder, weights, panel, order, batches);
    return pack(builder, weights, order[batches], panel, order);
  }

  /// `dim` in tiles of `panel`, which come last, of the dimensions in `order`.
  static Value pack(OpBuilder &builder, Value tensor, int64_t dim,
                    int64_t panel, ArrayRef<int64_t> order) {
    Location loc = tensor.getLoc();
    Type element = getElementTypeOrSelf(tensor.getType());
    SmallVector<int64_t> dims{dim};
    SmallVector<OpFoldResult> tiles{builder.getIndexAttr(panel)};
    Value empty = tensor::EmptyOp::create(
        builder, loc,
        linalg::PackOp::getResultShape(
            builder, loc, tensor::getMixedSizes(builder, loc, tensor), tiles,
            dims, order),
        element);
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
    return linalg::PackOp::create(builder, loc, tensor, empty, dims, tiles,
                                  zero, order)
        ->getResult(0);
  }

  /// The loops stay as they are, the channels' loop counts panels, and one more
  /// goes through a panel.
  static Value createPacked(OpBuilder &builder,
                            const ChannelContraction &contraction, Value panels,
                            int64_t panel) {
    linalg::LinalgOp op = contraction.op;
    Location loc = op.getLoc();
    MLIRContext *context = builder.getContext();
    unsigned loops = op.getNumLoops();
    AffineExpr within = builder.getAffineDimExpr(loops);
    auto getMap = [&](ArrayRef<AffineExpr> results) {
      return AffineMap::get(loops + 1, 0, results, context);
    };
    SmallVector<AffineExpr> weights;
    for (unsigned loop : contraction.batches)
      weights.push_back(builder.getAffineDimExpr(loop));
    weights.push_back(builder.getAffineDimExpr(contraction.channel));
    for (unsigned loop : contraction.reductions)
      weights.push_back(builder.getAffineDimExpr(loop));
    weights.push_back(within);
    OpOperand *init = op.getDpsInitOperand(0);
    SmallVector<AffineExpr> output(
        op.getMatchingIndexingMap(init).getResults());
    output.push_back(within);
    SmallVector<AffineExpr> from(
        op.getMatchingIndexingMap(contraction.input).getResults());
    Value input = contraction.input->get();
    if (contraction.isDepthwise) {
      input = pack(builder, input, from.size() - 1, panel, {});
      from.push_back(within);
    }
    SmallVector<AffineMap> maps{getMap(from), getMap(weights), getMap(output)};
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    iterators.push_back(utils::IteratorType::parallel);

    auto type = cast<RankedTensorType>(init->get().getType());
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, loc, init->get());
    sizes.back() =
        tensor::getMixedSize(builder, loc, panels, contraction.batches.size());
    sizes.push_back(builder.getIndexAttr(panel));
    Value empty =
        tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
    Value zero = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(type.getElementType()));
    Value fill = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
    return linalg::GenericOp::create(builder, loc, fill.getType(),
                                     ValueRange{input, panels}, fill, maps,
                                     iterators, buildMultiplyAdd)
        .getResult(0);
  }

  VectorUnit unit;
};

struct PackContractions : omb::impl::PackContractionsBase<PackContractions> {
  using PackContractionsBase::PackContractionsBase;

  void runOnOperation() override {
    VectorUnit unit{vectorBytes, vectorRegisters};
    applyToOthers([](RewritePatternSet &patterns) {
      patterns.add<FoldTransposedWeights>(patterns.getContext());
    });
    if (explain)
      remarkOthers(unit);
    applyToOthers([&](RewritePatternSet &patterns) {
      patterns.add<PackContraction>(patterns.getContext(), unit);
    });
  }

private:
  /// Rewrites what isn't part of a kernel already.
  void applyToOthers(function_ref<void(RewritePatternSet &)> populate) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    FrozenRewritePatternSet frozen(std::move(patterns));
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(kKernelAttrName))
        walkAndApplyPatterns(function, frozen);
  }

  /// Says of each sum that isn't packed why it isn't.
  void remarkOthers(const VectorUnit &unit) {
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.getNumReductionLoops() > 0 && !isInKernel(op))
        (void)matchPackable(op, unit,
                            [&](const Twine &why) { op->emitRemark() << why; });
    });
  }
};

} // namespace
