//===- GridSample.cpp - Lowering of GridSample and AffineGrid -------------===//
//
// Where the points of a grid lie is computed once for all channels, into one
// tensor for each spatial dimension. The large op reads those.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Resize.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Sampling.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace omb::onnx;
using omb::PointSampler;
using omb::SampledElements;
using omb::SamplingEdges;
using omb::SamplingFilter;
using omb::Scalars;

//===----------------------------------------------------------------------===//
// GridSample
//===----------------------------------------------------------------------===//

static SamplingFilter getFilter(GridSampleOp op) {
  SamplingFilter filter;
  filter.mode = llvm::StringSwitch<SamplingFilter::Mode>(op.getMode())
                    .Case("linear", SamplingFilter::Linear)
                    .Case("cubic", SamplingFilter::Cubic)
                    .Default(SamplingFilter::Nearest);
  return filter;
}

static SamplingEdges getEdges(GridSampleOp op) {
  SamplingEdges edges;
  edges.padding =
      llvm::StringSwitch<SamplingEdges::Padding>(op.getPaddingMode())
          .Case("border", SamplingEdges::Border)
          .Case("reflection", SamplingEdges::Reflection)
          .Default(SamplingEdges::Zeros);
  edges.alignCorners = op.getAlignCorners() != 0;
  return edges;
}

/// A number of the grid, in which -1 and 1 are the ends of a dimension of
/// `size` elements, as a coordinate.
static Value denormalize(Scalars &s, Value number, Value size,
                         bool alignCorners) {
  Value length = omb::toCoordinate(s, size, number.getType());
  Value fromLow = s.add(number, 1);
  if (alignCorners)
    return s.mul(s.mul(fromLow, 0.5), s.add(length, -1));
  return s.mul(s.add(s.mul(fromLow, length), -1), 0.5);
}

namespace {

struct GridSampleToGeneric : OpConversionPattern<GridSampleOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GridSampleOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    auto grid = dyn_cast<RankedTensorType>(adaptor.getGrid().getType());
    if (!type || !input || !grid)
      return rewriter.notifyMatchFailure(
          op, "the rank of the input or of the grid isn't known");
    if (input.getRank() < 3 || grid.getRank() != input.getRank())
      return rewriter.notifyMatchFailure(
          op, "the ranks of the input and the grid don't fit");
    SamplingFilter filter = getFilter(op);
    if (isa<ComplexType>(input.getElementType()) &&
        filter.mode != SamplingFilter::Nearest)
      return rewriter.notifyMatchFailure(
          op, "complex numbers can only be sampled by 'nearest'");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> from = index.sizes(adaptor.getX());
    SmallVector<Value> sizes = {from[0], from[1]};
    SmallVector<Value> gridSizes = index.sizes(adaptor.getGrid());
    llvm::append_range(sizes, ValueRange(gridSizes).drop_front().drop_back());
    ValueRange spatial = ValueRange(from).drop_front(2);
    checkSizes(index, from, gridSizes, sizes);
    if (llvm::is_contained(type.getShape(), 0) ||
        llvm::is_contained(input.getShape(), 0)) {
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    SmallVector<Value> coordinates =
        buildCoordinates(rewriter, op, adaptor.getGrid(), gridSizes, spatial);
    rewriter.replaceOp(op, samplePoints(rewriter, op, adaptor.getX(), spatial,
                                        coordinates, type, sizes));
    return success();
  }

  static void checkSizes(omb::IndexArithmetic index, ValueRange from,
                         ValueRange gridSizes, ValueRange sizes) {
    index.require(index.isEqual(from.front(), gridSizes.front()),
                  "the input and the grid of GridSample differ in batch size");
    index.require(
        index.isEqual(gridSizes.back(), index.constant(from.size() - 2)),
        "the grid of GridSample has points of another number of dimensions");
    for (Value size : from.drop_front(2))
      omb::requireElements(index, size, sizes,
                           "GridSample samples a dimension of size 0");
  }

  /// The coordinates of all points in each spatial dimension.
  static SmallVector<Value> buildCoordinates(OpBuilder &builder,
                                             GridSampleOp op, Value grid,
                                             ArrayRef<Value> gridSizes,
                                             ValueRange spatial) {
    auto gridType = cast<RankedTensorType>(grid.getType());
    auto type = RankedTensorType::get(
        gridType.getShape().drop_back(),
        omb::getAccumulatorType(gridType.getElementType()));
    int64_t rank = spatial.size();
    SamplingFilter filter = getFilter(op);
    SamplingEdges edges = getEdges(op);
    SmallVector<Value> coordinates;
    for (int64_t dim = 0; dim < rank; ++dim)
      coordinates.push_back(omb::buildFromIndices(
          builder, op.getLoc(), type, gridSizes.drop_back(),
          [&](OpBuilder &b, Location loc, ValueRange at) -> Value {
            Scalars s(b, loc, type.getElementType());
            SmallVector<Value> position(at);
            // The innermost dimension comes first.
            position.push_back(
                arith::ConstantIndexOp::create(b, loc, rank - 1 - dim));
            Value number =
                s.widen(tensor::ExtractOp::create(b, loc, grid, position));
            Value coordinate =
                denormalize(s, number, spatial[dim], edges.alignCorners);
            // Those are rounded first.
            if (filter.mode == SamplingFilter::Nearest)
              return coordinate;
            return omb::padCoordinate(s, edges, coordinate, spatial[dim]);
          }));
    return coordinates;
  }

