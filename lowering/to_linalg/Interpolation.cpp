//===- Interpolation.cpp - Tensors sampled at other points ----------------===//

#include "lowering/to_linalg/Interpolation.h"

#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using omb::getFilter;
using omb::isOutside;
using omb::ResizedAxis;
using omb::SamplingOptions;
using omb::Scalars;
using omb::toPosition;

//===----------------------------------------------------------------------===//
// Coordinates and weights
//===----------------------------------------------------------------------===//

static Value toFloat(Scalars &s, Value position) {
  return omb::toCoordinate(s, position, s.getF32Type());
}

/// Where element `position` of the resized axis lies in the original one.
static Value getCoordinate(Scalars &s, const ResizedAxis &axis,
                           const SamplingOptions &options, Value position) {
  Value at = toFloat(s, position);
  Value last = s.add(toFloat(s, axis.from), -1);
  Value one = s.constant(at, 1);
  Value isSingle = s.equal(axis.length, one);
  // Not 0, so that what isn't selected does no harm.
  Value spread = s.select(isSingle, one, s.sub(axis.length, one));
  auto halfPixel = [&] {
    return s.add(s.div(s.add(at, 0.5), axis.scale), -0.5);
  };
  switch (options.coordinates) {
  case SamplingOptions::Asymmetric:
    return s.div(at, axis.scale);
  case SamplingOptions::AlignCorners:
    return s.select(isSingle, s.constant(at, 0),
                    s.div(s.mul(at, last), spread));
  case SamplingOptions::PytorchHalfPixel:
    return s.select(isSingle, s.constant(at, -0.5), halfPixel());
  case SamplingOptions::HalfPixelSymmetric: {
    Value adjustment = s.div(toFloat(s, axis.to), axis.length);
    Value center = s.mul(toFloat(s, axis.from), 0.5);
    return s.add(s.mul(center, s.sub(one, adjustment)), halfPixel());
  }
  case SamplingOptions::CropAndResize: {
    Value extent = s.mul(s.sub(axis.roiEnd, axis.roiStart), last);
    Value offset = s.select(isSingle, s.mul(extent, 0.5),
                            s.div(s.mul(at, extent), spread));
    return s.add(offset, s.mul(axis.roiStart, last));
  }
  default:
    return halfPixel();
  }
}

/// The element nearest to `coordinate`, which may lie outside.
static Value getNearest(Scalars &s, SamplingOptions::Rounding rounding,
                        Value coordinate) {
  switch (rounding) {
  case SamplingOptions::PreferFloor:
    return s.ceil(s.add(coordinate, -0.5));
  case SamplingOptions::PreferCeil:
    return math::FloorOp::create(s, s.add(coordinate, 0.5));
  case SamplingOptions::Floor:
    return math::FloorOp::create(s, coordinate);
  default:
    return s.ceil(coordinate);
  }
}

namespace {

/// The nearest element where sizes give the scale: a coordinate is a fraction
/// then, so that one halfway between two elements is told from its neighbours,
/// which floats can't do.
class ExactNearest {
public:
  ExactNearest(OpBuilder &builder, Location loc, const ResizedAxis &axis)
      : builder(builder), loc(loc), math(builder, loc),
        type(fitsI32(axis) ? builder.getI32Type() : builder.getI64Type()),
        from(cast(axis.from)), to(cast(axis.to)),
        numerator(cast(axis.numerator)), denominator(cast(axis.denominator)),
        isWholeLength(axis.numerator == axis.to &&
                      axis.denominator == axis.from) {}

