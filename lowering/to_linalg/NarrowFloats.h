//===- NarrowFloats.h - Floats of 4, 6 and 8 bits ---------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_NARROWFLOATS_H
#define OMB_LOWERING_TO_LINALG_NARROWFLOATS_H

#include "lowering/to_linalg/Scalars.h"

namespace omb {

/// Whether `type` is a float of at most 8 bits. IREE has no arithmetic on them
/// for all targets; they are taken apart as bits.
bool isNarrowFloat(mlir::Type type);

/// How a float is rounded to a narrower one (the attributes of Cast).
struct NarrowingOptions {
  /// What is too large becomes the largest number, not an infinity or NaN.
  bool saturate = true;
  /// Of f8E8M0FNU only, which holds powers of two.
  enum { Up, Down, Nearest } powerRounding = Up;
};

/// The f32 that `x` is, a float of type `type` (at most 8 bits) or, where that
/// is a sub-byte type, an i8 with its code.
mlir::Value decodeNarrowFloat(Scalars &s, mlir::Value x, mlir::FloatType type);

/// The float of type `type` (at most 8 bits) that is nearest to the f32 `x`, or
/// an i8 with its code where that is a sub-byte type.
mlir::Value encodeNarrowFloat(Scalars &s, mlir::Value x, mlir::FloatType type,
                              NarrowingOptions options);

/// The f32 nearest to the f64 `x`, with the last bit set where `x` lies between
/// two f32: rounding it once more gives what rounding `x` directly gives.
mlir::Value roundToOdd(Scalars &s, mlir::Value x);

/// An f32 rounded to the nearest bf16, as an f32: by its bits, since IREE drops
/// a truncation to bf16 that an extension follows.
mlir::Value roundToBFloat(Scalars &s, mlir::Value x);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_NARROWFLOATS_H
