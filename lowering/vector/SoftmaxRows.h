//===- SoftmaxRows.h - Softmax of the last dimension ------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_SOFTMAXROWS_H
#define OMB_LOWERING_VECTOR_SOFTMAXROWS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// Operations that compute exp(x - max(x)) / sum(exp(x - max(x))) of each row.
struct SoftmaxRows {
  mlir::Value x;
  /// The op that has the exponential: in its body, x - max(x) and what is made
  /// of it.
  mlir::linalg::GenericOp exponential;
  mlir::Value shifted, raised;
  /// The division by the sum, which is at least 1 or no number.
  mlir::Operation *quotient;
  /// Whether what isn't a number becomes zero then. Either all values of a row
  /// are numbers or none is.
  bool zeroesNaN = false;

  /// What `root` is the last of; fails where it is something else.
  static mlir::FailureOr<SoftmaxRows> match(mlir::linalg::GenericOp root);

  /// The exponential of a value, which may be a vector of `lanes`.
  mlir::Value createExp(mlir::OpBuilder &builder, mlir::Value value,
                        int64_t lanes) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SOFTMAXROWS_H
