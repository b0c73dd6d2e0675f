//===- Convolution.h - Shapes of convolutions -------------------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_CONVOLUTION_H
#define OMB_DIALECT_SHAPE_CONVOLUTION_H

#include "dialect/shape/ShapeInference.h"

namespace omb::onnx {

/// The result of `op` has the shape of a convolution of `x` with the weights
/// `w` and the bias `b`, which may be null. The attributes are those of `op`.
llvm::LogicalResult inferConvolution(mlir::Operation *op, mlir::Value x,
                                     mlir::Value w, mlir::Value b,
                                     int64_t group, ShapeAnalysis &analysis);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_CONVOLUTION_H
