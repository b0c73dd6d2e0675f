//===- Matmul.h - Shapes of matrix products ---------------------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_MATMUL_H
#define OMB_DIALECT_SHAPE_MATMUL_H

#include "dialect/shape/ShapeInference.h"

namespace omb::onnx {

/// The result of `op` has the shape of NumPy's matmul of `a` and `b`.
llvm::LogicalResult inferMatrixProduct(mlir::Operation *op, mlir::Value a,
                                       mlir::Value b, ShapeAnalysis &analysis);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_MATMUL_H