  /// The element of `from` nearest to element `at` of the resized axis.
  Value get(const SamplingOptions &options, Value at) {
    Value one = constant(1), two = constant(2);
    auto [over, under] = getCoordinate(options.coordinates, cast(at));
    Value twice = math.mul(two, under);
    Value nearest;
    switch (options.rounding) {
    case SamplingOptions::PreferFloor:
      nearest = math.ceilDiv(math.sub(math.mul(two, over), under), twice);
      break;
    case SamplingOptions::PreferCeil:
      nearest = math.floorDiv(math.add(math.mul(two, over), under), twice);
      break;
    case SamplingOptions::Floor:
      nearest = math.floorDiv(over, under);
      break;
    case SamplingOptions::Ceil:
      nearest = math.ceilDiv(over, under);
      break;
    }
    nearest = math.clamp(nearest, constant(0), math.sub(from, one));
    return builder.createOrFold<arith::IndexCastOp>(loc, builder.getIndexType(),
                                                    nearest);
  }

private:
  /// The largest numbers here are 6 times the product of two sizes, or, for
  /// another length than `to`, twice that of three.
  static bool fitsI32(const ResizedAxis &axis) {
    int64_t limit = axis.numerator == axis.to ? 1 << 14 : 1 << 9;
    return llvm::all_of(
        ArrayRef<Value>{axis.from, axis.to, axis.numerator, axis.denominator},
        [&](Value size) {
          std::optional<int64_t> known = getConstantIntValue(size);
          return known && *known < limit;
        });
  }
  Value cast(Value position) {
    return builder.createOrFold<arith::IndexCastOp>(loc, type, position);
  }
  Value constant(int64_t number) {
    return arith::ConstantIntOp::create(builder, loc, type, number);
  }
  /// Numerator and denominator, which is above 0.
  std::pair<Value, Value>
  getCoordinate(SamplingOptions::Coordinates coordinates, Value at);

  OpBuilder &builder;
  Location loc;
  /// Of `type` here, not of indices.
  omb::IndexArithmetic math;
  Type type;
  Value from;
  Value to;
  Value numerator;
  Value denominator;
  /// Whether the new length is `to` before it is rounded, too.
  bool isWholeLength;
};

} // namespace

std::pair<Value, Value>
ExactNearest::getCoordinate(SamplingOptions::Coordinates coordinates,
                            Value at) {
  Value one = constant(1), two = constant(2);
  Value length = math.mul(numerator, from);
  Value isSingle = math.isEqual(length, denominator);
  // (at + 0.5) / scale - 0.5
  Value twiceAt = math.add(math.mul(two, at), one);
  Value halfPixel = math.sub(math.mul(twiceAt, denominator), numerator);
  Value twice = math.mul(two, numerator);
  switch (coordinates) {
  case SamplingOptions::Asymmetric:
    return {math.mul(at, denominator), numerator};
  case SamplingOptions::AlignCorners: {
    Value over = math.mul(at, math.sub(from, one));
    // There is only element 0 where the length is 1 or less.
    if (isWholeLength)
      return {over, math.max(math.sub(to, one), one)};
    return {math.select(isSingle, constant(0), math.mul(over, denominator)),
            math.max(math.sub(length, denominator), one)};
  }
  case SamplingOptions::PytorchHalfPixel:
    return {math.select(isSingle, constant(-1), halfPixel),
            math.select(isSingle, two, twice)};
  case SamplingOptions::HalfPixelSymmetric: {
    // The resized axis before its length is rounded has the same center.
    Value shift = math.sub(length, math.mul(to, denominator));
    return {math.add(halfPixel, shift), twice};
  }
  default:
    return {halfPixel, twice};
  }
}

namespace {

/// The tables of one axis.
class Taps {
public:
  Taps(OpBuilder &builder, Location loc, const ResizedAxis &axis,
       const SamplingOptions &options)
      : builder(builder), loc(loc), axis(axis), options(options),
        index(builder, loc) {
    double support = options.mode == SamplingOptions::Cubic ? 2 : 1;
    Value one = index.constant(1);
    if (!isStretched()) {
      half = index.constant(support);
    } else if (axis.knownScale) {
      half = index.constant(std::ceil(support / *axis.knownScale));
      stretch = axis.scale;
    } else {
      Scalars s(builder, loc, builder.getF32Type());
      stretch = s.min(axis.scale, 1);
      Value width = s.div(s.constant(stretch, support), stretch);
      Value whole = s.ceil(width);
      half = arith::IndexCastOp::create(
          s, s.getIndexType(),
          arith::FPToSIOp::create(s, s.getI64Type(), whole));
      half = index.max(half, one);
    }
    count = index.mul(half, index.constant(2));
  }

