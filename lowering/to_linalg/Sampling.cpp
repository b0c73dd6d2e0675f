//===- Sampling.cpp - Elements between those of a tensor ------------------===//

#include "lowering/to_linalg/Sampling.h"

#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using omb::PointSampler;
using omb::SampledElements;
using omb::SamplingEdges;
using omb::SamplingFilter;
using omb::Scalars;

//===----------------------------------------------------------------------===//
// Coordinates and weights
//===----------------------------------------------------------------------===//

Value omb::getFilter(Scalars &s, const SamplingFilter &filter, Value distance) {
  Value x = s.abs(distance);
  Value one = s.constant(x, 1);
  Value zero = s.constant(x, 0);
  if (filter.mode == SamplingFilter::Linear)
    return s.max(s.sub(one, x), zero);
  // Keys' cubic convolution: one polynomial up to 1, another up to 2.
  double a = filter.cubicCoefficient;
  Value square = s.mul(x, x);
  Value near = s.add(s.mul(s.mul(square, x), a + 2),
                     s.add(s.mul(square, -(a + 3)), one));
  Value far = s.mul(s.add(s.mul(s.add(s.mul(s.add(x, -5), x), 8), x), -4), a);
  return s.select(s.lessEqual(x, one), near, s.select(s.less(x, 2), far, zero));
}

Value omb::toCoordinate(Scalars &s, Value position, Type type) {
  Value number = arith::IndexCastOp::create(s, s.getI32Type(), position);
  return arith::SIToFPOp::create(s, type, number);
}

Value omb::toPosition(Scalars &s, Value number) {
  // A conversion has to hold the number. Comparisons with NaN are false.
  Value low = s.constant(number, -0x1p30), high = s.constant(number, 0x1p30);
  number = s.select(s.less(low, number), number, low);
  number = s.select(s.less(number, high), number, high);
  Value integer = arith::FPToSIOp::create(s, s.getI32Type(), number);
  return arith::IndexCastOp::create(s, s.getIndexType(), integer);
}

