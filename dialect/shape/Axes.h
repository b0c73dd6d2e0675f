//===- Axes.h - Lists of axes -----------------------------------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_AXES_H
#define OMB_DIALECT_SHAPE_AXES_H

#include "mlir/IR/Operation.h"

namespace omb::onnx {

/// `axis` counted from the front. Fails with a diagnostic at `op` where it is
/// out of range.
mlir::FailureOr<int64_t> normalizeAxis(mlir::Operation *op, int64_t axis,
                                       int64_t rank);

/// The same for each of `axes`, none of which may occur twice.
mlir::FailureOr<llvm::SmallVector<int64_t>>
normalizeAxes(mlir::Operation *op, llvm::ArrayRef<int64_t> axes, int64_t rank);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_AXES_H
