//===- TopK.cpp - Lowering of TopK ----------------------------------------===//

#include "dialect/ir/ops/Indexing.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Marks.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Reshape.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/Sorting.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// Finds the first places along a dimension in the order of their elements.
/// Equal ones stay in order.
class TopPlaces {
public:
  /// Up to so many elements are sorted by comparing all pairs: vectors of
  /// comparisons, where merging goes number by number.
  static constexpr int64_t kRun = 32;

  TopPlaces(OpBuilder &builder, Location loc, Value data, int64_t axis,
            bool isLargest, Type onnxType)
      : builder(builder), loc(loc), data(data), axis(axis),
        isLargest(isLargest), onnxType(onnxType) {}

  /// The first places as i32: `limit` of them, or all where the size isn't
  /// known.
  Value find(int64_t limit);

private:
  using Shape = SmallVector<int64_t>;
  /// Sorted runs of places, in two dimensions instead of `axis`. What the last
  /// one has after `lastLength` means nothing.
  struct Runs {
    Value places;
    int64_t count;
    int64_t length;
    int64_t lastLength;
  };

  /// Whether the element `lhs` comes before `rhs`, which it doesn't equal.
  Value isBefore(omb::Scalars &s, Value lhs, Value rhs) const {
    lhs = s.widen(lhs);
    rhs = s.widen(rhs);
    return isLargest ? omb::isNumberBefore(s, rhs, lhs)
                     : omb::isNumberBefore(s, lhs, rhs);
  }
  /// The same of elements of `data` at two places, where the other dimensions
  /// are at `at`, which has two for `axis`.
  Value isPlaceBefore(OpBuilder &b, ValueRange at, Value lhs, Value rhs) const;
  Value sortAll();
  /// An element that none comes after.
  Value createLast() const;
  /// Pads `data` with what comes last.
  void padTo(int64_t size);
  /// The shape of `data` with `numRuns` runs of `length` instead of `axis`.
  Shape getShape(int64_t numRuns, int64_t length) const;
  RankedTensorType getPlacesType(ArrayRef<int64_t> shape) const {
    return RankedTensorType::get(shape, builder.getI32Type());
  }
  SmallVector<Value> getSizes(ArrayRef<int64_t> shape) const;
  /// For each element of runs, how many of its run come before it.
  Value rankInRuns(Value runs) const;
  /// For each rank below `length`, the place that has it: a sum with one term.
  Value findRanks(Value ranks, int64_t length) const;
  /// Merges pairs of runs, and keeps the first `limit` places of each.
  Runs mergePairs(const Runs &runs, int64_t limit) const;

  OpBuilder &builder;
  Location loc;
  Value data;
  int64_t axis;
  bool isLargest;
  Type onnxType;
};

} // namespace

TopPlaces::Shape TopPlaces::getShape(int64_t numRuns, int64_t length) const {
  Shape shape(cast<RankedTensorType>(data.getType()).getShape());
  shape[axis] = numRuns;
  shape.insert(shape.begin() + axis + 1, length);
  return shape;
}

SmallVector<Value> TopPlaces::getSizes(ArrayRef<int64_t> shape) const {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes;
  for (auto [dim, size] : llvm::enumerate(shape))
    sizes.push_back(
        ShapedType::isDynamic(size)
            ? index.size(data, static_cast<int64_t>(dim) > axis ? dim - 1 : dim)
            : index.constant(size));
  return sizes;
}

Value TopPlaces::find(int64_t limit) {
  auto type = cast<RankedTensorType>(data.getType());
  int64_t size = type.getDimSize(axis);
  if (ShapedType::isDynamic(size))
    return sortAll();
  int64_t length = std::min(size, kRun);
  int64_t count = llvm::divideCeil(size, length);
  padTo(count * length);
  SmallVector<ReassociationIndices> groups =
      omb::getSplitGroups(type.getRank(), axis);
  Shape shape = getShape(count, length);
  Value split = tensor::ExpandShapeOp::create(
      builder, loc, type.clone(shape), data, groups,
      omb::IndexArithmetic(builder, loc).mixed(getSizes(shape)));
  Runs runs{findRanks(rankInRuns(split), std::min(length, limit)), count,
            std::min(length, limit),
            std::min(size - (count - 1) * length, limit)};
  while (runs.count > 1)
    runs = mergePairs(runs, limit);
  return tensor::CollapseShapeOp::create(builder, loc, runs.places, groups);
}

