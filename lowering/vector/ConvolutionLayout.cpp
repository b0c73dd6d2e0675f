//===- ConvolutionLayout.cpp - Convolutions with channels last ------------===//

#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/ChannelsLast.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// The start of a convolution's sums with the channels last.
static Value getStart(OpBuilder &builder, Location loc, Value start) {
  auto type = cast<RankedTensorType>(start.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, start);
  applyPermutationToVector(sizes, getChannelsLast(type.getRank()));
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
      return linalg::BroadcastOp::create(builder, loc, bias.getInput(), empty,
                                         allButLast)
          ->getResult(0);
  return toChannelsLast(builder, loc, start);
}

static SmallVector<int64_t> getValues(DenseIntElementsAttr attribute) {
  return llvm::to_vector(attribute.getValues<int64_t>());
}

namespace {

/// A convolution of all channels, such as linalg.conv_2d_nchw_fchw, in loops
/// over batch, positions, features, taps and channels.
template <typename ConvOp>
struct ConvolutionToChannelsLast : OpRewritePattern<ConvOp> {
  using OpRewritePattern<ConvOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvOp op,
                                PatternRewriter &rewriter) const override {
    Value input = op.getInputs()[0], weights = op.getInputs()[1];
    if (!matchPattern(weights, m_Constant()))
      return rewriter.notifyMatchFailure(op, "has no constant weights");
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    if (type.getElementType() !=
            cast<RankedTensorType>(input.getType()).getElementType() ||
        !isa<FloatType>(type.getElementType()))
      return rewriter.notifyMatchFailure(op, "sums values of another type");

    Location loc = op.getLoc();
    Value start = getStart(rewriter, loc, op.getOutputs()[0]);
    input = toChannelsLast(rewriter, loc, input);
    SmallVector<utils::IteratorType> iterators;
    SmallVector<AffineMap> maps =
        getMaps(rewriter, getValues(op.getStrides()),
                getValues(op.getDilations()), iterators);
    Value result = linalg::GenericOp::create(rewriter, loc, start.getType(),
                                             ValueRange{input, weights}, start,
                                             maps, iterators, buildMultiplyAdd)
                       .getResult(0);
    rewriter.replaceOp(op, toChannelsSecond(rewriter, loc, result));
    return success();
  }

private:
  /// Maps of input, weights and output.
  static SmallVector<AffineMap>
  getMaps(OpBuilder &builder, ArrayRef<int64_t> strides,
          ArrayRef<int64_t> dilations,
          SmallVector<utils::IteratorType> &iterators) {
    unsigned rank = strides.size(), loops = 0;
    auto addLoop = [&](utils::IteratorType kind) {
      iterators.push_back(kind);
      return builder.getAffineDimExpr(loops++);
    };
    AffineExpr batch = addLoop(utils::IteratorType::parallel);
    SmallVector<AffineExpr> from{batch}, of, to{batch};
    for (unsigned dim = 0; dim < rank; ++dim)
      to.push_back(addLoop(utils::IteratorType::parallel));
    AffineExpr feature = addLoop(utils::IteratorType::parallel);
    to.push_back(feature);
    for (unsigned dim = 0; dim < rank; ++dim) {
      of.push_back(addLoop(utils::IteratorType::reduction));
      from.push_back(to[1 + dim] * strides[dim] + of[dim] * dilations[dim]);
    }
    AffineExpr channel = addLoop(utils::IteratorType::reduction);
    from.push_back(channel);
    of.insert(of.begin(), {feature, channel});
    SmallVector<AffineMap> maps;
    for (ArrayRef<AffineExpr> exprs :
         {ArrayRef<AffineExpr>(from), ArrayRef<AffineExpr>(of),
          ArrayRef<AffineExpr>(to)})
      maps.push_back(AffineMap::get(loops, 0, exprs, builder.getContext()));
    return maps;
  }
};

/// One filter for each channel: the named convolution with the channels last,
/// which IREE vectorizes along the channels.
struct DepthwiseToChannelsLast
    : OpRewritePattern<linalg::DepthwiseConv2DNchwChwOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::DepthwiseConv2DNchwChwOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value start = getStart(rewriter, loc, op.getOutputs()[0]);
    Value input = toChannelsLast(rewriter, loc, op.getInputs()[0]);
    Value weights = op.getInputs()[1];
    weights = createTransposed(rewriter, loc, weights, {1, 2, 0})->getResult(0);
    Value result =
        linalg::DepthwiseConv2DNhwcHwcOp::create(
            rewriter, loc, start.getType(), ValueRange{input, weights}, start,
            op.getStridesAttr(), op.getDilationsAttr())
            .getResult(0);
    rewriter.replaceOp(op, toChannelsSecond(rewriter, loc, result));
    return success();
  }
};

} // namespace

void omb::kernels::populateConvolutionLayoutPatterns(
    RewritePatternSet &patterns) {
  patterns.add<ConvolutionToChannelsLast<linalg::Conv1DNcwFcwOp>,
               ConvolutionToChannelsLast<linalg::Conv2DNchwFchwOp>,
               ConvolutionToChannelsLast<linalg::Conv3DNcdhwFcdhwOp>,
               DepthwiseToChannelsLast>(patterns.getContext());
}
