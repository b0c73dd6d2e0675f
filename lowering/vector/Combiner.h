//===- Combiner.h - What a reduction does with two values -------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_COMBINER_H
#define OMB_LOWERING_VECTOR_COMBINER_H

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace omb::kernels {

/// A body of a linalg op that yields
///
///   combine(out, g(inputs))
///
/// where what combines is a sum, a product, a maximum or a minimum.
struct Combiner {
  /// The operation of the body that combines, and what it combines with `out`.
  mlir::Operation *combine;
  mlir::Value element;
  mlir::vector::CombiningKind kind;

  static mlir::FailureOr<Combiner> match(mlir::Block &body);

  /// One of two, which may be vectors.
  mlir::Value create(mlir::OpBuilder &builder, mlir::Value lhs,
                     mlir::Value rhs) const;
  /// The same for a CPU whose instruction for the larger of two vectors of
  /// floats gives the second one where one is no number; which of 0 and -0 is
  /// larger isn't defined.
  mlir::Value createShort(mlir::OpBuilder &builder, mlir::Value accumulator,
                          mlir::Value value) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_COMBINER_H
