//===- SparseConvolution.cpp - Convolutions with sparse filters -----------===//

#include "lowering/sparse/SparseConvolution.h"

#include "dialect/transforms/SparseConstants.h"
#include "lowering/sparse/SparseWeights.h"
#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/ChannelsLast.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace omb;
using namespace omb::kernels;

//===----------------------------------------------------------------------===//
// Which convolutions
//===----------------------------------------------------------------------===//

bool SparseConvolution::isConvolution(linalg::LinalgOp op) {
  return isa<linalg::Conv1DNcwFcwOp, linalg::Conv2DNchwFchwOp,
             linalg::Conv3DNcdhwFcdhwOp>(op);
}

Value SparseConvolution::getImages() const {
  auto convolution = op;
  return convolution.getDpsInputs()[0];
}

bool SparseConvolution::isPointwise() const {
  auto isOne = [](int64_t number) { return number == 1; };
  return llvm::all_of(getFiltersType().getShape().drop_front(2), isOne) &&
         llvm::all_of(strides, isOne);
}

StringRef SparseConvolution::getObstacle() const {
  auto type = cast<RankedTensorType>(filters.getType());
  auto images = cast<RankedTensorType>(getImages().getType());
  auto convolution = op;
  auto result = cast<RankedTensorType>(convolution->getResult(0).getType());
  MLIRContext *context = type.getContext();
  if (!type.getElementType().isF32() || !images.getElementType().isF32() ||
      !result.getElementType().isF32())
    return "isn't of f32";
  if (hasBlocks()
          ? !isPointwise() || type.getDimSize(0) % onnx::kBlockChannels != 0
          : type.getEncoding() !=
                onnx::getFilterEncoding(context, type.getRank()))
    return "has weights in a format without a kernel";
  if (images.isDynamicDim(1) || result.isDynamicDim(1))
    return "has an unknown number of channels";
  if (type.getNumElements() == 0 || llvm::is_contained(images.getShape(), 0) ||
      llvm::is_contained(result.getShape(), 0))
    return "has empty images or weights";
  if (!isPointwise() &&
      ShapedType::isDynamicShape(images.getShape().drop_front(2)))
    return "has images of unknown size";
  return "";
}

/// What the sums of each feature start at; null where it is something else.
static Value getBias(Value start) {
  auto bias = start.getDefiningOp<linalg::BroadcastOp>();
  bool isOfFeatures =
      bias &&
      cast<RankedTensorType>(bias.getInput().getType()).getRank() == 1 &&
      !llvm::is_contained(bias.getDimensions(), 1);
  return isOfFeatures ? bias.getInput() : Value();
}

FailureOr<SparseConvolution>
SparseConvolution::match(linalg::LinalgOp op,
                         function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  if (!isConvolution(op))
    return fail("isn't a convolution of images with the channels second");
  SparseConvolution found;
  found.op = op;
  found.filters = getSparseElements(op.getDpsInputs()[1]);
  if (!found.filters)
    return fail("has no sparse constant as its weights");
  Value start = op.getDpsInits()[0];
  found.bias = getBias(start);
  if (!found.bias && !isZeroFill(start))
    return fail("doesn't start at zero or at a bias");
  llvm::TypeSwitch<Operation *>(op.getOperation())
      .Case<linalg::Conv1DNcwFcwOp, linalg::Conv2DNchwFchwOp,
            linalg::Conv3DNcdhwFcdhwOp>([&](auto convolution) {
        found.strides = llvm::to_vector(
            convolution.getStrides().template getValues<int64_t>());
        found.dilations = llvm::to_vector(
            convolution.getDilations().template getValues<int64_t>());
      });
  if (StringRef obstacle = found.getObstacle(); !obstacle.empty())
    return fail(obstacle);
  return found;
}

bool SparseConvolution::hasBlocks() const {
  auto type = cast<RankedTensorType>(filters.getType());
  return type.getEncoding() ==
         onnx::getFilterBlockEncoding(type.getContext(), type.getRank());
}

