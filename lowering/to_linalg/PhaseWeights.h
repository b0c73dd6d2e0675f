//===- PhaseWeights.h - Weights of transposed convolutions ------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_PHASEWEIGHTS_H
#define OMB_LOWERING_TO_LINALG_PHASEWEIGHTS_H

#include "mlir/IR/Builders.h"

namespace omb {

/// How a transposed convolution's weights, [group * channels, features,
/// kernel...], become those of the convolution that computes all its phases:
/// [group * phases * features, channels, taps...]. Tap t of phase p has the
/// kernel's element at (taps - 1 - t) * stride + p, counted with the zeros that
/// dilations put between elements; 0 where it has none there.
struct PhaseWeights {
  int64_t group;
  llvm::SmallVector<int64_t> strides;
  /// Of the transposed convolution; they don't matter where the stride is 1.
  llvm::SmallVector<int64_t> dilations;
  llvm::SmallVector<mlir::Value> taps;

  /// A constant where `weights` are one.
  mlir::Value build(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value weights) const;
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_PHASEWEIGHTS_H
