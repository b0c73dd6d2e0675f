//===- RoiAlign.cpp - Lowering of RoiAlign --------------------------------===//
//
// Each element of the result samples its bin of its region: a loop of its own,
// as the number of points may depend on the size of the region.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Pooling.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Sampling.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;
using omb::Scalars;

namespace {

/// One dimension of a bin.
struct BinDim {
  /// Where it begins, and how far it reaches.
  Value start;
  Value size;
  /// How many points there are, as an index and as a number.
  Value count;
  Value countNumber;
  /// Those before `first` and from `end` on are outside of the input.
  Value first;
  Value end;
};

/// Computes elements of the result.
class RegionSampler {
public:
  RegionSampler(RoiAlignOp op, RoiAlignOp::Adaptor adaptor,
                ArrayRef<Value> input)
      : op(op), adaptor(adaptor), input(input), loc(op.getLoc()),
        elementType(
            cast<RankedTensorType>(adaptor.getX().getType()).getElementType()),
        computedType(omb::getAccumulatorType(elementType)),
        isMax(op.getMode() == "max") {
    if (isMax)
      combine = &Scalars::max;
  }

  /// The element of the result at region, channel, row and column.
  Value compute(OpBuilder &b, ValueRange at);

private:
  /// The bin at position `at` of `bins`, in dimension `dim` (1 for the rows),
  /// in which the input has `size` elements.
  BinDim getBin(Scalars &s, Value region, int64_t dim, Value at, int64_t bins,
                Value size);
  void setRange(Scalars &s, BinDim &bin, Value size);
  /// Where point `number` of a bin is.
  Value getPoint(Scalars &s, const BinDim &bin, Value number);
  /// What the maximum starts from: 0 where there are points that aren't
  /// visited.
  Value getLeast(Scalars &s, const BinDim &rows, const BinDim &columns);
  /// Combines `sum` with what is sampled at (y, x).
  Value addPoint(Scalars &s, ValueRange outer, ValueRange sizes, ValueRange yx,
                 Value sum);
  Value constant(Scalars &s, double number) {
    return s.constant(computedType, number);
  }

  RoiAlignOp op;
  RoiAlignOp::Adaptor adaptor;
  ArrayRef<Value> input;
  Location loc;
  Type elementType;
  Type computedType;
  bool isMax;
  omb::PointSampler::Combination combine = &Scalars::add;
};

} // namespace

BinDim RegionSampler::getBin(Scalars &s, Value region, int64_t dim, Value at,
                             int64_t bins, Value size) {
  bool isHalfPixel = op.getCoordinateTransformationMode() == "half_pixel";
  Value scale = constant(s, op.getSpatialScale());
  auto read = [&](int64_t column) {
    Value position = arith::ConstantIndexOp::create(s, column);
    Value number = s.widen(tensor::ExtractOp::create(
        s, adaptor.getRois(), ValueRange{region, position}));
    number = s.mul(number, scale);
    return isHalfPixel ? s.add(number, -0.5) : number;
  };
  Value begin = read(dim);
  Value extent = s.sub(read(2 + dim), begin);
  // Regions were at least one element large, before they could be shifted.
  if (!isHalfPixel)
    extent = s.max(extent, 1.0);
  BinDim bin;
  bin.size = s.div(extent, constant(s, bins));
  bin.start =
      s.add(begin, s.mul(omb::toCoordinate(s, at, computedType), bin.size));
  omb::IndexArithmetic index(s, loc);
  bin.count =
      op.getSamplingRatio() > 0
          ? index.constant(op.getSamplingRatio())
          : index.max(omb::toPosition(s, s.ceil(bin.size)), index.constant(0));
  bin.countNumber = omb::toCoordinate(s, bin.count, computedType);
  setRange(s, bin, size);
  return bin;
}

/// A region without bounds would have points without end: only those near the
/// input are visited. The others are 0.
void RegionSampler::setRange(Scalars &s, BinDim &bin, Value size) {
  omb::IndexArithmetic index(s, loc);
  Value zero = index.constant(0), one = index.constant(1);
  bin.first = zero;
  bin.end = bin.count;
  if (op.getSamplingRatio() > 0)
    return;
  Value step = s.div(bin.size, bin.countNumber);
  Value high = omb::toCoordinate(s, size, computedType);
  Value before = s.div(s.sub(constant(s, -1), bin.start), step);
  Value until = s.div(s.sub(high, bin.start), step);
  Value first = omb::toPosition(s, math::FloorOp::create(s, before));
  Value end = omb::toPosition(s, s.ceil(until));
  bin.first = index.clamp(index.sub(first, one), zero, bin.count);
  bin.end = index.clamp(index.add(end, one), bin.first, bin.count);
}

Value RegionSampler::getPoint(Scalars &s, const BinDim &bin, Value number) {
  Value steps = s.add(omb::toCoordinate(s, number, computedType), 0.5);
  return s.add(bin.start, s.div(s.mul(steps, bin.size), bin.countNumber));
}

Value RegionSampler::getLeast(Scalars &s, const BinDim &rows,
                              const BinDim &columns) {
  omb::IndexArithmetic index(s, loc);
  Value least = s.lowest(computedType);
  for (const BinDim &bin : {rows, columns}) {
    Value isWhole = index.isEqual(index.sub(bin.end, bin.first), bin.count);
    least = index.select(isWhole, least, constant(s, 0));
  }
  return least;
}

