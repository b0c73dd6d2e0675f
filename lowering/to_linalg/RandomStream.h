//===- RandomStream.h - Counter-based random numbers ------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_RANDOMSTREAM_H
#define OMB_LOWERING_TO_LINALG_RANDOMSTREAM_H

#include "lowering/to_linalg/Scalars.h"

#include <array>

namespace omb {

/// An endless sequence of random numbers, each computed from its position
/// alone: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", 2011). The integers are the same on all targets.
class RandomStream {
public:
  /// The stream that `seed` names.
  static RandomStream seeded(mlir::OpBuilder &builder, mlir::Location loc,
                             uint64_t seed);
  /// A stream that no earlier evaluation of any op of the session had, and no
  /// seed names. Sessions begin with the same ones.
  static RandomStream fresh(mlir::OpBuilder &builder, mlir::Operation *op);

  /// Number `position` (an i64) as a float in [0, 1), f64 where `type` is,
  /// else f32. It has no more bits than `type` holds for all of [0, 1).
  mlir::Value uniform(Scalars &s, mlir::Value position,
                      mlir::FloatType type) const;
  /// Number `position` of a normal distribution of mean 0 and deviation 1, as
  /// an f32 or f64.
  mlir::Value normal(Scalars &s, mlir::Value position,
                     mlir::FloatType type) const;

private:
  RandomStream(mlir::Value key, bool isSeeded) : key(key), isSeeded(isSeeded) {}

  /// The four words of 32 bits at `position`.
  std::array<mlir::Value, 4> words(Scalars &s, mlir::Value position) const;

  mlir::Value key;
  bool isSeeded;
};

/// Where the element at `indices` is in a tensor of `sizes` in row-major order,
/// as an i64.
mlir::Value getElementNumber(Scalars &s, mlir::ValueRange indices,
                             mlir::ValueRange sizes);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_RANDOMSTREAM_H
