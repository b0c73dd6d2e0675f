//===- ChannelPool.h - Pools of images with their channels last -*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_CHANNELPOOL_H
#define OMB_LOWERING_VECTOR_CHANNELPOOL_H

#include "lowering/vector/Combiner.h"
#include "lowering/vector/RegisterTile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// A maximum, sum or the like of windows of an image with its channels last:
///
///   out[p..., c] = combine(out[p..., c], g(image[f(p..., r...), c]))
///
/// A second operand, a tensor without contents, has the window's sizes r. `out`
/// starts with a constant.
struct ChannelPool {
  mlir::linalg::LinalgOp op;
  mlir::linalg::FillOp fill;
  Combiner combiner;
  /// Loops: the channels, and the positions in the order of the output's
  /// dimensions.
  unsigned channel;
  llvm::SmallVector<unsigned> positions;

  /// Fails with the reason where `op` is something else.
  static mlir::FailureOr<ChannelPool>
  match(mlir::linalg::LinalgOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);

  mlir::OpOperand *getImage() const;
  mlir::OpOperand *getWindow() const;
  TileDemand getTileDemand() const;
};

/// The tensor without contents that has a window's sizes; null if `window` is
/// something else.
mlir::RankedTensorType getWindowType(mlir::Value window);

/// Whether `combiner`, starting with `start`, passes over elements that are
/// `padding`.
bool ignoresPadding(const Combiner &combiner, mlir::Attribute start,
                    mlir::Attribute padding);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CHANNELPOOL_H
