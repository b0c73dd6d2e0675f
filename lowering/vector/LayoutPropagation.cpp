//===- LayoutPropagation.cpp - Keep the channels last ---------------------===//

#include "lowering/vector/ChannelsLast.h"
#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace omb::kernels;

static int64_t getRank(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? type.getRank() : 0;
}

/// `values` of an image's dimensions, with the channels last.
template <typename T> static SmallVector<T> permuted(ArrayRef<T> values) {
  return applyPermutation(values, getChannelsLast(values.size()));
}

namespace {

/// An elementwise op.
struct MoveElementwise : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isElementwiseOfInputs(op) || op.hasIndexSemantics())
      return rewriter.notifyMatchFailure(op, "isn't elementwise");
    auto isMoved = [&](OpOperand *operand) {
      return op.getMatchingIndexingMap(operand).isIdentity() &&
             getChannelsLastSource(operand->get());
    };
    if (llvm::none_of(op.getDpsInputOperands(), isMoved))
      return rewriter.notifyMatchFailure(op, "has no moved image");

    Location loc = op.getLoc();
    unsigned rank = op.getNumLoops();
    // Loop `dim` becomes the loop at which the dimension is now.
    SmallVector<AffineExpr> loops(rank);
    for (auto [now, before] : llvm::enumerate(getChannelsLast(rank)))
      loops[before] = rewriter.getAffineDimExpr(now);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(operand);
      if (map.isIdentity()) {
        inputs.push_back(toChannelsLast(rewriter, loc, operand->get()));
        maps.push_back(map);
        continue;
      }
      inputs.push_back(operand->get());
      maps.push_back(map.replaceDimsAndSymbols(loops, {}, rank, 0));
    }
    maps.push_back(rewriter.getMultiDimIdentityMap(rank));
    auto type = cast<RankedTensorType>(op.getResultTypes()[0]);
    Value start = op.getDpsInits()[0];
    SmallVector<OpFoldResult> sizes =
        permuted<OpFoldResult>(tensor::getMixedSizes(rewriter, loc, start));
    Value empty =
        tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
    auto moved =
        linalg::GenericOp::create(rewriter, loc, empty.getType(), inputs, empty,
                                  maps, op.getIteratorTypesArray());
    rewriter.inlineRegionBefore(op.getRegion(), moved.getRegion(),
                                moved.getRegion().begin());
    rewriter.replaceOp(op, toChannelsSecond(rewriter, loc, moved.getResult(0)));
    return success();
  }
};

/// `pad` of an image, done to the image with its channels last.
static Value createPad(OpBuilder &builder, tensor::PadOp pad, Value image,
                       Value padding) {
  auto type = RankedTensorType::get(permuted(pad.getType().getShape()),
                                    pad.getType().getElementType());
  return tensor::PadOp::create(builder, pad.getLoc(), type, image,
                               permuted<OpFoldResult>(pad.getMixedLowPad()),
                               permuted<OpFoldResult>(pad.getMixedHighPad()),
                               padding, pad.getNofold());
}

/// What a pool reads, with the channels last; null where it is better read as
/// it is: unless `always`, if it wasn't moved.
static Value getPooledImage(OpBuilder &builder, Value image, bool always) {
  constexpr int64_t fewChannels = 8;
  if (Value source = getChannelsLastSource(image))
    return source;
  auto type = cast<RankedTensorType>(image.getType());
  if (!always || type.isDynamicDim(1) || type.getDimSize(1) < fewChannels)
    return nullptr;
  auto pad = image.getDefiningOp<tensor::PadOp>();
  Value padding = pad ? pad.getConstantPaddingValue() : Value();
  if (!padding)
    return toChannelsLast(builder, image.getLoc(), image);
  Value moved = toChannelsLast(builder, pad.getLoc(), pad.getSource());
  return createPad(builder, pad, moved, padding);
}

/// What a pool starts with, for the channels last.
static Value getPoolStart(OpBuilder &builder, linalg::FillOp fill) {
  SmallVector<OpFoldResult> sizes = permuted<OpFoldResult>(
      tensor::getMixedSizes(builder, fill.getLoc(), fill.result()));
  Value empty = tensor::EmptyOp::create(builder, fill.getLoc(), sizes,
                                        getElementTypeOrSelf(fill.value()));
  return linalg::FillOp::create(builder, fill.getLoc(), fill.value(), empty)
      .getResult(0);
}

/// A pool such as linalg.pooling_nchw_max.
template <typename FromOp, typename ToOp>
struct MovePooling : OpRewritePattern<FromOp> {
  /// `always`: whether images are moved for it.
  MovePooling(MLIRContext *context, bool always)
      : OpRewritePattern<FromOp>(context), always(always) {}