  static Value samplePoints(OpBuilder &builder, GridSampleOp op, Value x,
                            ValueRange spatial, ValueRange coordinates,
                            RankedTensorType type, ValueRange sizes) {
    Location loc = op.getLoc();
    int64_t rank = type.getRank();
    SamplingFilter filter = getFilter(op);
    SampledElements elements(type.getElementType(), /*rounds=*/false);
    PointSampler sampler(x, spatial, filter, getEdges(op), elements);
    SmallVector<AffineExpr> point = {builder.getAffineDimExpr(0)};
    for (int64_t dim = 2; dim < rank; ++dim)
      point.push_back(builder.getAffineDimExpr(dim));
    SmallVector<AffineMap> maps(
        coordinates.size(),
        AffineMap::get(rank, 0, point, builder.getContext()));
    maps.push_back(builder.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    Value init = omb::createEmpty(builder, loc, type, sizes);
    Type onnxType = getElementTypeOrSelf(op.getX().getType());
    return linalg::GenericOp::create(
               builder, loc, type, coordinates, init, maps, iterators,
               [&](OpBuilder &b, Location, ValueRange arguments) {
                 Scalars s(b, loc, onnxType);
                 SmallVector<Value> outer = {
                     linalg::IndexOp::create(b, loc, 0),
                     linalg::IndexOp::create(b, loc, 1)};
                 ValueRange at = arguments.drop_back();
                 Value found = filter.mode == SamplingFilter::Nearest
                                   ? sampler.pickNearest(s, outer, at)
                                   : elements.fromComputed(
                                         s, sampler.interpolate(s, outer, at));
                 linalg::YieldOp::create(b, loc, found);
               })
        .getResult(0);
  }
};

//===----------------------------------------------------------------------===//
// AffineGrid
//===----------------------------------------------------------------------===//

struct AffineGridToGeneric : OpConversionPattern<AffineGridOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(AffineGridOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto theta = dyn_cast<RankedTensorType>(adaptor.getTheta().getType());
    if (!type || !theta)
      return rewriter.notifyMatchFailure(
          op, "the number of sizes, or the rank of theta, isn't known");
    int64_t rank = type.getRank() - 2;
    if ((rank != 2 && rank != 3) || theta.getRank() != 3)
      return rewriter.notifyMatchFailure(
          op,
          "theta and the sizes aren't those of a grid in 2 or 3 dimensions");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> from = index.sizes(adaptor.getTheta());
    index.require(index.isEqual(from[0], index.element(adaptor.getSize(), 0)),
                  "theta and the sizes of AffineGrid differ in batch size");
    index.require(index.isEqual(from[1], index.constant(rank)),
                  "theta of AffineGrid has another number of rows");
    index.require(index.isEqual(from[2], index.constant(rank + 1)),
                  "theta of AffineGrid has another number of columns");
    SmallVector<Value> sizes = {from[0]};
    for (int64_t dim = 0; dim < rank; ++dim) {
      sizes.push_back(index.element(adaptor.getSize(), 2 + dim));
      index.require(index.isLess(index.constant(-1), sizes.back()),
                    "a size of AffineGrid is negative");
    }
    sizes.push_back(index.constant(rank));
    rewriter.replaceOp(
        op, buildGrid(rewriter, op, adaptor.getTheta(), sizes, type));
    return success();
  }

  /// The product of a row of `theta` and the point itself.
  static Value buildGrid(OpBuilder &builder, AffineGridOp op, Value theta,
                         ArrayRef<Value> sizes, RankedTensorType type) {
    int64_t rank = type.getRank() - 2;
    return omb::buildFromIndices(
        builder, op.getLoc(), type, sizes,
        [&](OpBuilder &b, Location loc, ValueRange at) -> Value {
          Scalars s(b, loc, type.getElementType());
          auto read = [&](int64_t column) {
            Value where = arith::ConstantIndexOp::create(b, loc, column);
            return s.widen(tensor::ExtractOp::create(
                b, loc, theta, ValueRange{at.front(), at.back(), where}));
          };
          Value sum = read(rank);
          for (int64_t dim = 0; dim < rank; ++dim) {
            // The innermost dimension comes first.
            int64_t from = rank - dim;
            Value number = normalize(s, at[from], sizes[from], sum.getType(),
                                     op.getAlignCorners() != 0);
            sum = s.add(sum, s.mul(read(dim), number));
          }
          return s.narrow(sum, type.getElementType());
        });
  }

  /// Where element `position` of `size` lies between -1 and 1.
  static Value normalize(Scalars &s, Value position, Value size, Type type,
                         bool alignCorners) {
    Value number = omb::toCoordinate(s, position, type);
    Value length = omb::toCoordinate(s, size, type);
    Value two = s.constant(type, 2);
    if (!alignCorners)
      return s.add(s.mul(s.add(number, 0.5), s.div(two, length)), -1);
    // A single element is the first one.
    Value intervals = s.max(s.add(length, -1), 1);
    return s.add(s.mul(number, s.div(two, intervals)), -1);
  }
};

} // namespace

void omb::populateGridSampleToLinalgPatterns(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<AffineGridToGeneric, GridSampleToGeneric>(converter,
                                                         patterns.getContext());
}
