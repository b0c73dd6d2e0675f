//===- ChannelContraction.h - Products with constant weights ----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_CHANNELCONTRACTION_H
#define OMB_LOWERING_VECTOR_CHANNELCONTRACTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// A sum of products of an input and weights whose output has the channels,
/// which only the weights have, as its last dimension: products of matrices and
/// convolutions of images with the channels last.
///
///   output[p..., n] += input[f(p..., r...)] * weights[n, r...]
struct ChannelContraction {
  mlir::linalg::LinalgOp op;
  mlir::OpOperand *input;
  mlir::OpOperand *weights;
  /// Loops: the channels, what is summed over, and the others, in the order of
  /// the output's dimensions.
  unsigned channel;
  llvm::SmallVector<unsigned> reductions;
  llvm::SmallVector<unsigned> positions;

  /// Fails with the reason where `op` is something else.
  static mlir::FailureOr<ChannelContraction>
  match(mlir::linalg::LinalgOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);

  /// The number of values along a loop; dynamic where it isn't known.
  int64_t getSize(unsigned loop) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CHANNELCONTRACTION_H
