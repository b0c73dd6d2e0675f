//===- ChannelsLast.h - Images with their channels last ---------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_CHANNELSLAST_H
#define OMB_LOWERING_VECTOR_CHANNELSLAST_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"

namespace omb::kernels {

/// The attribute of transpositions that omb-convert-layout moves: those that it
/// made itself, from channels last to channels second. For one spatial
/// dimension the permutation alone wouldn't tell.
constexpr llvm::StringLiteral kChannelsSecondAttrName = "omb.channels_second";

/// An image is [batch, channels, height, width], for any number of spatial
/// dimensions; with its channels last [batch, height, width, channels]. Here
/// the order of the latter in terms of the former: 0, 2, 3, 1.
llvm::SmallVector<int64_t> getChannelsLast(int64_t rank);
/// The way back: 0, 3, 1, 2.
llvm::SmallVector<int64_t> getChannelsSecond(int64_t rank);

/// The tensor with its dimensions in another order.
mlir::linalg::TransposeOp createTransposed(mlir::OpBuilder &builder,
                                           mlir::Location loc,
                                           mlir::Value tensor,
                                           llvm::ArrayRef<int64_t> order);

/// The image with its channels last: a transposition, or what an opposite one
/// was made of.
mlir::Value toChannelsLast(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value image);
/// The transposition back.
mlir::Value toChannelsSecond(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value image);
/// What toChannelsSecond() made `value` of; null if it is something else.
mlir::Value getChannelsLastSource(mlir::Value value);

/// Whether the last dimension that `map` reads, and nothing else of it, is the
/// loop `channel`.
bool hasChannelsLast(mlir::AffineMap map, unsigned channel);

/// Convolutions with constant weights, whose channels come last afterwards;
/// `named`: as named operations, of those that IREE knows to generate code of
/// for GPUs.
void populateConvolutionLayoutPatterns(mlir::RewritePatternSet &patterns,
                                       bool named);

/// What is computed of an image whose channels were moved to the second
/// dimension is computed of the image as it was. `movesPools`: images are moved
/// for pools, too.
void populateLayoutPropagationPatterns(mlir::RewritePatternSet &patterns,
                                       bool movesPools);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CHANNELSLAST_H
