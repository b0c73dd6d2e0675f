//===- ConvolutionLayout.cpp - Convolutions with channels last ------------===//

#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/ChannelsLast.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// The dimensions of [batch, groups, channels, height, width] that are one
/// dimension without groups.
static SmallVector<ReassociationIndices> getGroupsSecond() {
  return {{0}, {1, 2}, {3}, {4}};
}

/// Those of [batch, height, width, groups, channels].
static SmallVector<ReassociationIndices> getGroupsLast() {
  return {{0}, {1}, {2}, {3, 4}};
}

/// The last dimension, whose size is known, as `groups` groups.
static Value splitLast(OpBuilder &builder, Location loc, Value tensor,
                       int64_t groups) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<ReassociationIndices> dims;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    dims.push_back({dim});
  dims.back().push_back(type.getRank());
  shape.back() /= groups;
  shape.insert(shape.end() - 1, groups);
  sizes.back() = builder.getIndexAttr(groups);
  sizes.push_back(builder.getIndexAttr(shape.back()));
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), tensor,
      dims, sizes);
}

/// The start of a convolution's sums with the channels last; in groups, if
/// there are several.
static Value getStart(OpBuilder &builder, Location loc, Value start,
                      int64_t groups = 1) {
  auto type = cast<RankedTensorType>(start.getType());
  auto split = [&](Value tensor) {
    return groups == 1 ? tensor : splitLast(builder, loc, tensor, groups);
  };
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, start);
  applyPermutationToVector(sizes, getChannelsLast(type.getRank()));
  if (groups != 1) {
    sizes.back() = builder.getIndexAttr(groups);
    sizes.push_back(builder.getIndexAttr(type.getDimSize(1) / groups));
  }
  Value empty =
      tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
  if (auto fill = start.getDefiningOp<linalg::FillOp>())
    return linalg::FillOp::create(builder, loc, fill.value(), empty)
        .getResult(0);
  SmallVector<int64_t> allButLast =
      llvm::to_vector(llvm::seq<int64_t>(0, type.getRank() - 1));
  if (auto bias = start.getDefiningOp<linalg::BroadcastOp>())
    if (cast<RankedTensorType>(bias.getInput().getType()).getRank() == 1 &&
        !llvm::is_contained(bias.getDimensions(), 1))
      return linalg::BroadcastOp::create(builder, loc, split(bias.getInput()),
                                         empty, allButLast)
          ->getResult(0);
  return split(toChannelsLast(builder, loc, start));
}

static SmallVector<int64_t> getValues(DenseIntElementsAttr attribute) {
  return llvm::to_vector(attribute.getValues<int64_t>());
}

/// The loops of a convolution with the channels last, and the maps of its
/// input, weights and output.
struct ConvolutionLoops {
  explicit ConvolutionLoops(PatternRewriter &builder) : builder(builder) {}

  AffineExpr add(utils::IteratorType kind) {
    kinds.push_back(kind);
    return builder.getAffineDimExpr(kinds.size() - 1);
  }
  AffineExpr addPosition() { return add(utils::IteratorType::parallel); }

  /// The batch and the positions, which are the first dimensions of the output.
  void addPositions(unsigned rank) {
    for (unsigned dim = 0; dim < rank + 1; ++dim)
      output.push_back(addPosition());
    input.push_back(output[0]);
  }

  /// The taps, which are the last dimensions of the weights.
  void addTaps(ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations) {
    for (auto [dim, stride] : llvm::enumerate(strides)) {
      weights.push_back(add(utils::IteratorType::reduction));
      input.push_back(output[1 + dim] * stride +
                      weights.back() * dilations[dim]);
    }
  }

  Value create(Location loc, Value from, Value of, Value start) {
    SmallVector<AffineMap> maps;
    for (ArrayRef<AffineExpr> exprs :
         {ArrayRef<AffineExpr>(input), ArrayRef<AffineExpr>(weights),
          ArrayRef<AffineExpr>(output)})
      maps.push_back(
          AffineMap::get(kinds.size(), 0, exprs, builder.getContext()));
    return linalg::GenericOp::create(builder, loc, start.getType(),
                                     ValueRange{from, of}, start, maps, kinds,
                                     buildMultiplyAdd)
        .getResult(0);
  }

  /// These loops instead of a convolution without groups. `inPlace`: they read
  /// its image as it is.
  template <typename ConvOp> void replace(ConvOp op, bool inPlace = false) {
    Location loc = op.getLoc();
    Value start = getStart(builder, loc, op.getOutputs()[0]);
    Value image = op.getInputs()[0];
    if (!inPlace)
      image = toChannelsLast(builder, loc, image);
    Value result = create(loc, image, op.getInputs()[1], start);
    builder.replaceOp(op, toChannelsSecond(builder, loc, result));
  }

