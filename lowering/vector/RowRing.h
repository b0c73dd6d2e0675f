//===- RowRing.h - Rows of an image that are kept for a while ---*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROWRING_H
#define OMB_LOWERING_VECTOR_ROWRING_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// Some channels of the last rows of an image, in a workgroup's own memory of
/// [rows, columns, channels]. A row is where that was whose number is less by
/// the number of rows.
struct RowRing {
  mlir::Value memory;
  /// The first of the channels.
  mlir::Value channel;

  /// On the stack. `element` is of what is stored.
  static RowRing create(mlir::OpBuilder &builder, mlir::Location loc,
                        llvm::ArrayRef<int64_t> shape, mlir::Type element,
                        mlir::Value channel);

  /// Where in the memory the element at (image, row, column, channel) is.
  llvm::SmallVector<mlir::Value> locate(mlir::OpBuilder &builder,
                                        mlir::Location loc,
                                        llvm::ArrayRef<mlir::Value> at) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROWRING_H
