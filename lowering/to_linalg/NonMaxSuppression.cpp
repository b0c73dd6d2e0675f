//===- NonMaxSuppression.cpp - Lowering of NonMaxSuppression --------------===//

#include "dialect/ir/ops/Indexing.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Marks.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// A box of a class, as one i64. One that may still be selected has the score's
/// place in the order of floats in the upper half, the complement of the box's
/// index in the lower. So the largest candidate is the one with the highest
/// score and, among equal ones, the lowest index. Below all of those are what
/// was selected, by the step that it was selected in, and what is out.
struct Candidate {
  /// What has been suppressed, or is not above the threshold.
  static Value out(OpBuilder &b, Location loc) {
    return arith::ConstantIntOp::create(b, loc, INT64_MIN, 64);
  }
  static Value selected(OpBuilder &b, Location loc, Value step) {
    Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(), step);
    Value first = arith::ConstantIntOp::create(b, loc, INT64_MIN + 1, 64);
    return arith::AddIOp::create(b, loc, first, number);
  }
  /// Whether it may still be selected.
  static Value isOpen(OpBuilder &b, Location loc, Value candidate) {
    Value lowest =
        arith::ConstantIntOp::create(b, loc, (INT32_MIN + 1LL) << 32, 64);
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, candidate,
                                 lowest);
  }
  /// The box's index, which is any number for one that isn't open.
  static Value box(OpBuilder &b, Location loc, Value candidate) {
    Value low = arith::TruncIOp::create(b, loc, b.getI32Type(), candidate);
    Value ones = arith::ConstantIntOp::create(b, loc, -1, 32);
    Value index = arith::XOrIOp::create(b, loc, low, ones);
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
  }
  static Value make(OpBuilder &b, Location loc, Value score, Value box);
};

/// The coordinates of a box, whose corners are in order.
struct Box {
  Value lowX, highX, lowY, highY;
};

/// Selects boxes of all batches and classes at once: every step of a loop
/// takes, for each of them, the best candidate and drops those that overlap it.
class Suppression {
public:
  Suppression(OpBuilder &builder, Location loc, Value boxes, Value scores,
              Value iouThreshold, bool hasCenters)
      : builder(builder), loc(loc), index(builder, loc), boxes(boxes),
        scores(scores), iouThreshold(iouThreshold), hasCenters(hasCenters) {
    sizes = index.sizes(scores);
    rows = index.mul(sizes[0], sizes[1]);
  }

  /// The scores above `threshold`, a scalar tensor; all where it is null.
  void collect(Value threshold);
  /// Selects up to `limit` boxes of each class.
  void run(Value limit);
  /// Rows of batch, class and box.
  Value getResult(RankedTensorType type);

private:
  /// A tensor with an element for each batch and class, the rows, and for the
  /// second dimension where there is one.
  RankedTensorType getType(Type elementType, ArrayRef<int64_t> second = {});
  Value getBatch(OpBuilder &b, Value row) const;
  Value readScore(OpBuilder &b, Value row, Value box) const;
  /// The largest of each row, or of all.
  Value reduceMax(Value tensor, bool keepsRows);
  /// `state` after the best of each batch and class are selected.
  Value select(Value state, Value best, Value step);
  /// The selected boxes in order: rows x steps, -1 for none.
  Value collectSelected();
  Box read(omb::Scalars &s, Value batch, Value box);
  Value overlaps(omb::Scalars &s, const Box &lhs, const Box &rhs);

  OpBuilder &builder;
  Location loc;
  omb::IndexArithmetic index;
  Value boxes, scores, iouThreshold;
  bool hasCenters;
  /// Of the scores: batches, classes, boxes.
  SmallVector<Value> sizes;
  /// Batches times classes, and the candidates of each.
  Value rows, width;
  /// Rows x as many as the one with most has: at first, and when all are
  /// selected.
  Value candidates, state;
  Value steps;
};

} // namespace

Value Candidate::make(OpBuilder &b, Location loc, Value score, Value box) {
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  omb::Scalars s(b, loc, score.getType());
  // -0 and +0 are equal.
  Value bits = arith::BitcastOp::create(b, loc, i32, s.add(score, 0.0));
  Value sign = arith::ShRSIOp::create(
      b, loc, bits, arith::ConstantIntOp::create(b, loc, 31, 32));
  Value flipped = arith::AndIOp::create(
      b, loc, sign, arith::ConstantIntOp::create(b, loc, INT32_MAX, 32));
  Value order = arith::XOrIOp::create(b, loc, bits, flipped);
  // NaN comes after all numbers.
  order =
      s.select(s.isNaN(score),
               arith::ConstantIntOp::create(b, loc, INT32_MIN + 1, 32), order);
  Value high =
      arith::ShLIOp::create(b, loc, arith::ExtSIOp::create(b, loc, i64, order),
                            arith::ConstantIntOp::create(b, loc, 32, 64));
  Value place = arith::IndexCastOp::create(b, loc, i32, box);
  Value complement = arith::XOrIOp::create(
      b, loc, place, arith::ConstantIntOp::create(b, loc, -1, 32));
  return arith::OrIOp::create(b, loc, high,
                              arith::ExtUIOp::create(b, loc, i64, complement));
}

