//===- IndexWriter.h - Code of indices --------------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_INDEXWRITER_H
#define OMB_LOWERING_VECTOR_INDEXWRITER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

namespace omb::kernels {

/// What all writers of kernels do with indices.
class IndexWriter {
protected:
  IndexWriter(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::Value constant(int64_t value);
  mlir::Value asValue(mlir::OpFoldResult index);
  /// 1 of no sizes.
  mlir::Value getProduct(llvm::ArrayRef<mlir::OpFoldResult> sizes);
  /// The `block`-th range of `step` below `size`.
  std::pair<mlir::Value, mlir::Value>
  getRange(mlir::Value block, mlir::Value step, mlir::Value size);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_INDEXWRITER_H
