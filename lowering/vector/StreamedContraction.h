//===- StreamedContraction.h - Two products, row by row ---------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_STREAMEDCONTRACTION_H
#define OMB_LOWERING_VECTOR_STREAMEDCONTRACTION_H

#include "lowering/vector/PackedContraction.h"

namespace omb::kernels {

/// How a window moves along a dimension of an image: it begins at
/// position * stride - low, and has taps that are `dilation` apart.
struct SlidingWindow {
  int64_t stride, dilation, taps, low;

  /// How many elements there are from its first to its last.
  int64_t getSpan() const { return (taps - 1) * dilation + 1; }
};

/// A depthwise convolution, or a pool, and the convolution whose result is its
/// input and nothing else's. One kernel makes each row of that when it is
/// needed, of some channels, and keeps it only as long.
struct StreamedContraction {
  PackedContraction producer, consumer;
  /// Of the consumer.
  SlidingWindow rows;
  /// The channels of a workgroup: some panels of either.
  int64_t channels;

  /// `unpack` is the consumer's.
  static mlir::FailureOr<StreamedContraction>
  match(mlir::linalg::UnPackOp unpack);

  /// What is between the two.
  mlir::RankedTensorType getImageType() const {
    return producer.getResultType();
  }
  /// The shape of the rows that are kept: as many as a window has.
  llvm::SmallVector<int64_t> getRingShape() const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_STREAMEDCONTRACTION_H