RankedTensorType Suppression::getType(Type elementType,
                                      ArrayRef<int64_t> second) {
  ArrayRef<int64_t> known =
      cast<RankedTensorType>(scores.getType()).getShape().take_front(2);
  SmallVector<int64_t> shape{ShapedType::isDynamicShape(known)
                                 ? ShapedType::kDynamic
                                 : known[0] * known[1]};
  llvm::append_range(shape, second);
  return RankedTensorType::get(shape, elementType);
}

Value Suppression::getBatch(OpBuilder &b, Value row) const {
  // There is no row without a class.
  omb::IndexArithmetic inner(b, loc);
  return inner.div(row, inner.max(sizes[1], inner.constant(1)));
}

Value Suppression::readScore(OpBuilder &b, Value row, Value box) const {
  omb::IndexArithmetic inner(b, loc);
  Value batch = getBatch(b, row);
  Value numClass = inner.sub(row, inner.mul(batch, sizes[1]));
  return tensor::ExtractOp::create(b, loc, scores,
                                   ValueRange{batch, numClass, box});
}

void Suppression::collect(Value threshold) {
  int64_t numBoxes = cast<RankedTensorType>(scores.getType()).getDimSize(2);
  if (!threshold) {
    candidates = omb::buildFromIndices(
        builder, loc, getType(builder.getI64Type(), numBoxes), {rows, sizes[2]},
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          Value score = readScore(b, at[0], at[1]);
          return Candidate::make(b, loc, score, at[1]);
        });
    return;
  }
  // Few boxes have a score above the threshold as a rule, so that the loop
  // goes through those only.
  Type i32 = builder.getI32Type();
  Value isAbove = omb::buildFromIndices(
      builder, loc, getType(i32, numBoxes), {rows, sizes[2]},
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::Scalars s(b, loc, b.getF32Type());
        Value score = readScore(b, at[0], at[1]);
        return arith::ExtUIOp::create(
            b, loc, i32, s.less(omb::extractScalar(b, loc, threshold), score));
      });
  Value counts =
      omb::buildSum(builder, loc, getType(i32), rows, isAbove, {{0, 1}},
                    [](OpBuilder &, ValueRange elements, ValueRange) {
                      return elements.front();
                    });
  Value most = tensor::ExtractOp::create(
      builder, loc, reduceMax(counts, /*keepsRows=*/false), ValueRange());
  omb::Marks marks(builder, loc, omb::flatten(builder, loc, isAbove));
  marks.rank();
  Value size =
      arith::IndexCastOp::create(builder, loc, builder.getIndexType(), most);
  candidates = omb::buildFromIndices(
      builder, loc, getType(builder.getI64Type(), ShapedType::kDynamic),
      {rows, size}, [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, loc);
        Value begin = inner.mul(at[0], sizes[2]);
        Value last = inner.sub(inner.add(begin, sizes[2]), inner.constant(1));
        Value count = tensor::ExtractOp::create(b, loc, counts, at.drop_back());
        count = arith::IndexCastOp::create(b, loc, b.getIndexType(), count);
        Value before = inner.sub(marks.countUpTo(b, last), count);
        Value place = marks.find(b, inner.add(before, at[1]));
        Value box = inner.clamp(inner.sub(place, begin), inner.constant(0),
                                inner.sub(sizes[2], inner.constant(1)));
        Value score = readScore(b, at[0], box);
        return inner.select(inner.isLess(at[1], count),
                            Candidate::make(b, loc, score, box),
                            Candidate::out(b, loc));
      });
}

Value Suppression::reduceMax(Value tensor, bool keepsRows) {
  auto input = cast<RankedTensorType>(tensor.getType());
  Type elementType = input.getElementType();
  RankedTensorType type =
      keepsRows ? getType(elementType) : RankedTensorType::get({}, elementType);
  omb::Scalars s(builder, loc, elementType);
  Value init =
      omb::createFilled(builder, loc, type, rows, s.lowest(elementType));
  int64_t rank = input.getRank();
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::reduction);
  SmallVector<AffineExpr> kept;
  if (keepsRows) {
    iterators.front() = utils::IteratorType::parallel;
    kept.push_back(builder.getAffineDimExpr(0));
  }
  AffineMap maps[] = {builder.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, kept, builder.getContext())};
  return linalg::GenericOp::create(
             builder, loc, type, tensor, init, maps, iterators,
             [](OpBuilder &b, Location loc, ValueRange values) {
               Value larger =
                   arith::MaxSIOp::create(b, loc, values[0], values[1]);
               linalg::YieldOp::create(b, loc, larger);
             })
      .getResult(0);
}

