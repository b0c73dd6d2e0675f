//===- StreamedContraction.h - Products made row by row ---------*- C++ -*-===//

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
///
/// And the 1x1 convolution that alone reads the result, which does so with each
/// row when it is there, of all channels.
struct StreamedContraction {
  PackedContraction producer, consumer;
  std::optional<PackedContraction> last;
  /// Of the consumer.
  SlidingWindow rows;

  /// `unpack` is the consumer's.
  static mlir::FailureOr<StreamedContraction>
  match(mlir::linalg::UnPackOp unpack);

  /// The products, in their order.
  llvm::SmallVector<PackedContraction> getParts() const;
  const PackedContraction &getLast() const { return last ? *last : consumer; }
  /// The same without the last convolution.
  StreamedContraction dropLast() const;
  /// Whether rows of images are better divided among as many threads (0: nobody
  /// knows) than channels, which `last` must have all of.
  bool paysByRows(unsigned threads) const;

  /// The channels of a workgroup: some panels of either, or all.
  int64_t getChannels() const;
  /// What the consumer reads.
  mlir::RankedTensorType getImageType() const {
    return producer.getResultType();
  }
  /// The shape of the rows of that which are kept: as many as a window has.
  llvm::SmallVector<int64_t> getRingShape() const;
  /// The shape of what is kept of the consumer's result for `last`: a row.
  llvm::SmallVector<int64_t> getRowShape() const;

private:
  bool fitsStack() const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_STREAMEDCONTRACTION_H