SparseElementsAttr SparseConvolution::getMatrix(
    int64_t inner, sparse_tensor::SparseTensorEncodingAttr encoding,
    function_ref<int64_t(ArrayRef<int64_t>)> getRow) const {
  SparseElementsAttr stored = filters;
  auto type = cast<RankedTensorType>(stored.getType());
  auto matrix = RankedTensorType::get({inner, type.getDimSize(0)},
                                      type.getElementType(), encoding);
  int64_t count = stored.getValues().getNumElements();
  SmallVector<int64_t> places, at(type.getRank());
  places.reserve(2 * count);
  auto next = stored.getIndices().value_begin<uint64_t>();
  for (int64_t number = 0; number < count; ++number) {
    for (int64_t &index : at)
      index = *next++;
    places.append({getRow(ArrayRef(at).drop_front()), at.front()});
  }
  return onnx::createSparseElements(matrix, places, stored.getValues());
}

SparseElementsAttr SparseConvolution::getPointMatrix() const {
  SparseElementsAttr stored = filters;
  MLIRContext *context = stored.getContext();
  return getMatrix(getFiltersType().getDimSize(1),
                   hasBlocks() ? onnx::getBlockEncoding(context)
                               : onnx::getChannelEncoding(context),
                   [](ArrayRef<int64_t> at) { return at.front(); });
}

//===----------------------------------------------------------------------===//
// What both forms share
//===----------------------------------------------------------------------===//

namespace {

/// Writes what computes a convolution.
class ConvolutionBuilder {
public:
  ConvolutionBuilder(PatternRewriter &builder,
                     const SparseConvolution &convolution)
      : builder(builder), loc(convolution.op->getLoc()),
        convolution(convolution) {}
  virtual ~ConvolutionBuilder() = default;

  /// The result, with the channels second.
  Value build() {
    Value sum = buildSum();
    if (convolution.bias)
      sum = addBias(sum);
    Value result = toChannelsSecond(builder, loc, sum);
    Type type = convolution.op->getResult(0).getType();
    if (result.getType() != type)
      result = tensor::CastOp::create(builder, loc, type, result);
    return result;
  }

protected:
  /// The sums of products, with the channels last.
  virtual Value buildSum() = 0;

  /// A tensor of zeros.
  Value createZeros(ArrayRef<OpFoldResult> sizes) {
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0.0f));
    Value empty =
        tensor::EmptyOp::create(builder, loc, sizes, builder.getF32Type());
    return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  }

  Value addBias(Value sum) {
    auto type = cast<RankedTensorType>(sum.getType());
    int64_t rank = type.getRank();
    AffineMap identity = builder.getMultiDimIdentityMap(rank);
    AffineMap ofFeatures = AffineMap::get(
        rank, 0, builder.getAffineDimExpr(rank - 1), builder.getContext());
    Value out = tensor::EmptyOp::create(
        builder, loc, tensor::getMixedSizes(builder, loc, sum),
        type.getElementType());
    return linalg::GenericOp::create(
               builder, loc, type, ValueRange{sum, convolution.bias}, out,
               {identity, ofFeatures, identity},
               SmallVector<utils::IteratorType>(rank,
                                                utils::IteratorType::parallel),
               [](OpBuilder &inner, Location at, ValueRange args) {
                 Value added =
                     arith::AddFOp::create(inner, at, args[0], args[1]);
                 linalg::YieldOp::create(inner, at, added);
               })
        .getResult(0);
  }

  /// The sizes that are known of either the images or the result, where they
  /// are the same.
  RankedTensorType joinTypes(RankedTensorType images, int64_t dims) {
    auto result =
        cast<RankedTensorType>(convolution.op->getResult(0).getType());
    SmallVector<int64_t> shape(images.getShape());
    for (int64_t dim = 0; dim < dims; ++dim)
      if (dim != 1 && images.isDynamicDim(dim))
        shape[dim] = result.getDimSize(dim);
    return images.clone(shape);
  }

  Value castTo(Value value, RankedTensorType type) {
    return value.getType() == type
               ? value
               : tensor::CastOp::create(builder, loc, type, value).getResult();
  }

  PatternRewriter &builder;
  Location loc;
  const SparseConvolution &convolution;
};

//===----------------------------------------------------------------------===//
// Of one position
//===----------------------------------------------------------------------===//

