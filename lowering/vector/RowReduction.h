//===- RowReduction.h - One value of each row -------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROWREDUCTION_H
#define OMB_LOWERING_VECTOR_ROWREDUCTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace omb::kernels {

/// A `linalg.generic` that reduces the last dimension:
///
///   out[rows...] = combine(out[rows...], g(inputs at rows..., j))
///
/// where `out` starts with a constant.
struct RowReduction {
  mlir::linalg::GenericOp op;
  mlir::linalg::FillOp fill;
  /// The operation of the body that combines, and what it combines with `out`.
  mlir::Operation *combine;
  mlir::Value element;
  mlir::vector::CombiningKind kind;

  /// Fails with the reason where `op` is something else.
  static mlir::FailureOr<RowReduction>
  match(mlir::linalg::LinalgOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);

  mlir::FloatType getType() const;
  /// What changes nothing that it is combined with.
  mlir::TypedAttr getNeutral(mlir::OpBuilder &builder) const;
  /// One of two, which may be vectors.
  mlir::Value createCombine(mlir::OpBuilder &builder, mlir::Value lhs,
                            mlir::Value rhs) const;
  /// One scalar of a vector's lanes, and of what the reduction starts with.
  mlir::Value createScalar(mlir::OpBuilder &builder, mlir::Value lanes) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROWREDUCTION_H