Value omb::isOutside(Scalars &s, Value position, Value size) {
  return arith::CmpIOp::create(s, arith::CmpIPredicate::uge, position, size);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Type SampledElements::getComputedType() const {
  MLIRContext *context = elementType.getContext();
  unsigned width = elementType.getIntOrFloatBitWidth();
  bool isFloat = isa<FloatType>(elementType);
  return width > 32 || (!isFloat && width == 32)
             ? Type(Float64Type::get(context))
             : Type(Float32Type::get(context));
}

Value SampledElements::toComputed(Scalars &s, Value element) const {
  Type type = getComputedType();
  if (element.getType() == type)
    return element;
  if (!isa<FloatType>(element.getType()))
    return s.toFloat(element, type);
  element = s.widen(element);
  if (element.getType() == type)
    return element;
  return arith::ExtFOp::create(s, type, element);
}

Value SampledElements::fromComputed(Scalars &s, Value number) const {
  if (isa<FloatType>(elementType))
    return s.narrow(number, elementType);
  if (elementType.isInteger(1))
    return s.notEqual(number, s.constant(number, 0));
  unsigned width = elementType.getIntOrFloatBitWidth();
  bool isUnsigned = s.isUnsignedInteger();
  double highest = std::ldexp(1.0, isUnsigned ? width : width - 1);
  double lowest = isUnsigned ? 0 : -highest;
  if (rounds)
    number = math::RoundEvenOp::create(s, number);
  Value isHigh = s.lessEqual(s.constant(number, highest), number);
  Value bounded = s.max(number, lowest);
  Value safe = s.select(isHigh, s.constant(number, 0), bounded);
  return s.select(isHigh, s.highest(elementType),
                  s.toInteger(safe, elementType));
}

//===----------------------------------------------------------------------===//
// Edges
//===----------------------------------------------------------------------===//

/// A number not in [low, low + range], reflected at the ends until it is.
static Value reflect(Scalars &s, Value number, Value low, Value high) {
  Value range = s.sub(high, low), one = s.constant(number, 1);
  // A range without extent holds nothing but `low`.
  Value isPoint = s.equal(range, s.constant(number, 0));
  range = s.select(isPoint, one, range);
  Value isBelow = s.less(number, low);
  Value distance = s.select(isBelow, s.sub(low, number), s.sub(number, high));
  Value times = math::FloorOp::create(s, s.div(distance, range));
  Value rest = s.sub(distance, s.mul(times, range));
  Value isOdd = s.hasFraction(s.mul(times, 0.5));
  Value isFromLow =
      arith::CmpIOp::create(s, arith::CmpIPredicate::ne, isBelow, isOdd);
  Value result = s.select(isFromLow, s.add(low, rest), s.sub(high, rest));
  return s.select(isPoint, low, result);
}

Value omb::padCoordinate(Scalars &s, const SamplingEdges &edges,
                         Value coordinate, Value size) {
  if (edges.padding == SamplingEdges::Zeros)
    return coordinate;
  Value last = s.add(toCoordinate(s, size, coordinate.getType()), -1);
  Value zero = s.constant(coordinate, 0);
  double margin = edges.alignCorners ? 0 : 0.5;
  Value low = s.constant(coordinate, -margin), high = s.add(last, margin);
  Value padded = edges.padding == SamplingEdges::Border
                     ? s.max(s.min(coordinate, last), zero)
                     : reflect(s, coordinate, low, high);
  Value isOn = arith::AndIOp::create(s, s.lessEqual(low, coordinate),
                                     s.lessEqual(coordinate, high));
  return s.select(isOn, coordinate, padded);
}

PointSampler::Tap PointSampler::getTap(Scalars &s, Value position,
                                       size_t dim) const {
  omb::IndexArithmetic index(s, s.getLoc());
  Value zero = index.constant(0);
  Value last = index.sub(sizes[dim], index.constant(1));
  Tap tap;
  if (edges.padding == SamplingEdges::Zeros)
    tap.isInside = arith::CmpIOp::create(s, arith::CmpIPredicate::ult, position,
                                         sizes[dim]);
  if (edges.padding == SamplingEdges::Reflection) {
    // Coordinates are inside already: once at each end is enough.
    Value margin = index.constant(edges.alignCorners ? 0 : 1);
    Value fromLow = index.sub(index.sub(zero, position), margin);
    position = index.select(index.isLess(position, zero), fromLow, position);
    Value fromHigh =
        index.sub(index.add(index.add(last, last), margin), position);
    position = index.select(index.isLess(last, position), fromHigh, position);
  }
  tap.at = index.clamp(position, zero, last);
  return tap;
}

//===----------------------------------------------------------------------===//
// Points
//===----------------------------------------------------------------------===//

Value PointSampler::read(Scalars &s, ValueRange position,
                         ValueRange areInside) const {
  Value found = tensor::ExtractOp::create(s, x, position);
  Value isInside;
  for (Value condition : areInside)
    isInside =
        isInside ? arith::AndIOp::create(s, isInside, condition) : condition;
  if (!isInside)
    return found;
  Value zero = omb::createZero(s, s.getLoc(), found.getType());
  return s.select(isInside, found, zero);
}

Value PointSampler::pickNearest(Scalars &s, ValueRange outer,
                                ValueRange coordinates) const {
  SmallVector<Value> position(outer), areInside;
  for (auto [dim, coordinate] : llvm::enumerate(coordinates)) {
    Value nearest = math::RoundEvenOp::create(s, coordinate);
    nearest = padCoordinate(s, edges, nearest, sizes[dim]);
    Tap tap = getTap(s, toPosition(s, nearest), dim);
    position.push_back(tap.at);
    if (tap.isInside)
      areInside.push_back(tap.isInside);
  }
  return read(s, position, areInside);
}

/// The first of the elements around `coordinate`.
Value PointSampler::getFirst(Scalars &s, Value coordinate) const {
  omb::IndexArithmetic index(s, s.getLoc());
  Value whole = toPosition(s, math::FloorOp::create(s, coordinate));
  return index.sub(whole, index.constant(getTapCount() / 2 - 1));
}

PointSampler::Tap PointSampler::getWeightedTap(Scalars &s, Value position,
                                               Value coordinate,
                                               size_t dim) const {
  Tap tap = getTap(s, position, dim);
  Value distance =
      s.sub(toCoordinate(s, position, coordinate.getType()), coordinate);
  Value weight = getFilter(s, filter, distance);
  Type type = elements.getComputedType();
  if (weight.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    weight = arith::ExtFOp::create(s, type, weight);
  tap.weight = s.narrow(weight, type);
  return tap;
}

/// A loop in the code over the taps of the next dimension.
Value PointSampler::loopOverTaps(Scalars &s, ArrayRef<Tap> chosen,
                                 ValueRange outer, ValueRange coordinates,
                                 ArrayRef<SmallVector<Tap>> taps,
                                 Combination combine) const {
  omb::IndexArithmetic index(s, s.getLoc());
  size_t dim = chosen.size();
  Value first = getFirst(s, coordinates[dim]);
  auto getTerm = [&](Scalars &inner, Value number) {
    omb::IndexArithmetic innerIndex(inner, inner.getLoc());
    SmallVector<Tap> longer(chosen);
    longer.push_back(getWeightedTap(inner, innerIndex.add(first, number),
                                    coordinates[dim], dim));
    Value rest = combineTaps(inner, longer, outer, coordinates, taps, combine);
    return inner.mul(rest, longer.back().weight);
  };
  auto loop = scf::ForOp::create(
      s, index.constant(1), index.constant(getTapCount()), index.constant(1),
      getTerm(s, index.constant(0)),
      [&](OpBuilder &b, Location loc, Value number, ValueRange sums) {
        Scalars inner(s);
        inner.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
        Value term = getTerm(inner, number);
        scf::YieldOp::create(b, loc, (inner.*combine)(sums[0], term));
      });
  return loop.getResult(0);
}

/// The dimensions from chosen.size() on, combined.
Value PointSampler::combineTaps(Scalars &s, ArrayRef<Tap> chosen,
                                ValueRange outer, ValueRange coordinates,
                                ArrayRef<SmallVector<Tap>> taps,
                                Combination combine) const {
  size_t dim = chosen.size();
  if (dim == sizes.size()) {
    SmallVector<Value> position(outer), areInside;
    for (const Tap &tap : chosen) {
      position.push_back(tap.at);
      if (tap.isInside)
        areInside.push_back(tap.isInside);
    }
    return elements.toComputed(s, read(s, position, areInside));
  }
  if (taps[dim].empty())
    return loopOverTaps(s, chosen, outer, coordinates, taps, combine);
  Value result;
  for (const Tap &tap : taps[dim]) {
    SmallVector<Tap> longer(chosen);
    longer.push_back(tap);
    Value rest = combineTaps(s, longer, outer, coordinates, taps, combine);
    Value term = s.mul(rest, tap.weight);
    result = result ? (s.*combine)(result, term) : term;
  }
  return result;
}

Value PointSampler::interpolate(Scalars &s, ValueRange outer,
                                ValueRange coordinates,
                                Combination combine) const {
  // The taps of the inner dimensions are written out, as long as they aren't
  // too many together.
  constexpr int64_t kMany = 64;
  omb::IndexArithmetic index(s, s.getLoc());
  SmallVector<SmallVector<Tap>> taps(sizes.size());
  int64_t count = 1;
  for (size_t dim = sizes.size(); dim-- > 0;) {
    count *= getTapCount();
    if (count > kMany)
      break;
    Value first = getFirst(s, coordinates[dim]);
    for (int64_t tap = 0; tap < getTapCount(); ++tap)
      taps[dim].push_back(getWeightedTap(
          s, index.add(first, index.constant(tap)), coordinates[dim], dim));
  }
  return combineTaps(s, {}, outer, coordinates, taps, combine);
}