/// Positions are rows of a product of matrices.
class PointwiseBuilder : public ConvolutionBuilder {
public:
  using ConvolutionBuilder::ConvolutionBuilder;

private:
  Value buildSum() override {
    Value images = convolution.getImages();
    auto type = cast<RankedTensorType>(images.getType());
    int64_t rank = type.getRank();
    images = castTo(images, joinTypes(type, rank));
    images = toChannelsLast(builder, loc, images);
    SmallVector<ReassociationIndices> dims{
        llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1)), {rank - 1}};
    Value rows = tensor::CollapseShapeOp::create(builder, loc, images, dims);
    int64_t features = convolution.getFiltersType().getDimSize(0);
    Value weights =
        arith::ConstantOp::create(builder, loc, convolution.getPointMatrix());
    Value zeros = createZeros({tensor::getMixedSize(builder, loc, rows, 0),
                               builder.getIndexAttr(features)});
    Value sums =
        linalg::MatmulOp::create(builder, loc, ValueRange{rows, weights}, zeros)
            .getResult(0);
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, loc, images);
    sizes.back() = builder.getIndexAttr(features);
    SmallVector<int64_t> shape(
        cast<RankedTensorType>(images.getType()).getShape());
    shape.back() = features;
    return tensor::ExpandShapeOp::create(builder, loc, type.clone(shape), sums,
                                         dims, sizes);
  }
};

//===----------------------------------------------------------------------===//
// Of windows
//===----------------------------------------------------------------------===//

/// How images are read along a spatial dimension. What is `stride` positions
/// apart is next to each other: position i * stride + a, counted from `low`
/// before the first one, is the i-th of `count` of phase a.
struct WindowDim {
  int64_t size, low, stride, dilation, taps;
  /// The windows.
  int64_t outputs;
  int64_t phases, count;

  /// Of an image that is padded by `low` and `high`.
  WindowDim(int64_t size, int64_t low, int64_t high, int64_t stride,
            int64_t dilation, int64_t taps)
      : size(size), low(low), stride(stride), dilation(dilation), taps(taps) {
    int64_t extent = (taps - 1) * dilation;
    outputs = (low + size + high - extent - 1) / stride + 1;
    count = outputs + extent / stride;
    phases = 1;
    for (int64_t tap = 0; tap < taps; ++tap)
      phases = std::max(phases, tap * dilation % stride + 1);
  }

  /// The padding after the last position.
  int64_t getHigh() const {
    return std::max<int64_t>((count - 1) * stride + phases - low - size, 0);
  }
};

/// The part of the first cache that the elements of a tile may fill, beside its
/// sums.
constexpr int64_t kChunkBytes = 24 << 10;

/// The elements of an image of a channel and a phase are in one row, a plane;
/// from a window's first element on, an element of each filter is in the same
/// place of the image.
class WindowsBuilder : public ConvolutionBuilder {
public:
  WindowsBuilder(PatternRewriter &builder, const SparseConvolution &convolution,
                 int64_t tileRows, FloatType narrow)
      : ConvolutionBuilder(builder, convolution), tileRows(tileRows),
        narrow(narrow) {
    source = convolution.getImages();
    SmallVector<int64_t> low(convolution.strides.size(), 0), high(low);
    takePadding(low, high);
    auto type = cast<RankedTensorType>(source.getType());
    ArrayRef<int64_t> filters = convolution.getFiltersType().getShape();
    for (size_t dim = 0; dim < low.size(); ++dim)
      dims.emplace_back(type.getDimSize(dim + 2), low[dim], high[dim],
                        convolution.strides[dim], convolution.dilations[dim],
                        filters[dim + 2]);
    for (const WindowDim &dim : dims) {
      phases *= dim.phases;
      plane *= dim.count;
    }
    steps.resize(dims.size());
    int64_t step = 1, last = 0;
    for (size_t dim = dims.size(); dim-- > 0;) {
      steps[dim] = step;
      last += (dims[dim].outputs - 1) * step;
      step *= dims[dim].count;
    }
    elements = filters[1] * phases * plane;
    inner = elements - last;
  }