  LogicalResult matchAndRewrite(FromOp op,
                                PatternRewriter &rewriter) const override {
    auto fill = op.getOutputs()[0].template getDefiningOp<linalg::FillOp>();
    if (!fill)
      return rewriter.notifyMatchFailure(op, "starts with several values");
    Value image = getPooledImage(rewriter, op.getInputs()[0], always);
    if (!image)
      return rewriter.notifyMatchFailure(op, "has no moved image");
    Location loc = op.getLoc();
    Value start = getPoolStart(rewriter, fill);
    Value moved = ToOp::create(rewriter, loc, start.getType(),
                               ValueRange{image, op.getInputs()[1]}, start,
                               op.getStridesAttr(), op.getDilationsAttr())
                      .getResult(0);
    rewriter.replaceOp(op, toChannelsSecond(rewriter, loc, moved));
    return success();
  }

private:
  bool always;
};

/// A pool that no named operation is for.
struct MoveWindows : OpRewritePattern<linalg::GenericOp> {
  MoveWindows(MLIRContext *context, bool always)
      : OpRewritePattern(context, /*benefit=*/2), always(always) {}

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isPool(op))
      return rewriter.notifyMatchFailure(op, "isn't a pool");
    auto fill = op.getOutputs()[0].getDefiningOp<linalg::FillOp>();
    if (!fill)
      return rewriter.notifyMatchFailure(op, "starts with several values");
    Value image = getPooledImage(rewriter, op.getInputs()[0], always);
    if (!image)
      return rewriter.notifyMatchFailure(op, "has no moved image");
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (AffineMap *map : {&maps.front(), &maps.back()})
      *map = AffineMap::get(map->getNumDims(), 0, permuted(map->getResults()),
                            rewriter.getContext());
    Value start = getPoolStart(rewriter, fill);
    auto moved =
        linalg::GenericOp::create(rewriter, op.getLoc(), start.getType(),
                                  ValueRange{image, op.getInputs()[1]}, start,
                                  maps, op.getIteratorTypesArray());
    rewriter.inlineRegionBefore(op.getRegion(), moved.getRegion(),
                                moved.getRegion().begin());
    rewriter.replaceOp(
        op, toChannelsSecond(rewriter, op.getLoc(), moved.getResult(0)));
    return success();
  }

private:
  /// Whether each channel of a window of an image gives one of the result.
  static bool isPool(linalg::GenericOp op) {
    if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
        op.getNumReductionLoops() == 0 || op.hasIndexSemantics() ||
        !op.getInputs()[1].getDefiningOp<tensor::EmptyOp>())
      return false;
    AffineMap image = op.getIndexingMapsArray().front(),
              output = op.getIndexingMapsArray().back();
    unsigned rank = output.getNumResults();
    if (rank < 3 || image.getNumResults() != rank ||
        !output.isProjectedPermutation())
      return false;
    for (unsigned dim = 0; dim < rank; ++dim)
      if (output.getDimPosition(dim) != dim ||
          (dim < 2 && image.getResult(dim) != output.getResult(dim)) ||
          (dim >= 2 && image.getResult(dim).isFunctionOfDim(1)))
        return false;
    return true;
  }

  bool always;
};

/// A reduction reads images as they were; its result isn't one.
struct MoveReduction : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!isa<linalg::GenericOp, linalg::ReduceOp>(op.getOperation()) ||
        op.getNumReductionLoops() == 0)
      return rewriter.notifyMatchFailure(op, "isn't a reduction");
    if (llvm::none_of(op.getDpsInputs(), getChannelsLastSource))
      return rewriter.notifyMatchFailure(op, "has no moved image");
    if (isa<linalg::ReduceOp>(op.getOperation()))
      return linalg::generalizeNamedOp(rewriter, op);
    rewriter.modifyOpInPlace(op, [&] {
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      for (OpOperand *input : op.getDpsInputOperands()) {
        Value image = getChannelsLastSource(input->get());
        if (!image)
          continue;
        AffineMap &map = maps[input->getOperandNumber()];
        map = AffineMap::get(map.getNumDims(), 0, permuted(map.getResults()),
                             rewriter.getContext());
        input->set(image);
      }
      cast<linalg::GenericOp>(op.getOperation())
          .setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    });
    return success();
  }
};

struct MovePad : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    Value image = getChannelsLastSource(op.getSource());
    Value padding = op.getConstantPaddingValue();
    if (!image || !padding)
      return rewriter.notifyMatchFailure(op, "doesn't pad a moved image");
    Value moved = createPad(rewriter, op, image, padding);
    rewriter.replaceOp(op, toChannelsSecond(rewriter, op.getLoc(), moved));
    return success();
  }
};

/// The elements of `value`; those of one position where sizes aren't known.
static int64_t countElements(Value value) {
  int64_t count = 1;
  for (int64_t size : cast<RankedTensorType>(value.getType()).getShape())
    count *= ShapedType::isDynamic(size) ? 1 : size;
  return count;
}

