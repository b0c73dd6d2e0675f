//===- PackedContraction.h - What a kernel computes -------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PACKEDCONTRACTION_H
#define OMB_LOWERING_VECTOR_PACKEDCONTRACTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// What omb-pack-contractions makes of a product:
///
///   packed[b..., p..., j, v] += input[b..., f(p..., r...)]
///                               * panels[b..., j, r..., v]
///   out = linalg.unpack packed
///
/// and what is done to each element of `out` before anything else is.
struct PackedContraction {
  mlir::linalg::FillOp fill;
  mlir::linalg::GenericOp product;
  mlir::linalg::UnPackOp unpack;
  /// Null where the product is the result.
  mlir::linalg::GenericOp epilogue;

  static mlir::FailureOr<PackedContraction>
  match(mlir::linalg::UnPackOp unpack);

  mlir::Value getInput() const { return operand(0); }
  mlir::Value getPanels() const { return operand(1); }
  mlir::RankedTensorType getPanelsType() const;
  /// What comes out: the epilogue's result or the unpacked product.
  mlir::Value getResult() const;
  mlir::RankedTensorType getResultType() const;
  /// The loops of the positions, in the order of the result's dimensions.
  llvm::SmallVector<unsigned> getPositions() const;
  /// The loops of the sum, in the order of the panels' dimensions.
  llvm::SmallVector<unsigned> getReductions() const;
  /// The loops of positions for which there are panels of their own: the first
  /// of the panels' dimensions.
  llvm::SmallVector<unsigned> getBatches() const;
  /// The dimension of the panels that counts them.
  unsigned getPanelDim() const { return getBatches().size(); }

private:
  mlir::Value operand(unsigned index) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PACKEDCONTRACTION_H