  /// The number of elements that make one, and it as a constant.
  Value getCount() const { return count; }
  std::optional<int64_t> getKnownCount() const {
    return getConstantIntValue(count);
  }

  /// Vectors over the resized axis: from where tap `tap` takes, and its weight.
  Value buildPositions(Value tap);
  Value buildWeights(Value tap);
  /// The same for all taps, as matrices; the weights need not make 1.
  Value buildAllPositions();
  Value buildAllWeights();

private:
  /// Whether the filter is wider than one element, as it may be.
  bool isStretched() const {
    return options.isAntialiased && axis.knownScale.value_or(0) < 1;
  }
  bool isNormalized() const { return isStretched() || options.excludesOutside; }
  /// The position of a tap, which may lie outside.
  Value getPosition(Scalars &s, Value coordinate, Value tap) const;
  Value getWeight(Scalars &s, Value coordinate, Value tap) const;
  Value clampPosition(Scalars &s, Value at, Value tap) const;

  OpBuilder &builder;
  Location loc;
  ResizedAxis axis;
  SamplingOptions options;
  omb::IndexArithmetic index;
  /// Null for 1.
  Value stretch;
  Value half;
  Value count;
};

} // namespace

Value Taps::getPosition(Scalars &s, Value coordinate, Value tap) const {
  omb::IndexArithmetic inner(s, s.getLoc());
  Value first = inner.sub(toPosition(s, s.ceil(coordinate)), half);
  return inner.add(first, tap);
}

Value Taps::getWeight(Scalars &s, Value coordinate, Value tap) const {
  Value position = getPosition(s, coordinate, tap);
  Value distance = s.sub(toFloat(s, position), coordinate);
  if (stretch)
    distance = s.mul(distance, stretch);
  Value weight = getFilter(s, options, distance);
  if (!options.excludesOutside)
    return weight;
  return s.select(isOutside(s, position, axis.from), s.constant(weight, 0),
                  weight);
}

Value Taps::clampPosition(Scalars &s, Value at, Value tap) const {
  omb::IndexArithmetic inner(s, s.getLoc());
  Value position = getPosition(s, getCoordinate(s, axis, options, at), tap);
  Value last = inner.sub(axis.from, inner.constant(1));
  position = inner.clamp(position, inner.constant(0), last);
  return arith::IndexCastOp::create(s, s.getI32Type(), position);
}

Value Taps::buildPositions(Value tap) {
  auto type = RankedTensorType::get(
      getConstantIntValue(axis.to).value_or(ShapedType::kDynamic),
      builder.getI32Type());
  return omb::buildFromIndices(
      builder, loc, type, axis.to,
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        Scalars s(b, loc, b.getF32Type());
        return clampPosition(s, at[0], tap);
      });
}

Value Taps::buildWeights(Value tap) {
  auto type = RankedTensorType::get(
      getConstantIntValue(axis.to).value_or(ShapedType::kDynamic),
      builder.getF32Type());
  return omb::buildFromIndices(
      builder, loc, type, axis.to,
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        Scalars s(b, loc, b.getF32Type());
        Value coordinate = getCoordinate(s, axis, options, at[0]);
        Value weight = getWeight(s, coordinate, tap);
        if (!isNormalized())
          return weight;
        Value sum = s.constant(weight, 0);
        for (int64_t other = 0; other < *getKnownCount(); ++other)
          sum = s.add(sum, getWeight(s, coordinate,
                                     arith::ConstantIndexOp::create(s, other)));
        Value isNothing = s.equal(sum, s.constant(sum, 0));
        return s.div(weight, s.select(isNothing, s.constant(sum, 1), sum));
      });
}

Value Taps::buildAllPositions() {
  auto type = RankedTensorType::get(
      {getConstantIntValue(axis.to).value_or(ShapedType::kDynamic),
       getKnownCount().value_or(ShapedType::kDynamic)},
      builder.getI32Type());
  return omb::buildFromIndices(
      builder, loc, type, {axis.to, count},
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        Scalars s(b, loc, b.getF32Type());
        return clampPosition(s, at[0], at[1]);
      });
}