Value RegionSampler::addPoint(Scalars &s, ValueRange outer, ValueRange sizes,
                              ValueRange yx, Value sum) {
  omb::SamplingFilter filter;
  filter.mode = omb::SamplingFilter::Linear;
  omb::SamplingEdges edges;
  edges.padding = omb::SamplingEdges::Border;
  edges.alignCorners = true;
  omb::PointSampler sampler(
      adaptor.getX(), sizes, filter, edges,
      omb::SampledElements(elementType, /*rounds=*/false));
  Value isOn;
  SmallVector<Value> coordinates;
  for (auto [coordinate, size] : llvm::zip(yx, sizes)) {
    Value high = omb::toCoordinate(s, size, computedType);
    Value fits =
        arith::AndIOp::create(s, s.lessEqual(constant(s, -1), coordinate),
                              s.lessEqual(coordinate, high));
    isOn = isOn ? arith::AndIOp::create(s, isOn, fits).getResult() : fits;
    coordinates.push_back(omb::padCoordinate(s, edges, coordinate, size));
  }
  // The maximum is that of the weighted elements, as the standard has it.
  Value found = sampler.interpolate(s, outer, coordinates, combine);
  return (s.*combine)(sum, s.select(isOn, found, constant(s, 0)));
}

Value RegionSampler::compute(OpBuilder &b, ValueRange at) {
  Scalars s(b, loc, elementType);
  omb::IndexArithmetic index(s, loc);
  ValueRange sizes = ValueRange(input).drop_front(2);
  BinDim rows = getBin(s, at[0], 1, at[2], op.getOutputHeight(), input[2]);
  BinDim columns = getBin(s, at[0], 0, at[3], op.getOutputWidth(), input[3]);
  Value image = arith::IndexCastOp::create(
      s, s.getIndexType(),
      tensor::ExtractOp::create(s, adaptor.getBatchIndices(), at[0]));
  SmallVector<Value> outer = {index.inBounds(image, input[0]), at[1]};
  Value zero = index.constant(0), one = index.constant(1);
  auto loop = [&](OpBuilder &builder, const BinDim &bin, Value start,
                  function_ref<Value(OpBuilder &, Value, Value)> body) {
    return scf::ForOp::create(
               builder, loc, bin.first, bin.end, one, start,
               [&](OpBuilder &inner, Location, Value number, ValueRange sums) {
                 scf::YieldOp::create(inner, loc,
                                      body(inner, number, sums.front()));
               })
        .getResult(0);
  };
  Value start = isMax ? getLeast(s, rows, columns) : constant(s, 0);
  Value sum =
      loop(s, rows, start, [&](OpBuilder &outerLoop, Value row, Value sums) {
        Scalars so(outerLoop, loc, elementType);
        Value y = getPoint(so, rows, row);
        return loop(outerLoop, columns, sums,
                    [&](OpBuilder &innerLoop, Value column, Value inner) {
                      Scalars si(innerLoop, loc, elementType);
                      Value x = getPoint(si, columns, column);
                      return addPoint(si, outer, sizes, {y, x}, inner);
                    });
      });
  Value isEmpty =
      index.select(index.isEqual(rows.count, zero), index.isEqual(zero, zero),
                   index.isEqual(columns.count, zero));
  Value points = s.mul(rows.countNumber, columns.countNumber);
  Value result =
      isMax ? sum : s.div(sum, s.select(isEmpty, constant(s, 1), points));
  return s.narrow(s.select(isEmpty, constant(s, 0), result), elementType);
}

namespace {

struct RoiAlignToGeneric : OpConversionPattern<RoiAlignOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RoiAlignOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto getRank = [](Value value) -> int64_t {
      auto ranked = dyn_cast<RankedTensorType>(value.getType());
      return ranked ? ranked.getRank() : -1;
    };
    if (!type || getRank(adaptor.getX()) != 4 ||
        getRank(adaptor.getRois()) != 2 ||
        getRank(adaptor.getBatchIndices()) != 1)
      return rewriter.notifyMatchFailure(
          op, "the ranks of the operands aren't known, or aren't 4, 2 and 1");
    if (op.getOutputHeight() < 1 || op.getOutputWidth() < 1)
      return rewriter.notifyMatchFailure(
          op, "the height or width of the result isn't positive");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> input = index.sizes(adaptor.getX());
    Value regions = index.size(adaptor.getRois(), 0);
    SmallVector<Value> sizes = {regions, input[1],
                                index.constant(op.getOutputHeight()),
                                index.constant(op.getOutputWidth())};
    index.require(
        index.isEqual(regions, index.size(adaptor.getBatchIndices(), 0)),
        "RoiAlign has another number of batch indices than of regions");
    index.require(
        index.isEqual(index.size(adaptor.getRois(), 1), index.constant(4)),
        "the regions of RoiAlign don't have 4 numbers");
    for (int64_t dim : {0, 2, 3})
      omb::requireElements(index, input[dim], sizes,
                           "RoiAlign samples a dimension of size 0");
    if (llvm::is_contained(type.getShape(), 0) ||
        llvm::is_contained(
            cast<RankedTensorType>(adaptor.getX().getType()).getShape(), 0)) {
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    RegionSampler sampler(op, adaptor, input);
    rewriter.replaceOp(
        op, omb::buildFromIndices(rewriter, loc, type, sizes,
                                  [&](OpBuilder &b, Location, ValueRange at) {
                                    return sampler.compute(b, at);
                                  }));
    return success();
  }
};

} // namespace

void omb::populateRoiAlignToLinalgPatterns(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<RoiAlignToGeneric>(converter, patterns.getContext());
}