  PatternRewriter &builder;
  SmallVector<utils::IteratorType> kinds;
  SmallVector<AffineExpr> input, weights, output;
};

static bool isOfBytes(linalg::LinalgOp op) {
  return getElementTypeOrSelf(op.getDpsInputs()[0].getType()).isInteger(8);
}

/// Why `op` isn't moved; empty if it is. `takesBytes`: of bytes, too.
template <typename ConvOp>
static StringRef getObstacle(ConvOp op, bool takesBytes = false) {
  if (!matchPattern(op.getInputs()[1], m_Constant()))
    return "has no constant weights";
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  if (takesBytes && isOfBytes(op))
    return "";
  if (element != getElementTypeOrSelf(op.getInputs()[0].getType()) ||
      !isa<FloatType>(element))
    return "sums values of another type";
  return "";
}

namespace {

/// A constant in another shape is a constant. (Folding knows this of values in
/// the module's text, not of those beside it.)
template <typename ReshapeOp>
struct ReshapeConstant : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern<ReshapeOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    DenseResourceElementsAttr elements;
    if (!matchPattern(op.getSrc(), m_Constant(&elements)) ||
        !op.getType().hasStaticShape())
      return rewriter.notifyMatchFailure(op, "isn't of a resource");
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(
        op, op.getType(),
        DenseResourceElementsAttr::get(op.getType(), elements.getRawHandle()));
    return success();
  }
};

/// A convolution of all channels, such as linalg.conv_2d_nchw_fchw, in loops
/// over batch, positions, features, taps and channels.
template <typename ConvOp>
struct ConvolutionToChannelsLast : OpRewritePattern<ConvOp> {
  using OpRewritePattern<ConvOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvOp op,
                                PatternRewriter &rewriter) const override {
    if (StringRef obstacle = getObstacle(op, /*takesBytes=*/true);
        !obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    SmallVector<int64_t> strides = getValues(op.getStrides());
    ConvolutionLoops loops(rewriter);
    loops.addPositions(strides.size());
    AffineExpr feature = loops.addPosition();
    loops.output.push_back(feature);
    loops.addTaps(strides, getValues(op.getDilations()));
    AffineExpr channel = loops.add(utils::IteratorType::reduction);
    loops.weights.insert(loops.weights.begin(), {feature, channel});

    // Bytes are read as several channels at once.
    bool inPlace = !isOfBytes(op) && isReadInPlace(op.getInputs()[0]);
    loops.input.insert(inPlace ? loops.input.begin() + 1 : loops.input.end(),
                       channel);
    loops.replace(op, inPlace);
    return success();
  }

private:
  /// Whether an image has so few channels that moving them doesn't pay: each of
  /// their values is read for itself anyway. That is so of a model's input.
  static bool isReadInPlace(Value image) {
    constexpr int64_t few = 4;
    int64_t channels = cast<RankedTensorType>(image.getType()).getDimSize(1);
    return !ShapedType::isDynamic(channels) && channels <= few &&
           !getChannelsLastSource(image);
  }
};

/// A convolution with one filter for each channel, such as
/// linalg.depthwise_conv_2d_nchw_chw, in loops over batch, positions, channels
/// and taps.
template <typename ConvOp>
struct DepthwiseToChannelsLast : OpRewritePattern<ConvOp> {
  using OpRewritePattern<ConvOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvOp op,
                                PatternRewriter &rewriter) const override {
    if (StringRef obstacle = getObstacle(op, /*takesBytes=*/true);
        !obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    SmallVector<int64_t> strides = getValues(op.getStrides());
    ConvolutionLoops loops(rewriter);
    loops.addPositions(strides.size());
    AffineExpr channel = loops.addPosition();
    loops.output.push_back(channel);
    loops.weights.push_back(channel);
    loops.addTaps(strides, getValues(op.getDilations()));
    loops.input.push_back(channel);
    loops.replace(op);
    return success();
  }
};