Value Taps::buildAllWeights() {
  auto type = RankedTensorType::get(
      {getConstantIntValue(axis.to).value_or(ShapedType::kDynamic),
       getKnownCount().value_or(ShapedType::kDynamic)},
      builder.getF32Type());
  return omb::buildFromIndices(
      builder, loc, type, {axis.to, count},
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        Scalars s(b, loc, b.getF32Type());
        return getWeight(s, getCoordinate(s, axis, options, at[0]), at[1]);
      });
}

//===----------------------------------------------------------------------===//
// Interpolation
//===----------------------------------------------------------------------===//

namespace {

class Interpolation {
public:
  Interpolation(OpBuilder &builder, Location loc, Type onnxType,
                const SamplingOptions &options, RankedTensorType type)
      : builder(builder), loc(loc), onnxType(onnxType), options(options),
        type(type), elements(type.getElementType(), /*rounds=*/true),
        index(builder, loc) {}

  Value pickNearest(Value x, ArrayRef<ResizedAxis> axes);
  /// Computes in floats, and ends with the result's elements.
  Value resize(Value x, ArrayRef<ResizedAxis> axes);

private:
  Value getNearestPosition(OpBuilder &b, const ResizedAxis &axis, Value at);
  Value resizeAxis(Value x, const ResizedAxis &axis);
  Value addTaps(Value x, Taps &taps, const ResizedAxis &axis,
                RankedTensorType resized, ValueRange sizes);
  Value sumTaps(Value x, Taps &taps, const ResizedAxis &axis,
                RankedTensorType resized, ValueRange sizes);
  Value extrapolate(Value x, const ResizedAxis &axis);
  /// Whether the coordinate lies on the original axis.
  Value isOnAxis(Scalars &s, const ResizedAxis &axis, Value at) {
    Value coordinate = getCoordinate(s, axis, options, at);
    Value last = s.add(toFloat(s, axis.from), -1);
    return arith::AndIOp::create(
        s, s.lessEqual(s.constant(coordinate, 0), coordinate),
        s.lessEqual(coordinate, last));
  }
  AffineMap getAxisMap(int64_t loops, int64_t dim) {
    return AffineMap::get(loops, 0, builder.getAffineDimExpr(dim),
                          builder.getContext());
  }
  Type getComputedType() const { return elements.getComputedType(); }
  Value toComputed(OpBuilder &b, Value element) {
    Scalars s(b, loc, onnxType);
    return elements.toComputed(s, element);
  }
  Value fromComputed(OpBuilder &b, Value number) {
    Scalars s(b, loc, onnxType);
    return elements.fromComputed(s, number);
  }
  Value convert(Value x);

  OpBuilder &builder;
  Location loc;
  Type onnxType;
  SamplingOptions options;
  RankedTensorType type;
  omb::SampledElements elements;
  omb::IndexArithmetic index;
};

} // namespace

/// Which element of the original axis is taken; -1 outside of it.
Value Interpolation::getNearestPosition(OpBuilder &b, const ResizedAxis &axis,
                                        Value at) {
  bool isCropped = options.coordinates == SamplingOptions::CropAndResize;
  if (axis.numerator && !isCropped)
    return ExactNearest(b, loc, axis).get(options, at);
  Scalars s(b, loc, b.getF32Type());
  omb::IndexArithmetic inner(b, loc);
  Value nearest =
      getNearest(s, options.rounding, getCoordinate(s, axis, options, at));
  Value last = inner.sub(axis.from, inner.constant(1));
  Value position = inner.clamp(toPosition(s, nearest), inner.constant(0), last);
  if (!isCropped)
    return position;
  return inner.select(isOnAxis(s, axis, at), position, inner.constant(-1));
}

