//===- EinsumEquation.h - The equation of an Einsum -------------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_EINSUMEQUATION_H
#define OMB_DIALECT_SHAPE_EINSUMEQUATION_H

#include "mlir/IR/Operation.h"

namespace omb::onnx {

/// Labels of the dimensions of each operand and of the result: a letter as its
/// character code, and a dimension of an ellipsis as -1 for the last one, -2
/// for the one before it, and so on, which is how they are broadcast.
struct EinsumEquation {
  llvm::SmallVector<llvm::SmallVector<int64_t>> operands;
  llvm::SmallVector<int64_t> result;
};

/// Reads `equation` for operands of the given ranks. Fails with a diagnostic at
/// `op` where it is no equation, or one of other operands.
mlir::FailureOr<EinsumEquation> parseEinsum(mlir::Operation *op,
                                            llvm::StringRef equation,
                                            llvm::ArrayRef<int64_t> ranks);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_EINSUMEQUATION_H