struct MoveConcat : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    int64_t moved = 0, others = 0;
    for (Value input : op.getInputs())
      (getChannelsLastSource(input) ? moved : others) += countElements(input);
    if (moved == 0 || moved < others)
      return rewriter.notifyMatchFailure(op, "has more that isn't moved");
    Location loc = op.getLoc();
    SmallVector<Value> images;
    for (Value input : op.getInputs())
      images.push_back(toChannelsLast(rewriter, loc, input));
    int64_t dim = getChannelsSecond(getRank(images[0]))[op.getDim()];
    Value joined = tensor::ConcatOp::create(rewriter, loc, dim, images);
    Value result = toChannelsSecond(rewriter, loc, joined);
    if (result.getType() != op.getType())
      result = tensor::CastOp::create(rewriter, loc, op.getType(), result);
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct MoveSlice : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    Value image = getChannelsLastSource(op.getSource());
    if (!image || getRank(image) != op.getType().getRank())
      return rewriter.notifyMatchFailure(op, "isn't part of a moved image");
    Location loc = op.getLoc();
    auto type = RankedTensorType::get(permuted(op.getType().getShape()),
                                      op.getType().getElementType());
    Value moved = tensor::ExtractSliceOp::create(
        rewriter, loc, type, image,
        permuted<OpFoldResult>(op.getMixedOffsets()),
        permuted<OpFoldResult>(op.getMixedSizes()),
        permuted<OpFoldResult>(op.getMixedStrides()));
    rewriter.replaceOp(op, toChannelsSecond(rewriter, loc, moved));
    return success();
  }
};

/// Dimensions split, permuted and joined to as many as there were, as in a
/// shuffle of channels or in what interleaves pixels.
struct MoveRearrangement : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSrc().getDefiningOp<linalg::TransposeOp>();
    auto expand =
        transpose ? transpose.getInput().getDefiningOp<tensor::ExpandShapeOp>()
                  : tensor::ExpandShapeOp();
    Value image = expand ? getChannelsLastSource(expand.getSrc()) : Value();
    if (!image || getRank(image) != op.getResultType().getRank())
      return rewriter.notifyMatchFailure(op, "isn't a moved image rearranged");
    Location loc = op.getLoc();
    SmallVector<int64_t> parts, order;
    SmallVector<ReassociationIndices> split =
        number(permuted<ReassociationIndices>(expand.getReassociationIndices()),
               parts);
    SmallVector<ReassociationIndices> joined = number(
        permuted<ReassociationIndices>(op.getReassociationIndices()), order);
    SmallVector<int64_t> partAt = invertPermutationVector(parts);
    for (int64_t &dim : order)
      dim = partAt[transpose.getPermutation()[dim]];
    SmallVector<OpFoldResult> sizes = expand.getMixedOutputShape();
    applyPermutationToVector(sizes, parts);
    auto type = RankedTensorType::get(
        applyPermutation(expand.getResultType().getShape(), parts),
        expand.getResultType().getElementType());
    Value moved =
        tensor::ExpandShapeOp::create(rewriter, loc, type, image, split, sizes);
    moved = createTransposed(rewriter, loc, moved, order)->getResult(0);
    moved = tensor::CollapseShapeOp::create(rewriter, loc, moved, joined);
    Value result = toChannelsSecond(rewriter, loc, moved);
    if (result.getType() != op.getType())
      result = tensor::CastOp::create(rewriter, loc, op.getType(), result);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// Groups of the same sizes that count their dimensions in order; `dims` gets
  /// those that they had.
  static SmallVector<ReassociationIndices>
  number(ArrayRef<ReassociationIndices> groups, SmallVector<int64_t> &dims) {
    SmallVector<ReassociationIndices> numbered;
    for (const ReassociationIndices &group : groups) {
      ReassociationIndices &next = numbered.emplace_back();
      for (int64_t dim : group) {
        next.push_back(dims.size());
        dims.push_back(dim);
      }
    }
    return numbered;
  }
};

} // namespace

void omb::kernels::populateLayoutPropagationPatterns(
    RewritePatternSet &patterns, bool movesPools) {
  MLIRContext *context = patterns.getContext();
  patterns.add<MoveElementwise, MoveReduction, MovePad, MoveConcat, MoveSlice,
               MoveRearrangement>(context);
  patterns.add<MoveWindows,
               MovePooling<linalg::PoolingNcwMaxOp, linalg::PoolingNwcMaxOp>,
               MovePooling<linalg::PoolingNchwMaxOp, linalg::PoolingNhwcMaxOp>,
               MovePooling<linalg::PoolingNcwSumOp, linalg::PoolingNwcSumOp>,
               MovePooling<linalg::PoolingNchwSumOp, linalg::PoolingNhwcSumOp>>(
      context, movesPools);
}
