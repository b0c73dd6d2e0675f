//===- Sorting.cpp - Sorting by a comparison of places --------------------===//

#include "lowering/to_linalg/Sorting.h"

#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

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

/// The place that comes to `position` when sorted runs of `width` places are
/// merged in pairs.
static Value mergeRuns(OpBuilder &b, Location loc, Value runs, Value size,
                       Value width, Value position, omb::PlaceOrder isBefore) {
  omb::IndexArithmetic index(b, loc);
  Value zero = index.constant(0), one = index.constant(1);
  Value both = index.add(width, width);
  Value begin = index.mul(index.div(position, both), both);
  Value middle = index.min(index.add(begin, width), size);
  Value end = index.min(index.add(begin, both), size);
  Value numLeft = index.sub(middle, begin), numRight = index.sub(end, middle);
  Value before = index.sub(position, begin);
  auto read = [&](OpBuilder &inner, Value at) -> Value {
    omb::IndexArithmetic clamped(inner, loc);
    at = clamped.min(at, clamped.sub(size, clamped.constant(1)));
    Value place = tensor::ExtractOp::create(inner, loc, runs, at);
    return arith::IndexCastOp::create(inner, loc, inner.getIndexType(), place);
  };
  // How many of those before `position` are from the left run. Of two equal
  // places, the left one comes first.
  Value fromLeft = omb::bisect(
      b, loc, index.max(zero, index.sub(before, numRight)),
      index.min(before, numLeft), [&](OpBuilder &inner, Value number) -> Value {
        omb::IndexArithmetic i(inner, loc);
        Value left = read(inner, i.add(begin, number));
        Value rest = i.sub(i.sub(before, i.constant(1)), number);
        Value right = read(inner, i.add(middle, rest));
        Value isRightFirst = isBefore(inner, loc, right, left);
        return arith::XOrIOp::create(
            inner, loc, isRightFirst,
            arith::ConstantIntOp::create(inner, loc, 1, 1));
      });
  Value fromRight = index.sub(before, fromLeft);
  Value left = read(b, index.add(begin, fromLeft));
  Value right = read(b, index.add(middle, fromRight));
  Value isRightFirst = arith::AndIOp::create(
      b, loc, index.isLess(fromRight, numRight), isBefore(b, loc, right, left));
  Value isLeftOver = index.isLess(index.sub(numLeft, one), fromLeft);
  return index.select(
      arith::OrIOp::create(b, loc, isLeftOver, isRightFirst).getResult(), right,
      left);
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
                             RankedTensorType type, Value size,
                             PlaceOrder isBefore) {
  Type elementType = type.getElementType();
  Value places = buildFromIndices(
      builder, loc, type, size,
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        return arith::IndexCastOp::create(b, loc, elementType, at[0]);
      });
  if (type.getDimSize(0) == 0 || type.getDimSize(0) == 1)
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
            outer, loc, type, size,
            [&](OpBuilder &b, Location, ValueRange at) -> Value {
              Value place =
                  mergeRuns(b, loc, state[0], size, width, at[0], isBefore);
              return arith::IndexCastOp::create(b, loc, elementType, place);
            });
        scf::YieldOp::create(outer, loc, merged);
      });
  return loop.getResult(0);
}