Value TopPlaces::sortAll() {
  omb::IndexArithmetic index(builder, loc);
  ArrayRef<int64_t> shape = cast<RankedTensorType>(data.getType()).getShape();
  return omb::buildSortedPlaces(
      builder, loc, getPlacesType(shape), index.sizes(data), axis,
      [&](OpBuilder &b, Location, ValueRange at, Value lhs, Value rhs) {
        SmallVector<Value> position(at);
        position.insert(position.begin() + axis, at[axis]);
        return isPlaceBefore(b, position, lhs, rhs);
      });
}

Value TopPlaces::createLast() const {
  omb::Scalars s(builder, loc, onnxType);
  Type type = getElementTypeOrSelf(data.getType());
  if (isLargest)
    return s.lowest(type);
  auto floatType = dyn_cast<FloatType>(type);
  if (!floatType)
    return s.highest(type);
  APFloat nan = APFloat::getNaN(floatType.getFloatSemantics());
  return arith::ConstantOp::create(s, s.getFloatAttr(floatType, nan));
}

void TopPlaces::padTo(int64_t size) {
  auto type = cast<RankedTensorType>(data.getType());
  if (type.getDimSize(axis) == size)
    return;
  SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> high(low);
  high[axis] = builder.getIndexAttr(size - type.getDimSize(axis));
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = size;
  data = tensor::PadOp::create(builder, loc, type.clone(shape), data, low, high,
                               createLast());
}

Value TopPlaces::rankInRuns(Value runs) const {
  auto type = cast<RankedTensorType>(runs.getType());
  int64_t rank = type.getRank();
  SmallVector<int64_t> own = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  SmallVector<int64_t> other(own);
  other[axis + 1] = rank;
  return omb::buildSum(
      builder, loc, getPlacesType(type.getShape()), getSizes(type.getShape()),
      {runs, runs}, {own, other},
      [&](OpBuilder &b, ValueRange elements, ValueRange at) -> Value {
        omb::Scalars s(b, loc, onnxType);
        Value mine = elements[0], theirs = elements[1];
        Value isEarlier =
            omb::IndexArithmetic(b, loc).isLess(at[rank], at[axis + 1]);
        Value comesBefore =
            s.select(isBefore(s, mine, theirs), s.constant(s.getI1Type(), 0),
                     s.select(isBefore(s, theirs, mine),
                              s.constant(s.getI1Type(), 1), isEarlier));
        return arith::ExtUIOp::create(s, s.getI32Type(), comesBefore);
      });
}

Value TopPlaces::findRanks(Value ranks, int64_t length) const {
  auto type = cast<RankedTensorType>(ranks.getType());
  int64_t rank = type.getRank(), run = type.getDimSize(axis + 1);
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  dims[axis + 1] = rank;
  Shape shape = getShape(type.getDimSize(axis), length);
  return omb::buildSum(
      builder, loc, getPlacesType(shape), getSizes(shape), ranks, {dims},
      [&](OpBuilder &b, ValueRange elements, ValueRange at) -> Value {
        Type i32 = b.getI32Type();
        omb::IndexArithmetic index(b, loc);
        Value wanted = arith::IndexCastOp::create(b, loc, i32, at[axis + 1]);
        Value begin = index.mul(at[axis], index.constant(run));
        Value place =
            arith::IndexCastOp::create(b, loc, i32, index.add(begin, at[rank]));
        Value isIt = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                           elements[0], wanted);
        Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
        return arith::SelectOp::create(b, loc, isIt, place, zero);
      });
}

Value TopPlaces::isPlaceBefore(OpBuilder &b, ValueRange at, Value lhs,
                               Value rhs) const {
  SmallVector<Value> position(at);
  position.erase(position.begin() + axis + 1);
  auto read = [&](Value place) -> Value {
    position[axis] = place;
    return tensor::ExtractOp::create(b, loc, data, position);
  };
  omb::Scalars s(b, loc, onnxType);
  return isBefore(s, read(lhs), read(rhs));
}