Value Interpolation::pickNearest(Value x, ArrayRef<ResizedAxis> axes) {
  SmallVector<Value> sizes = index.sizes(x);
  SmallVector<Value> tables;
  SmallVector<AffineMap> maps;
  SmallVector<const ResizedAxis *> resized;
  bool isCropped = options.coordinates == SamplingOptions::CropAndResize;
  for (const ResizedAxis &axis : axes) {
    sizes[axis.dim] = axis.to;
    if (axis.knownScale == 1.0f && axis.hasSameSize && !isCropped)
      continue;
    auto tableType = RankedTensorType::get(
        getConstantIntValue(axis.to).value_or(ShapedType::kDynamic),
        builder.getI32Type());
    tables.push_back(omb::buildFromIndices(
        builder, loc, tableType, axis.to,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          Value position = getNearestPosition(b, axis, at.front());
          return arith::IndexCastOp::create(b, loc, b.getI32Type(), position);
        }));
    maps.push_back(getAxisMap(type.getRank(), axis.dim));
    resized.push_back(&axis);
  }
  maps.push_back(builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  Value init = omb::createEmpty(builder, loc, type, sizes);
  return linalg::GenericOp::create(
             builder, loc, type, tables, init, maps, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               omb::IndexArithmetic inner(b, loc);
               SmallVector<Value> position;
               for (int64_t dim = 0; dim < type.getRank(); ++dim)
                 position.push_back(linalg::IndexOp::create(b, loc, dim));
               Value isInside;
               for (auto [axis, table] : llvm::zip(resized, arguments)) {
                 Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                                       table);
                 position[axis->dim] = at;
                 if (!isCropped)
                   continue;
                 Value isOn = inner.isLess(inner.constant(-1), at);
                 position[axis->dim] = inner.max(at, inner.constant(0));
                 isInside = isInside
                                ? arith::AndIOp::create(b, loc, isInside, isOn)
                                      .getResult()
                                : isOn;
               }
               Value found = tensor::ExtractOp::create(b, loc, x, position);
               if (isInside) {
                 Scalars s(b, loc, onnxType);
                 Value outside =
                     s.constant(Value(arith::ConstantOp::create(
                                    s, s.getZeroAttr(getComputedType()))),
                                options.extrapolation);
                 found = s.select(isInside, found, fromComputed(b, outside));
               }
               linalg::YieldOp::create(b, loc, found);
             })
      .getResult(0);
}

/// The sum over a few taps, written out.
Value Interpolation::addTaps(Value x, Taps &taps, const ResizedAxis &axis,
                             RankedTensorType resized, ValueRange sizes) {
  int64_t rank = resized.getRank();
  SmallVector<Value> tables;
  for (int64_t tap = 0; tap < *taps.getKnownCount(); ++tap) {
    tables.push_back(taps.buildPositions(index.constant(tap)));
    tables.push_back(taps.buildWeights(index.constant(tap)));
  }
  SmallVector<AffineMap> maps(tables.size(), getAxisMap(rank, axis.dim));
  maps.push_back(builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  Value init = omb::createEmpty(builder, loc, resized, sizes);
  return linalg::GenericOp::create(
             builder, loc, resized, tables, init, maps, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               Scalars s(b, loc, getComputedType());
               SmallVector<Value> position;
               for (int64_t dim = 0; dim < rank; ++dim)
                 position.push_back(linalg::IndexOp::create(b, loc, dim));
               Value sum;
               for (size_t at = 0; at + 1 < arguments.size(); at += 2) {
                 position[axis.dim] = arith::IndexCastOp::create(
                     b, loc, b.getIndexType(), arguments[at]);
                 Value found = toComputed(
                     b, tensor::ExtractOp::create(b, loc, x, position));
                 Value weight = toComputed(b, arguments[at + 1]);
                 Value term = s.mul(found, weight);
                 sum = sum ? s.add(sum, term) : term;
               }
               linalg::YieldOp::create(b, loc, sum);
             })
      .getResult(0);
}

