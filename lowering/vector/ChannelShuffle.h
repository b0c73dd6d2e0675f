//===- ChannelShuffle.h - Groups of channels interleaved --------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_CHANNELSHUFFLE_H
#define OMB_LOWERING_VECTOR_CHANNELSHUFFLE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace omb::kernels {

/// A copy that takes the channels of a few groups in turns:
///
///   out[p..., c * groups + g] = in[p..., g, c]
///
/// A transposition whose last two dimensions become one.
struct ChannelShuffle {
  mlir::linalg::TransposeOp transpose;
  mlir::tensor::CollapseShapeOp collapse;

  /// Fails where `collapse` is something else, or is better left to be one with
  /// the elementwise ops around it.
  static mlir::FailureOr<ChannelShuffle>
  match(mlir::tensor::CollapseShapeOp collapse);

  mlir::Value getSource() const;
  mlir::RankedTensorType getSourceType() const;
  int64_t getGroups() const;
  /// The channels of a group.
  int64_t getChannels() const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CHANNELSHUFFLE_H