  /// Whether elements are counted in 32 bits.
  bool fits() const {
    return elements + tileRows <= std::numeric_limits<int32_t>::max();
  }

private:
  /// Reads the images before they are padded with zeros.
  void takePadding(SmallVector<int64_t> &low, SmallVector<int64_t> &high) {
    auto pad = source.getDefiningOp<tensor::PadOp>();
    Value value = pad ? pad.getConstantPaddingValue() : Value();
    if (!value || !matchPattern(value, m_AnyZeroFloat()) ||
        ShapedType::isDynamicShape(pad.getStaticLow()) ||
        ShapedType::isDynamicShape(pad.getStaticHigh()) ||
        ShapedType::isDynamicShape(pad.getSourceType().getShape().drop_front()))
      return;
    ArrayRef<int64_t> before = pad.getStaticLow(), after = pad.getStaticHigh();
    auto isZero = [](int64_t number) { return number == 0; };
    if (!llvm::all_of(before.take_front(2), isZero) ||
        !llvm::all_of(after.take_front(2), isZero))
      return;
    source = pad.getSource();
    low.assign(before.begin() + 2, before.end());
    high.assign(after.begin() + 2, after.end());
  }

  Value buildSum() override {
    auto type = cast<RankedTensorType>(source.getType());
    source = castTo(source, joinTypes(type, /*dims=*/1));
    Value images = createPlanes(pad(toChannelsLast(builder, loc, source)));
    SparseElementsAttr matrix = convolution.getMatrix(
        inner, getChunkEncoding(builder.getContext(), getChunk()),
        [&](ArrayRef<int64_t> at) { return getPlace(at); });
    FailureOr<SparseWeights> weights = SparseWeights::get(matrix);
    weights->chooseStorage(narrow);
    return multiply(
        images, weights->assemble(builder, loc,
                                  cast<RankedTensorType>(matrix.getType())));
  }

  /// The elements of as many channels as have what a tile reads in the first
  /// cache.
  int64_t getChunk() const {
    constexpr int64_t elementBytes = 4, lineBytes = 64;
    int64_t reach = tileRows;
    for (auto [dim, step] : llvm::zip(dims, steps))
      reach += (dim.count - dim.outputs) * step;
    int64_t bytes = phases * (reach * elementBytes + lineBytes);
    int64_t channels = convolution.getFiltersType().getDimSize(1);
    int64_t chunks = llvm::divideCeil(channels * bytes, kChunkBytes);
    return llvm::divideCeil(channels, std::min(chunks, channels)) * phases *
           plane;
  }

  /// Where an element of a filter is multiplied, from the start of a window on.
  int64_t getPlace(ArrayRef<int64_t> at) const {
    int64_t phase = 0, inPlane = 0;
    for (auto [dim, step, tap] : llvm::zip(dims, steps, at.drop_front())) {
      phase = phase * dim.phases + tap * dim.dilation % dim.stride;
      inPlane += tap * dim.dilation / dim.stride * step;
    }
    return (at.front() * phases + phase) * plane + inPlane;
  }

