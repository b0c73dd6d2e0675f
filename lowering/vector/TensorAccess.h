//===- TensorAccess.h - Where elements of tensors come from -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_TENSORACCESS_H
#define OMB_LOWERING_VECTOR_TENSORACCESS_H

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SetVector.h"

namespace omb::kernels {

/// The loops of a kernel, which are the dimensions of the expressions that say
/// where it reads tensors, and the indices that are their symbols.
struct AccessSpace {
  mlir::MLIRContext *context;
  /// The number of values along each loop, dynamic where it isn't known.
  llvm::SmallVector<int64_t> sizes;
  llvm::SetVector<mlir::Value> symbols;

  mlir::AffineExpr getLoop(unsigned loop) const;
  mlir::AffineExpr getExpr(mlir::OpFoldResult index);
  /// How often `divisor` goes into an index that isn't negative, and what is
  /// left.
  mlir::AffineExpr divide(mlir::AffineExpr index, int64_t divisor) const;
  mlir::AffineExpr getRest(mlir::AffineExpr index, int64_t divisor) const;

private:
  /// The terms of a sum that are multiples of `divisor`, and the others, as far
  /// as these are known to be less than it; nothing otherwise.
  std::optional<std::pair<mlir::AffineExpr, mlir::AffineExpr>>
  split(mlir::AffineExpr index, int64_t divisor) const;
};

/// An element of a tensor.
struct TensorAccess {
  mlir::Value tensor;
  llvm::SmallVector<mlir::AffineExpr> at;

  bool isFunctionOf(unsigned loop) const;
  /// The dimension that a loop alone goes along, from a start that depends on
  /// none of `loops`; none if there is no such, or the loop is used elsewhere.
  std::optional<unsigned> getDim(unsigned loop,
                                 llvm::ArrayRef<unsigned> loops) const;
};

/// What an operand of `op` reads if its loops have these values.
TensorAccess getOperandAccess(mlir::OpOperand &operand,
                              llvm::ArrayRef<mlir::AffineExpr> loops);

/// The same element in the tensor that `access`'s is a view of: an element that
/// a transposition, a reshape, a slice or a broadcast moves, but doesn't
/// change. Nothing where it is no view of another tensor.
std::optional<TensorAccess> getViewSource(AccessSpace &space,
                                          const TensorAccess &access);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_TENSORACCESS_H
