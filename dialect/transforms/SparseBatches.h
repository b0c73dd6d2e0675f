//===- SparseBatches.h - Batches of sparse weights --------------*- C++ -*-===//

#ifndef OMB_DIALECT_TRANSFORMS_SPARSEBATCHES_H
#define OMB_DIALECT_TRANSFORMS_SPARSEBATCHES_H

#include "dialect/ir/ops/Matmul.h"
#include "dialect/transforms/SparseMatrix.h"

#include "mlir/IR/PatternMatch.h"

namespace omb::onnx {

/// A product of [batch, m, k], or [1, m, k], with constant weights of f32 of
/// [batch, k, n], each matrix of which is to be a constant of its own.
struct SparseBatch {
  MatMulOp op;
  SparseSource weights;

  /// Fails where `op` is something else.
  static std::optional<SparseBatch> match(MatMulOp op);

  int64_t getCount() const { return weights.type.getDimSize(0); }
  /// Those of each product; none where the elements aren't known.
  llvm::SmallVector<SparseMatrix> getMatrices() const;
  /// Puts products by each of the factors, which are the matrices, and what
  /// joins them, in the place of `op`.
  llvm::SmallVector<MatMulOp> split(mlir::RewriterBase &rewriter,
                                    mlir::ValueRange factors) const;
};

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_SPARSEBATCHES_H
