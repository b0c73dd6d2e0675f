//===- SparseProduct.h - Products with sparse constants ---------*- C++ -*-===//

#ifndef OMB_LOWERING_SPARSE_SPARSEPRODUCT_H
#define OMB_LOWERING_SPARSE_SPARSEPRODUCT_H

#include "lowering/sparse/SparseWeights.h"
#include "lowering/vector/ChannelContraction.h"

namespace omb {

/// A product of rows [m, k] of f32 and a sparse constant [k, n] of f32 or
/// signed bytes.
struct SparseProduct {
  kernels::ChannelContraction contraction;
  SparseWeights weights;

  mlir::Value getRows() const { return contraction.input->get(); }
  mlir::RankedTensorType getWeightsType() const {
    return mlir::cast<mlir::RankedTensorType>(
        contraction.weights->get().getType());
  }

  /// The product that `op` is; fails with the reason where it is something
  /// else.
  static mlir::FailureOr<SparseProduct>
  match(mlir::linalg::LinalgOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);
};

/// Says of each sum with sparse weights in `module` that isn't such a product
/// why it isn't.
void remarkOtherSparseSums(mlir::ModuleOp module);

} // namespace omb

#endif // OMB_LOWERING_SPARSE_SPARSEPRODUCT_H