Box Suppression::read(omb::Scalars &s, Value batch, Value box) {
  SmallVector<Value> numbers;
  for (int64_t place = 0; place < 4; ++place) {
    Value at = arith::ConstantIndexOp::create(s, place);
    numbers.push_back(
        tensor::ExtractOp::create(s, boxes, ValueRange{batch, box, at}));
  }
  if (!hasCenters)
    return {s.min(numbers[1], numbers[3]), s.max(numbers[1], numbers[3]),
            s.min(numbers[0], numbers[2]), s.max(numbers[0], numbers[2])};
  Value halfWidth = s.mul(numbers[2], 0.5), halfHeight = s.mul(numbers[3], 0.5);
  return {s.sub(numbers[0], halfWidth), s.add(numbers[0], halfWidth),
          s.sub(numbers[1], halfHeight), s.add(numbers[1], halfHeight)};
}

Value Suppression::overlaps(omb::Scalars &s, const Box &lhs, const Box &rhs) {
  Value zero = s.constant(lhs.lowX, 0);
  Value width = s.sub(s.min(lhs.highX, rhs.highX), s.max(lhs.lowX, rhs.lowX));
  Value height = s.sub(s.min(lhs.highY, rhs.highY), s.max(lhs.lowY, rhs.lowY));
  Value common = s.mul(width, height);
  auto getArea = [&](const Box &box) {
    return s.mul(s.sub(box.highX, box.lowX), s.sub(box.highY, box.lowY));
  };
  Value areaLhs = getArea(lhs), areaRhs = getArea(rhs);
  Value together = s.sub(s.add(areaLhs, areaRhs), common);
  Value result =
      s.less(omb::extractScalar(s, loc, iouThreshold), s.div(common, together));
  // Boxes without an area overlap nothing.
  for (Value positive : {width, height, common, areaLhs, areaRhs, together})
    result = arith::AndIOp::create(s, result, s.less(zero, positive));
  return result;
}

Value Suppression::select(Value state, Value best, Value step) {
  return omb::buildFromIndices(
      builder, loc, cast<RankedTensorType>(state.getType()), {rows, width},
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, loc);
        omb::Scalars s(b, loc, b.getF32Type());
        Value mine = tensor::ExtractOp::create(b, loc, state, at);
        Value winner = tensor::ExtractOp::create(b, loc, best, at.drop_back());
        Value batch = getBatch(b, at[0]);
        auto readBox = [&](Value candidate) {
          // Those that aren't open have any index.
          Value box =
              inner.inBounds(Candidate::box(b, loc, candidate), sizes[2]);
          return read(s, batch, box);
        };
        Value isOut = overlaps(s, readBox(mine), readBox(winner));
        Value isSame =
            arith::CmpIOp::create(s, arith::CmpIPredicate::eq, mine, winner);
        Value next =
            inner.select(isSame, Candidate::selected(b, loc, step),
                         inner.select(isOut, Candidate::out(b, loc), mine));
        return inner.select(Candidate::isOpen(b, loc, mine), next, mine);
      });
}

void Suppression::run(Value limit) {
  Value zero = index.constant(0), one = index.constant(1);
  width = index.size(candidates, 1);
  // No row selects more than it has. Not a while loop, which could end when
  // nothing is left: IREE mixes up the sizes of what such a loop carries.
  steps = index.clamp(limit, zero, width);
  auto loop = scf::ForOp::create(
      builder, loc, zero, steps, one, candidates,
      [&](OpBuilder &, Location, Value step, ValueRange values) {
        Value best = reduceMax(values[0], /*keepsRows=*/true);
        Value next = select(values[0], best, step);
        scf::YieldOp::create(builder, loc, next);
      });
  state = loop.getResult(0);
}

Value Suppression::collectSelected() {
  Type i32 = builder.getI32Type();
  RankedTensorType type = getType(i32, ShapedType::kDynamic);
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 32);
  Value init = omb::createFilled(builder, loc, type, {rows, steps}, none);
  auto getMap = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(3, dims, builder.getContext());
  };
  SmallVector<utils::IteratorType> iterators(3, utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  return linalg::GenericOp::create(
             builder, loc, type, ValueRange{candidates, state}, init,
             {getMap({0, 2}), getMap({0, 2}), getMap({0, 1})}, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               Value step = linalg::IndexOp::create(b, loc, 1);
               Value isIt = arith::CmpIOp::create(
                   b, loc, arith::CmpIPredicate::eq, arguments[1],
                   Candidate::selected(b, loc, step));
               Value box = arith::IndexCastOp::create(
                   b, loc, i32, Candidate::box(b, loc, arguments[0]));
               Value found =
                   arith::SelectOp::create(b, loc, isIt, box, arguments[2]);
               linalg::YieldOp::create(b, loc, found);
             })
      .getResult(0);
}