  Value pad(Value images) {
    SmallVector<OpFoldResult> low{builder.getIndexAttr(0)}, high(low);
    for (const WindowDim &dim : dims) {
      low.push_back(builder.getIndexAttr(dim.low));
      high.push_back(builder.getIndexAttr(dim.getHigh()));
    }
    low.push_back(builder.getIndexAttr(0));
    high.push_back(builder.getIndexAttr(0));
    if (llvm::all_of(llvm::concat<OpFoldResult>(low, high),
                     [](auto size) { return isConstantIntValue(size, 0); }))
      return images;
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0.0f));
    return tensor::PadOp::create(builder, loc, Type(), images, low, high, zero);
  }

  /// The planes of each image, one after the other. What is behind them is
  /// anything: a kernel reads whole tiles.
  Value createPlanes(Value images) {
    auto type = cast<RankedTensorType>(images.getType());
    unsigned rank = dims.size();
    // Loops: batch, channel, phases, positions.
    auto getLoop = [&](unsigned loop) {
      return builder.getAffineDimExpr(loop);
    };
    SmallVector<AffineExpr> from{getLoop(0)};
    SmallVector<OpFoldResult> sizes{
        tensor::getMixedSize(builder, loc, images, 0),
        builder.getIndexAttr(type.getShape().back())};
    for (unsigned dim = 0; dim < rank; ++dim) {
      from.push_back(getLoop(2 + rank + dim) * dims[dim].stride +
                     getLoop(2 + dim));
      sizes.push_back(builder.getIndexAttr(dims[dim].phases));
    }
    from.push_back(getLoop(1));
    for (const WindowDim &dim : dims)
      sizes.push_back(builder.getIndexAttr(dim.count));
    unsigned loops = sizes.size();
    Value empty =
        tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
    Value planes = linalg::GenericOp::create(
                       builder, loc, empty.getType(), images, empty,
                       {AffineMap::get(loops, 0, from, builder.getContext()),
                        builder.getMultiDimIdentityMap(loops)},
                       SmallVector<utils::IteratorType>(
                           loops, utils::IteratorType::parallel),
                       [](OpBuilder &b, Location at, ValueRange args) {
                         linalg::YieldOp::create(b, at, args[0]);
                       })
                       .getResult(0);
    SmallVector<ReassociationIndices> joined{
        {0}, llvm::to_vector<2>(llvm::seq<int64_t>(1, loops))};
    Value rows = tensor::CollapseShapeOp::create(builder, loc, planes, joined);
    Value whole = tensor::EmptyOp::create(
        builder, loc, {sizes[0], builder.getIndexAttr(elements + tileRows)},
        type.getElementType());
    SmallVector<OpFoldResult> offsets(2, builder.getIndexAttr(0)),
        ones(2, builder.getIndexAttr(1)),
        part{sizes[0], builder.getIndexAttr(elements)};
    return tensor::InsertSliceOp::create(builder, loc, rows, whole, offsets,
                                         part, ones);
  }

  /// out[n, p..., f] += images[n, steps * p + k] * weights[k, f]
  Value multiply(Value images, Value weights) {
    unsigned rank = dims.size(), loops = rank + 3;
    SmallVector<AffineExpr> at;
    for (unsigned loop = 0; loop < loops; ++loop)
      at.push_back(builder.getAffineDimExpr(loop));
    AffineExpr place = at.back();
    SmallVector<OpFoldResult> sizes{
        tensor::getMixedSize(builder, loc, images, 0)};
    for (unsigned dim = rank; dim-- > 0;)
      place = at[1 + dim] * steps[dim] + place;
    for (const WindowDim &dim : dims)
      sizes.push_back(builder.getIndexAttr(dim.outputs));
    sizes.push_back(
        builder.getIndexAttr(convolution.getFiltersType().getDimSize(0)));
    Value zeros = createZeros(sizes);
    AffineExpr feature = at[rank + 1], k = at[rank + 2];
    SmallVector<utils::IteratorType> kinds(loops,
                                           utils::IteratorType::parallel);
    kinds.back() = utils::IteratorType::reduction;
    SmallVector<AffineExpr> result = llvm::to_vector(ArrayRef(at).drop_back());
    auto maps = AffineMap::inferFromExprList(
        {{at[0], place}, {k, feature}, ArrayRef<AffineExpr>(result)},
        builder.getContext());
    return linalg::GenericOp::create(builder, loc, zeros.getType(),
                                     ValueRange{images, weights}, zeros, maps,
                                     kinds, buildMultiplyAdd)
        .getResult(0);
  }

  int64_t tileRows;
  FloatType narrow;
  Value source;
  SmallVector<WindowDim> dims;
  /// How far the next position of each dimension is in a plane.
  SmallVector<int64_t> steps;
  int64_t phases = 1, plane = 1;
  /// Those of an image, and the places that a window's elements may have.
  int64_t elements, inner;
};

struct ConvolutionToProduct : OpInterfaceRewritePattern<linalg::LinalgOp> {
  ConvolutionToProduct(MLIRContext *context, int64_t tileRows, FloatType narrow)
      : OpInterfaceRewritePattern(context), tileRows(tileRows), narrow(narrow) {
  }

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SparseConvolution> found =
        SparseConvolution::match(op, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(found))
      return failure();
    if (found->isPointwise()) {
      rewriter.replaceOp(op, PointwiseBuilder(rewriter, *found).build());
      return success();
    }
    WindowsBuilder builder(rewriter, *found, tileRows, narrow);
    if (!builder.fits())
      return rewriter.notifyMatchFailure(op, "has images that are too large");
    rewriter.replaceOp(op, builder.build());
    return success();
  }

  int64_t tileRows;
  FloatType narrow;
};

} // namespace

void omb::populateSparseConvolutionPatterns(RewritePatternSet &patterns,
                                            int64_t tileRows,
                                            FloatType narrow) {
  patterns.add<ConvolutionToProduct>(patterns.getContext(), tileRows, narrow);
}
