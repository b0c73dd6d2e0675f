//===- ChannelContraction.h - Products of an input and weights --*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_CHANNELCONTRACTION_H
#define OMB_LOWERING_VECTOR_CHANNELCONTRACTION_H

#include "lowering/vector/CodedWeights.h"
#include "lowering/vector/RegisterTile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// A sum of products of an input and weights whose output has the channels as
/// its last dimension: products of matrices and convolutions of images with the
/// channels last.
///
///   output[b p..., n] += input[b p..., f(p..., r...)] * weights[b..., n, r...]
///
/// The batches b are among the positions p in any order. Of a depthwise
/// convolution, the input has the channels as its last dimension, too.
///
/// The weights are constant, or computed of constant codes in registers, or
/// have as many positions to be used for that putting them into another order
/// first pays.
struct ChannelContraction {
  mlir::linalg::LinalgOp op;
  mlir::OpOperand *input;
  mlir::OpOperand *weights;
  /// Loops: the channels, what is summed over, and the others, in the order of
  /// the output's dimensions. Of these, some may go through the weights too.
  unsigned channel;
  llvm::SmallVector<unsigned> reductions;
  llvm::SmallVector<unsigned> batches;
  llvm::SmallVector<unsigned> positions;
  /// Whether each channel of the output has a channel of the input of its own.
  bool isDepthwise = false;
  /// Whether signed bytes are multiplied and summed in 32 bits.
  /// sumLastDimension has been called for them, unless it is depthwise.
  bool isInteger = false;

  /// Fails with the reason where `op` is something else.
  static mlir::FailureOr<ChannelContraction>
  match(mlir::linalg::LinalgOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);

  /// The innermost position that isn't a batch: that of the rows of a tile.
  /// None where there is one position only.
  std::optional<unsigned> getColumn() const;
  /// The number of values along a loop; dynamic where it isn't known.
  int64_t getSize(unsigned loop) const;
  /// The weights' dimensions in the order batches, channels, what is summed.
  llvm::SmallVector<int64_t> getWeightsOrder() const;
  bool hasConstantWeights() const;
  /// Whether an operand isn't of the type that products of these sums usually
  /// have: only with weights of codes.
  bool hasNarrowFactors() const;
  /// Fails with the reason where kernels don't compute the weights of codes.
  mlir::FailureOr<CodedWeights>
  matchCodedWeights(llvm::function_ref<void(const llvm::Twine &)> why) const;
  /// Whether f32 holds every sum of as many products of a byte less another and
  /// a byte exactly.
  bool sumsFitFloats() const;
  /// Makes the loop of the input's last dimension the last of the reductions;
  /// fails where values that are summed up don't lie next to each other, or
  /// nobody knows how many.
  mlir::LogicalResult sumLastDimension();
  /// The bytes of an element of the sums.
  unsigned getElementBytes() const;
  TileDemand getTileDemand() const;
};

/// Whether all elements of `value` are zero, which a `linalg.fill` made them.
bool isZeroFill(mlir::Value value);

/// Whether the body of `op` is out + lhs * rhs in floating point.
bool multipliesAndAdds(mlir::linalg::LinalgOp op);

/// The body of such a product: out + input * weights, with narrow factors
/// extended, and bytes made floats where the sums are floats.
void buildMultiplyAdd(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::ValueRange args);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CHANNELCONTRACTION_H
