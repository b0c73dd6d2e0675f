//===- RowReduction.h - One value of each row -------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROWREDUCTION_H
#define OMB_LOWERING_VECTOR_ROWREDUCTION_H

#include "lowering/vector/Combiner.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// A `linalg.generic` that reduces the last dimension:
///
///   out[rows...] = combine(out[rows...], g(inputs at rows..., j))
///
/// where `out` starts with a constant.
struct RowReduction : Combiner {
  mlir::linalg::GenericOp op;
  mlir::linalg::FillOp fill;

  /// Fails with the reason where `op` is something else.
  static mlir::FailureOr<RowReduction>
  match(mlir::linalg::LinalgOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);

  mlir::FloatType getType() const;
  /// What changes nothing that it is combined with.
  mlir::TypedAttr getNeutral(mlir::OpBuilder &builder) const;
  /// One scalar of a vector's lanes, and of what the reduction starts with.
  mlir::Value createScalar(mlir::OpBuilder &builder, mlir::Value lanes) const;
};

/// Whether there are so few rows, which are so long, that threads do better
/// with parts of them: of loops, or a tensor, whose last dimension is a row.
bool hasLongRows(llvm::ArrayRef<int64_t> shape);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROWREDUCTION_H
