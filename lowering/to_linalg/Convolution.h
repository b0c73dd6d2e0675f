//===- Convolution.h - What the convolutions have in common -----*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_CONVOLUTION_H
#define OMB_LOWERING_TO_LINALG_CONVOLUTION_H

#include "lowering/to_linalg/Windows.h"

namespace omb {

/// Why a convolution can't be lowered; empty where it can. Shape inference has
/// told the user already, unless it didn't run. Types that aren't known are
/// null.
llvm::StringRef findConvolutionObstacle(mlir::RankedTensorType input,
                                        mlir::RankedTensorType weights,
                                        mlir::RankedTensorType result,
                                        int64_t group);

/// The windows of a convolution and the sizes of its result.
struct ConvolutionSizes {
  llvm::SmallVector<WindowDim> windows;
  llvm::SmallVector<mlir::Value> result;
};

/// Stops the run where `weights` don't fit `input`, or no window fits in.
ConvolutionSizes computeConvolution(IndexArithmetic index,
                                    const onnx::WindowAttributes &attributes,
                                    mlir::Value input, mlir::Value weights,
                                    int64_t group, llvm::StringRef name);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_CONVOLUTION_H