TopPlaces::Runs TopPlaces::mergePairs(const Runs &runs, int64_t limit) const {
  bool isOdd = runs.count % 2 != 0;
  Runs merged;
  merged.count = llvm::divideCeil(runs.count, 2);
  merged.length = std::min(limit, 2 * runs.length);
  merged.lastLength =
      std::min(limit, isOdd ? runs.lastLength : runs.length + runs.lastLength);
  Shape shape = getShape(merged.count, merged.length);
  merged.places = omb::buildFromIndices(
      builder, loc, getPlacesType(shape), getSizes(shape),
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic index(b, loc);
        auto read = [&](OpBuilder &inner, Value run, Value number) -> Value {
          omb::IndexArithmetic i(inner, loc);
          SmallVector<Value> position(at);
          position[axis] = i.min(run, i.constant(runs.count - 1));
          position[axis + 1] = i.min(number, i.constant(runs.length - 1));
          return arith::IndexCastOp::create(
              inner, loc, inner.getIndexType(),
              tensor::ExtractOp::create(inner, loc, runs.places, position)
                  .getResult());
        };
        auto getLength = [&](Value run) -> Value {
          Value last = index.constant(runs.count - 1);
          Value length = index.select(index.isEqual(run, last),
                                      index.constant(runs.lastLength),
                                      index.constant(runs.length));
          return index.select(index.isLess(last, run), index.constant(0),
                              length);
        };
        Value left = index.add(at[axis], at[axis]);
        Value right = index.add(left, index.constant(1));
        auto readLeft = [&](OpBuilder &inner, Value number) {
          return read(inner, left, number);
        };
        auto readRight = [&](OpBuilder &inner, Value number) {
          return read(inner, right, number);
        };
        Value place = omb::mergeSorted(
            b, loc, {getLength(left), readLeft}, {getLength(right), readRight},
            at[axis + 1], [&](OpBuilder &inner, Value lhs, Value rhs) {
              return isPlaceBefore(inner, at, lhs, rhs);
            });
        return arith::IndexCastOp::create(b, loc, b.getI32Type(), place);
      });
  return merged;
}

namespace {

struct TopKToGeneric : OpConversionPattern<TopKOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TopKOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getValues().getType());
    auto indexType = getTypeConverter()->convertType<RankedTensorType>(
        op.getIndices().getType());
    Value x = adaptor.getX();
    auto input = dyn_cast<RankedTensorType>(x.getType());
    if (!type || !indexType || !input)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t axis =
        op.getAxis() < 0 ? op.getAxis() + input.getRank() : op.getAxis();
    SmallVector<Value> sizes = index.sizes(x);
    Value size = sizes[axis];
    sizes[axis] = type.isDynamicDim(axis)
                      ? index.element(adaptor.getK(), 0)
                      : index.constant(type.getDimSize(axis));
    index.require(index.isLess(index.constant(-1), sizes[axis]),
                  "the K of TopK is negative");
    index.require(index.isLess(sizes[axis], index.add(size, index.constant(1))),
                  "the K of TopK is larger than the dimension");
    if (llvm::is_contained(type.getShape(), 0) ||
        llvm::is_contained(input.getShape(), 0)) {
      rewriter.replaceOp(op,
                         {omb::createEmpty(rewriter, loc, type, sizes),
                          omb::createEmpty(rewriter, loc, indexType, sizes)});
      return success();
    }
    int64_t limit = type.isDynamicDim(axis) ? input.getDimSize(axis)
                                            : type.getDimSize(axis);
    Value places = TopPlaces(rewriter, loc, x, axis, op.getLargest() != 0,
                             getElementTypeOrSelf(op.getX().getType()))
                       .find(limit);
    Value values = omb::buildFromIndices(
        rewriter, loc, type, sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          SmallVector<Value> position(at);
          Value place = tensor::ExtractOp::create(b, loc, places, at);
          position[axis] =
              arith::IndexCastOp::create(b, loc, b.getIndexType(), place);
          return tensor::ExtractOp::create(b, loc, x, position);
        });
    Value indices = omb::buildFromIndices(
        rewriter, loc, indexType, sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          Value place = tensor::ExtractOp::create(b, loc, places, at);
          return arith::ExtSIOp::create(b, loc, b.getI64Type(), place);
        });
    rewriter.replaceOp(op, {values, indices});
    return success();
  }
};

} // namespace

void omb::populateTopKToLinalgPatterns(const TypeConverter &converter,
                                       RewritePatternSet &patterns) {
  patterns.add<TopKToGeneric>(converter, patterns.getContext());
}