/// A convolution of groups of channels, in loops over batch, positions, groups,
/// features, taps and channels. Its images are [batch, groups, channels,
/// height, width]; with the channels last, a group's are next to each other.
struct GroupedToChannelsLast : OpRewritePattern<linalg::Conv2DNgchwGfchwOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::Conv2DNgchwGfchwOp op,
                                PatternRewriter &rewriter) const override {
    if (StringRef obstacle = getObstacle(op, /*takesBytes=*/true);
        !obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    ConvolutionLoops loops(rewriter);
    loops.addPositions(2);
    AffineExpr group = loops.addPosition(), feature = loops.addPosition();
    loops.output.append({group, feature});
    loops.addTaps(getValues(op.getStrides()), getValues(op.getDilations()));
    AffineExpr channel = loops.add(utils::IteratorType::reduction);
    loops.input.append({group, channel});
    loops.weights.insert(loops.weights.begin(), {group, feature, channel});

    Location loc = op.getLoc();
    Value output = op.getOutputs()[0];
    auto type = cast<RankedTensorType>(output.getType());
    auto from = cast<RankedTensorType>(op.getInputs()[0].getType());
    int64_t groups = type.getDimSize(1);
    if (ShapedType::isDynamic(groups) || type.isDynamicDim(2) ||
        from.isDynamicDim(1) || from.isDynamicDim(2))
      return rewriter.notifyMatchFailure(op,
                                         "has an unknown number of channels");
    Value start =
        getStart(rewriter, loc, joinGroups(rewriter, loc, output), groups);
    Value input = joinGroups(rewriter, loc, op.getInputs()[0]);
    input =
        splitLast(rewriter, loc, toChannelsLast(rewriter, loc, input), groups);
    Value result = loops.create(loc, input, op.getInputs()[1], start);
    result =
        tensor::CollapseShapeOp::create(rewriter, loc, result, getGroupsLast());
    result = toChannelsSecond(rewriter, loc, result);
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(
        op, type, result, getGroupsSecond(),
        tensor::getMixedSizes(rewriter, loc, output));
    return success();
  }

private:
  /// The image whose channels were made groups of.
  static Value joinGroups(OpBuilder &builder, Location loc, Value image) {
    auto expand = image.getDefiningOp<tensor::ExpandShapeOp>();
    if (expand &&
        llvm::equal(expand.getReassociationIndices(), getGroupsSecond()))
      return expand.getSrc();
    if (auto fill = image.getDefiningOp<linalg::FillOp>())
      return linalg::FillOp::create(builder, loc, fill.value(),
                                    joinGroups(builder, loc, fill.output()))
          .getResult(0);
    return tensor::CollapseShapeOp::create(builder, loc, image,
                                           getGroupsSecond());
  }
};

/// A named convolution of linalg as the named one with the channels last, of
/// the batch, the positions and the channels of images, and the taps, the
/// channels and the features of filters (where it has features).
template <typename FromOp, typename ToOp>
struct NamedToChannelsLast : OpRewritePattern<FromOp> {
  using OpRewritePattern<FromOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(FromOp op,
                                PatternRewriter &rewriter) const override {
    if (StringRef obstacle = getObstacle(op); !obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    Location loc = op.getLoc();
    Value start = getStart(rewriter, loc, op.getOutputs()[0]);
    Value input = toChannelsLast(rewriter, loc, op.getInputs()[0]);
    Value weights = op.getInputs()[1];
    int64_t rank = cast<RankedTensorType>(weights.getType()).getRank();
    int64_t spatial = op.getStrides().getNumElements();
    SmallVector<int64_t> order =
        llvm::to_vector(llvm::seq<int64_t>(rank - spatial, rank));
    for (int64_t dim = rank - spatial; dim-- > 0;)
      order.push_back(dim);
    weights = createTransposed(rewriter, loc, weights, order)->getResult(0);
    Value result =
        ToOp::create(rewriter, loc, start.getType(), ValueRange{input, weights},
                     start, op.getStridesAttr(), op.getDilationsAttr())
            .getResult(0);
    rewriter.replaceOp(op, toChannelsSecond(rewriter, loc, result));
    return success();
  }
};

} // namespace

void omb::kernels::populateConvolutionLayoutPatterns(
    RewritePatternSet &patterns, bool named) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ReshapeConstant<tensor::CollapseShapeOp>,
               ReshapeConstant<tensor::ExpandShapeOp>>(context);
  if (named) {
    patterns.add<
        NamedToChannelsLast<linalg::Conv1DNcwFcwOp, linalg::Conv1DNwcWcfOp>,
        NamedToChannelsLast<linalg::Conv2DNchwFchwOp, linalg::Conv2DNhwcHwcfOp>,
        NamedToChannelsLast<linalg::Conv3DNcdhwFcdhwOp,
                            linalg::Conv3DNdhwcDhwcfOp>,
        NamedToChannelsLast<linalg::DepthwiseConv1DNcwCwOp,
                            linalg::DepthwiseConv1DNwcWcOp>,
        NamedToChannelsLast<linalg::DepthwiseConv2DNchwChwOp,
                            linalg::DepthwiseConv2DNhwcHwcOp>>(context);
    return;
  }
  patterns.add<ConvolutionToChannelsLast<linalg::Conv1DNcwFcwOp>,
               ConvolutionToChannelsLast<linalg::Conv2DNchwFchwOp>,
               ConvolutionToChannelsLast<linalg::Conv3DNcdhwFcdhwOp>,
               DepthwiseToChannelsLast<linalg::DepthwiseConv1DNcwCwOp>,
               DepthwiseToChannelsLast<linalg::DepthwiseConv2DNchwChwOp>,
               DepthwiseToChannelsLast<linalg::DepthwiseConv3DNcdhwCdhwOp>,
               GroupedToChannelsLast>(context);
}