/// The average of many taps, or of a number of them that isn't known: a loop
/// for each element, which also sums up the weights.
Value Interpolation::sumTaps(Value x, Taps &taps, const ResizedAxis &axis,
                             RankedTensorType resized, ValueRange sizes) {
  Value positions = taps.buildAllPositions();
  Value weights = taps.buildAllWeights();
  Value zero = index.constant(0), one = index.constant(1);
  return omb::buildFromIndices(
      builder, loc, resized, sizes,
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        Value none = omb::createZero(b, loc, getComputedType());
        auto loop = scf::ForOp::create(
            b, loc, zero, taps.getCount(), one, ValueRange{none, none},
            [&](OpBuilder &inner, Location, Value tap, ValueRange sums) {
              Scalars s(inner, loc, getComputedType());
              SmallVector<Value> place{at[axis.dim], tap};
              Value from =
                  tensor::ExtractOp::create(inner, loc, positions, place);
              Value weight = toComputed(
                  inner, tensor::ExtractOp::create(inner, loc, weights, place));
              SmallVector<Value> position(at);
              position[axis.dim] =
                  arith::IndexCastOp::create(s, s.getIndexType(), from);
              Value found = toComputed(
                  inner, tensor::ExtractOp::create(inner, loc, x, position));
              scf::YieldOp::create(
                  inner, loc,
                  ValueRange{s.add(sums[0], s.mul(found, weight)),
                             s.add(sums[1], weight)});
            });
        Scalars s(b, loc, getComputedType());
        Value total = loop.getResult(1);
        Value isNothing = s.equal(total, none);
        return s.div(loop.getResult(0),
                     s.select(isNothing, s.constant(total, 1), total));
      });
}

/// `x` with the extrapolation value where the axis isn't sampled.
Value Interpolation::extrapolate(Value x, const ResizedAxis &axis) {
  auto xType = cast<RankedTensorType>(x.getType());
  int64_t rank = xType.getRank();
  Value init = omb::createEmpty(builder, loc, xType, index.sizes(x));
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, xType, x, init, maps, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               Scalars s(b, loc, b.getF32Type());
               Value at = linalg::IndexOp::create(b, loc, axis.dim);
               Value outside = s.constant(arguments[0], options.extrapolation);
               linalg::YieldOp::create(
                   b, loc,
                   s.select(isOnAxis(s, axis, at), arguments[0], outside));
             })
      .getResult(0);
}

Value Interpolation::resizeAxis(Value x, const ResizedAxis &axis) {
  auto xType = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> shape(xType.getShape());
  shape[axis.dim] = getConstantIntValue(axis.to).value_or(ShapedType::kDynamic);
  auto resized = RankedTensorType::get(shape, getComputedType());
  SmallVector<Value> sizes = index.sizes(x);
  sizes[axis.dim] = axis.to;
  Taps taps(builder, loc, axis, options);
  constexpr int64_t kFew = 4;
  bool isFew = taps.getKnownCount().value_or(kFew + 1) <= kFew;
  Value result = isFew ? addTaps(x, taps, axis, resized, sizes)
                       : sumTaps(x, taps, axis, resized, sizes);
  return options.coordinates == SamplingOptions::CropAndResize
             ? extrapolate(result, axis)
             : result;
}

/// Floats of the computation as elements of the result.
Value Interpolation::convert(Value x) {
  auto xType = cast<RankedTensorType>(x.getType());
  if (xType.getElementType() == type.getElementType())
    return omb::castTensor(builder, loc, x, type);
  Value result = omb::mapElements(builder, loc, x, type.getElementType(),
                                  [&](OpBuilder &b, Location, Value number) {
                                    return fromComputed(b, number);
                                  });
  return omb::castTensor(builder, loc, result, type);
}

Value Interpolation::resize(Value x, ArrayRef<ResizedAxis> axes) {
  bool isCropped = options.coordinates == SamplingOptions::CropAndResize;
  for (const ResizedAxis &axis : axes)
    if (isCropped || axis.knownScale != 1.0f || !axis.hasSameSize)
      x = resizeAxis(x, axis);
  return convert(x);
}

Value omb::buildInterpolation(OpBuilder &builder, Location loc, Value x,
                              Type onnxType, ArrayRef<ResizedAxis> axes,
                              const SamplingOptions &options,
                              RankedTensorType type) {
  Interpolation interpolation(builder, loc, onnxType, options, type);
  if (options.mode == SamplingOptions::Nearest)
    return interpolation.pickNearest(x, axes);
  return interpolation.resize(x, axes);
}