Value Suppression::getResult(RankedTensorType type) {
  Type i32 = builder.getI32Type();
  Value selected = omb::flatten(builder, loc, collectSelected());
  Value isSelected = omb::mapElements(
      builder, loc, selected, i32, [&](OpBuilder &b, Location, Value box) {
        Value none = arith::ConstantIntOp::create(b, loc, -1, 32);
        return arith::ExtUIOp::create(
                   b, loc, i32,
                   arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, box,
                                         none))
            .getResult();
      });
  omb::Marks marks(builder, loc, isSelected);
  Value count = marks.count();
  marks.rank();
  return omb::buildFromIndices(
      builder, loc, type, {count, index.constant(3)},
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, loc);
        Value place = marks.find(b, at[0]);
        // Nothing is found where there are no steps or classes.
        Value one = inner.constant(1);
        Value row = inner.div(place, inner.max(steps, one));
        Value batch = getBatch(b, row);
        Value numClass = inner.sub(row, inner.mul(batch, sizes[1]));
        Value box = tensor::ExtractOp::create(b, loc, selected, place);
        box = arith::IndexCastOp::create(b, loc, b.getIndexType(), box);
        Value number = inner.select(
            inner.isEqual(at[1], inner.constant(0)), batch,
            inner.select(inner.isEqual(at[1], one), numClass, box));
        return arith::IndexCastOp::create(b, loc, b.getI64Type(), number);
      });
}

namespace {

struct NonMaxSuppressionToLoop : OpConversionPattern<NonMaxSuppressionOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(NonMaxSuppressionOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto boxes = dyn_cast<RankedTensorType>(adaptor.getBoxes().getType());
    auto scores = dyn_cast<RankedTensorType>(adaptor.getScores().getType());
    if (!type || !boxes || !scores)
      return rewriter.notifyMatchFailure(op, "the inputs have no tensor type");
    for (Value scalar :
         {adaptor.getMaxOutputBoxesPerClass(), adaptor.getIouThreshold(),
          adaptor.getScoreThreshold()})
      if (scalar && !isScalar(scalar))
        return rewriter.notifyMatchFailure(
            op, "a limit or a threshold isn't a scalar");
    if (op.getCenterPointBox() != 0 && op.getCenterPointBox() != 1)
      return rewriter.notifyMatchFailure(op, "center_point_box isn't 0 or 1");
    Location loc = op.getLoc();
    checkSizes(rewriter, loc, adaptor.getBoxes(), adaptor.getScores());
    omb::IndexArithmetic index(rewriter, loc);
    if (!adaptor.getMaxOutputBoxesPerClass() ||
        llvm::is_contained(boxes.getShape(), 0) ||
        llvm::is_contained(scores.getShape(), 0)) {
      rewriter.replaceOp(
          op, omb::createEmpty(rewriter, loc, type,
                               {index.constant(0), index.constant(3)}));
      return success();
    }
    Value iouThreshold = adaptor.getIouThreshold();
    if (!iouThreshold)
      iouThreshold =
          arith::ConstantOp::create(rewriter, loc,
                                    rewriter.getZeroAttr(RankedTensorType::get(
                                        {}, rewriter.getF32Type())));
    Suppression suppression(rewriter, loc, adaptor.getBoxes(),
                            adaptor.getScores(), iouThreshold,
                            op.getCenterPointBox() == 1);
    suppression.collect(adaptor.getScoreThreshold());
    suppression.run(index.element(adaptor.getMaxOutputBoxesPerClass(), 0));
    rewriter.replaceOp(op, suppression.getResult(type));
    return success();
  }

  static bool isScalar(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && (type.getRank() == 0 ||
                    (type.getRank() == 1 &&
                     (type.isDynamicDim(0) || type.getDimSize(0) == 1)));
  }

  static void checkSizes(OpBuilder &builder, Location loc, Value boxes,
                         Value scores) {
    omb::IndexArithmetic index(builder, loc);
    index.require(index.isEqual(index.size(boxes, 2), index.constant(4)),
                  "the boxes of NonMaxSuppression don't have 4 coordinates");
    index.require(index.isEqual(index.size(boxes, 0), index.size(scores, 0)),
                  "NonMaxSuppression has boxes and scores of different batch "
                  "sizes");
    index.require(index.isEqual(index.size(boxes, 1), index.size(scores, 2)),
                  "NonMaxSuppression has more boxes than scores of a class, or "
                  "fewer");
  }
};

} // namespace

void omb::populateNonMaxSuppressionToLinalgPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<NonMaxSuppressionToLoop>(converter, patterns.getContext());
}
