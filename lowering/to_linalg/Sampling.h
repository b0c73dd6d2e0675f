//===- Sampling.h - Elements between those of a tensor ----------*- C++ -*-===//
//
// What lies between the elements of a tensor is a sum of those around it, with
// weights by their distances. Resize computes the weights once for each axis
// (Interpolation.h). Ops whose points depend on their operands compute them for
// each point.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_LOWERING_TO_LINALG_SAMPLING_H
#define OMB_LOWERING_TO_LINALG_SAMPLING_H

#include "lowering/to_linalg/Scalars.h"

namespace omb {

/// How the elements around a point make the one at the point.
struct SamplingFilter {
  enum Mode { Nearest, Linear, Cubic } mode = Nearest;
  float cubicCoefficient = -0.75f;
};

/// The weight of an element that is `distance` away; not of Nearest.
mlir::Value getFilter(Scalars &s, const SamplingFilter &filter,
                      mlir::Value distance);

/// The index `position` as a number of the float type `type`.
mlir::Value toCoordinate(Scalars &s, mlir::Value position, mlir::Type type);

/// The whole number `number` as an index. One that is far outside of all
/// tensors (or NaN) becomes another that is.
mlir::Value toPosition(Scalars &s, mlir::Value number);

/// Whether `position` is not in [0, size).
mlir::Value isOutside(Scalars &s, mlir::Value position, mlir::Value size);

/// The elements of tensors of type `elementType` (after conversion) as the
/// floats that are computed with. The Scalars know the type before conversion.
class SampledElements {
public:
  /// rounds: whether an integer becomes the nearest one, rather than the next
  /// one to 0.
  SampledElements(mlir::Type elementType, bool rounds)
      : elementType(elementType), rounds(rounds) {}

  /// Integers that f32 doesn't hold are computed in f64.
  mlir::Type getComputedType() const;
  mlir::Value toComputed(Scalars &s, mlir::Value element) const;
  /// As near as the element type allows.
  mlir::Value fromComputed(Scalars &s, mlir::Value number) const;

private:
  mlir::Type elementType;
  bool rounds;
};

/// What lies beyond the edges of a tensor.
struct SamplingEdges {
  enum Padding { Zeros, Border, Reflection } padding = Zeros;
  /// Whether it is reflected at the centers of the outermost elements, rather
  /// than half an element further out.
  bool alignCorners = false;
};

/// `coordinate` in a dimension of `size` elements, brought to where it means
/// the same as in the padding.
mlir::Value padCoordinate(Scalars &s, const SamplingEdges &edges,
                          mlir::Value coordinate, mlir::Value size);

/// Samples a tensor of any number of outer dimensions before those in which the
/// points lie. No point makes it read outside of the tensor, as long as that
/// has elements.
class PointSampler {
public:
  /// sizes: of the dimensions in which the points lie.
  PointSampler(mlir::Value x, mlir::ValueRange sizes,
               const SamplingFilter &filter, const SamplingEdges &edges,
               const SampledElements &elements)
      : x(x), sizes(sizes), filter(filter), edges(edges), elements(elements) {}

  /// The element nearest to a point; ties go to even positions.
  mlir::Value pickNearest(Scalars &s, mlir::ValueRange outer,
                          mlir::ValueRange coordinates) const;

  /// Combines two elements with their weights.
  using Combination = mlir::Value (Scalars::*)(mlir::Value, mlir::Value);

  /// The sum (or whatever `combine` makes) of the weighted elements around a
  /// point, in the computed type.
  mlir::Value interpolate(Scalars &s, mlir::ValueRange outer,
                          mlir::ValueRange coordinates,
                          Combination combine = &Scalars::add) const;

private:
  /// An element of one dimension.
  struct Tap {
    mlir::Value at;
    /// Null where it always is.
    mlir::Value isInside;
    mlir::Value weight;
  };
  /// The element at `position`, or 0 unless all of `areInside` hold.
  mlir::Value read(Scalars &s, mlir::ValueRange position,
                   mlir::ValueRange areInside) const;
  /// Where `position`, at most a few elements beyond an edge, takes from.
  Tap getTap(Scalars &s, mlir::Value position, size_t dim) const;
  mlir::Value combineTaps(Scalars &s, llvm::ArrayRef<Tap> chosen,
                          mlir::ValueRange outer, mlir::ValueRange coordinates,
                          llvm::ArrayRef<llvm::SmallVector<Tap>> taps,
                          Combination combine) const;
  mlir::Value loopOverTaps(Scalars &s, llvm::ArrayRef<Tap> chosen,
                           mlir::ValueRange outer, mlir::ValueRange coordinates,
                           llvm::ArrayRef<llvm::SmallVector<Tap>> taps,
                           Combination combine) const;
  int64_t getTapCount() const {
    return filter.mode == SamplingFilter::Cubic ? 4 : 2;
  }
  mlir::Value getFirst(Scalars &s, mlir::Value coordinate) const;
  Tap getWeightedTap(Scalars &s, mlir::Value position, mlir::Value coordinate,
                     size_t dim) const;

  mlir::Value x;
  llvm::SmallVector<mlir::Value> sizes;
  SamplingFilter filter;
  SamplingEdges edges;
  SampledElements elements;
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_SAMPLING_H
