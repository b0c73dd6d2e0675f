//===- Sorting.cpp - Sorting by a comparison of places --------------------===//

#include "lowering/to_linalg/Sorting.h"

#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

Value omb::isNumberBefore(Scalars &s, Value lhs, Value rhs) {
  if (!isa<FloatType>(lhs.getType()))
    return s.less(lhs, rhs);
  Value isLess = arith::CmpFOp::create(s, arith::CmpFPredicate::UGT, rhs, lhs);
  Value isNumber =
      arith::CmpFOp::create(s, arith::CmpFPredicate::ORD, lhs, lhs);
  return arith::AndIOp::create(s, isLess, isNumber);
}

Value omb::bisect(OpBuilder &builder, Location loc, Value low, Value high,
                  function_ref<Value(OpBuilder &, Value)> isTooLow) {
  Type indexType = builder.getIndexType();
  auto loop = scf::WhileOp::create(
      builder, loc, TypeRange{indexType, indexType}, ValueRange{low, high},
      [&](OpBuilder &b, Location, ValueRange range) {
        Value isOpen = IndexArithmetic(b, loc).isLess(range[0], range[1]);
        scf::ConditionOp::create(b, loc, isOpen, range);
      },
      [&](OpBuilder &b, Location, ValueRange range) {
        IndexArithmetic index(b, loc);
        Value middle =
            index.div(index.add(range[0], range[1]), index.constant(2));
        Value goesUp = isTooLow(b, middle);
        Value above = index.add(middle, index.constant(1));
        scf::YieldOp::create(
            b, loc,
            ValueRange{index.select(goesUp, above, range[0]),
                       index.select(goesUp, range[1], middle)});
      });
  return loop.getResult(0);
}

Value omb::mergeSorted(
    OpBuilder &b, Location loc, const SortedList &left, const SortedList &right,
    Value position, function_ref<Value(OpBuilder &, Value, Value)> isBefore) {
  IndexArithmetic index(b, loc);
  // How many of those before `position` are from the left list.
  Value fromLeft = bisect(
      b, loc, index.max(index.constant(0), index.sub(position, right.size)),
      index.min(position, left.size),
      [&](OpBuilder &inner, Value number) -> Value {
        IndexArithmetic i(inner, loc);
        Value rest = i.sub(i.sub(position, i.constant(1)), number);
        Value isRightFirst =
            isBefore(inner, right.read(inner, rest), left.read(inner, number));
        return arith::XOrIOp::create(
            inner, loc, isRightFirst,
            arith::ConstantIntOp::create(inner, loc, 1, 1));
      });
  Value fromRight = index.sub(position, fromLeft);
  Value nextLeft = left.read(b, fromLeft), nextRight = right.read(b, fromRight);
  Value isRightFirst =
      arith::AndIOp::create(b, loc, index.isLess(fromRight, right.size),
                            isBefore(b, nextRight, nextLeft));
  Value isLeftOver =
      index.isLess(index.sub(left.size, index.constant(1)), fromLeft);
  return index.select(
      arith::OrIOp::create(b, loc, isLeftOver, isRightFirst).getResult(),
      nextRight, nextLeft);
}

/// The place that comes to position `at` when the sorted runs of `width` places
/// are merged in pairs, along a dimension `axis` of `size`.
static Value mergeRuns(OpBuilder &b, Location loc, Value runs, Value size,
                       Value width, ValueRange at, int64_t axis,
                       omb::PlaceOrder isBefore) {
  omb::IndexArithmetic index(b, loc);
  Value both = index.add(width, width);
  Value begin = index.mul(index.div(at[axis], both), both);
  Value middle = index.min(index.add(begin, width), size);
  Value end = index.min(index.add(begin, both), size);
  auto read = [&](OpBuilder &inner, Value place) -> Value {
    omb::IndexArithmetic clamped(inner, loc);
    SmallVector<Value> position(at);
    position[axis] = clamped.min(place, clamped.sub(size, clamped.constant(1)));
    return arith::IndexCastOp::create(
        inner, loc, inner.getIndexType(),
        tensor::ExtractOp::create(inner, loc, runs, position).getResult());
  };
  auto readLeft = [&](OpBuilder &inner, Value number) {
    return read(inner, omb::IndexArithmetic(inner, loc).add(begin, number));
  };
  auto readRight = [&](OpBuilder &inner, Value number) {
    return read(inner, omb::IndexArithmetic(inner, loc).add(middle, number));
  };
  return omb::mergeSorted(b, loc, {index.sub(middle, begin), readLeft},
                          {index.sub(end, middle), readRight},
                          index.sub(at[axis], begin),
                          [&](OpBuilder &inner, Value lhs, Value rhs) {
                            return isBefore(inner, loc, at, lhs, rhs);
                          });
}

/// How often 1 is doubled until it is `size` or more.
static Value countDoublings(OpBuilder &builder, Location loc, Value size) {
  omb::IndexArithmetic index(builder, loc);
  Type type = builder.getIndexType();
  auto loop = scf::WhileOp::create(
      builder, loc, TypeRange{type, type},
      ValueRange{index.constant(0), index.constant(1)},
      [&](OpBuilder &b, Location, ValueRange state) {
        Value isBelow = omb::IndexArithmetic(b, loc).isLess(state[1], size);
        scf::ConditionOp::create(b, loc, isBelow, state);
      },
      [&](OpBuilder &b, Location, ValueRange state) {
        omb::IndexArithmetic inner(b, loc);
        scf::YieldOp::create(b, loc,
                             ValueRange{inner.add(state[0], inner.constant(1)),
                                        inner.add(state[1], state[1])});
      });
  return loop.getResult(0);
}

Value omb::buildSortedPlaces(OpBuilder &builder, Location loc,
                             RankedTensorType type, ValueRange sizes,
                             int64_t axis, PlaceOrder isBefore) {
  Type elementType = type.getElementType();
  Value size = sizes[axis];
  Value places = buildFromIndices(
      builder, loc, type, sizes,
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        return arith::IndexCastOp::create(b, loc, elementType, at[axis]);
      });
  if (type.getDimSize(axis) == 0 || type.getDimSize(axis) == 1)
    return places;
  // Merge sort, all runs of one width at once. The tensor is carried by a loop
  // of known length: IREE mixes up what a while loop carries.
  IndexArithmetic index(builder, loc);
  Value zero = index.constant(0), one = index.constant(1);
  auto loop = scf::ForOp::create(
      builder, loc, zero, countDoublings(builder, loc, size), one, places,
      [&](OpBuilder &outer, Location, Value pass, ValueRange state) {
        Value width = arith::ShLIOp::create(
            outer, loc, IndexArithmetic(outer, loc).constant(1), pass);
        Value merged = buildFromIndices(
            outer, loc, type, sizes,
            [&](OpBuilder &b, Location, ValueRange at) -> Value {
              Value place =
                  mergeRuns(b, loc, state[0], size, width, at, axis, isBefore);
              return arith::IndexCastOp::create(b, loc, elementType, place);
            });
        scf::YieldOp::create(outer, loc, merged);
      });
  return loop.getResult(0);
}
