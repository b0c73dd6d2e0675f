//===- Interpolation.h - Tensors sampled at other points --------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_INTERPOLATION_H
#define OMB_LOWERING_TO_LINALG_INTERPOLATION_H

#include "lowering/to_linalg/Sampling.h"

#include <optional>

namespace omb {

/// How the elements between those of a tensor are computed (the attributes of
/// Resize).
struct SamplingOptions : SamplingFilter {
  enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    CropAndResize
  } coordinates = HalfPixel;
  enum Rounding { PreferFloor, PreferCeil, Floor, Ceil } rounding = PreferFloor;
  bool isAntialiased = false;
  bool excludesOutside = false;
  float extrapolation = 0;
};

/// One dimension that is resized.
struct ResizedAxis {
  int64_t dim = 0;
  /// The sizes, as indices.
  mlir::Value from;
  mlir::Value to;
  /// f32: the new length by the old one; the new length before it is rounded.
  mlir::Value scale;
  mlir::Value length;
  /// The scale as a fraction of indices, where sizes give it; else null.
  mlir::Value numerator;
  mlir::Value denominator;
  /// f32, of CropAndResize only: the part of the axis that is sampled.
  mlir::Value roiStart;
  mlir::Value roiEnd;
  /// The scale where it is known, and whether the sizes are known to be equal.
  std::optional<float> knownScale;
  bool hasSameSize = false;
};

/// `x`, whose element type before conversion is `onnxType`, with `axes` resized
/// to a tensor of `type`.
mlir::Value buildInterpolation(mlir::OpBuilder &builder, mlir::Location loc,
                               mlir::Value x, mlir::Type onnxType,
                               llvm::ArrayRef<ResizedAxis> axes,
                               const SamplingOptions &options,
                               mlir::RankedTensorType type);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_INTERPOLATION_H
