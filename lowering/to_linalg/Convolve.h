//===- Convolve.h - Convolutions as ops of linalg ---------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_CONVOLVE_H
#define OMB_LOWERING_TO_LINALG_CONVOLVE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// What a convolution is added to: `bias`, one for each feature, or 0 where it
/// is null. `type` and `sizes` are those of the sums.
mlir::Value buildConvolutionInit(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::RankedTensorType type,
                                 mlir::ValueRange sizes, mlir::Value bias);

/// Adds the convolution of `input` (batch, channels, spatial dimensions) with
/// `weights` (features, channels of a group, spatial dimensions) to `init`
/// (batch, features, spatial dimensions), whose element type is the
/// accumulator's. There is no padding: all windows lie in `input`. A named op
/// where linalg has one for the layout, else a linalg.generic.
mlir::Value buildConvolution(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value input, mlir::Value weights,
                             mlir::Value init, int64_t group,
                             llvm::ArrayRef<int64_t> strides,
                             llvm::ArrayRef<int64_t> dilations);

/// `tensor` with dimension `dim` split into `parts` of equal size.
mlir::Value splitDim(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value tensor, int64_t dim, int64_t parts);
/// `tensor`, as `type`, with dimension `dim` and the next one as one.
mlir::Value joinDims(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value tensor, int64_t dim,
                     mlir::RankedTensorType type);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_CONVOLVE_H
