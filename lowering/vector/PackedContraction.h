//===- PackedContraction.h - What a kernel computes -------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PACKEDCONTRACTION_H
#define OMB_LOWERING_VECTOR_PACKEDCONTRACTION_H

#include "lowering/vector/Combiner.h"
#include "lowering/vector/RegisterTile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace omb::kernels {

/// The most taps of a window for each of which there is code of its own.
constexpr int64_t kMostWrittenTaps = 16;

/// The attribute of products that are better done with an input that is padded
/// in memory.
constexpr llvm::StringLiteral kReadsPaddingAttrName = "omb.reads_padding";

/// A dimension of an input that is padded with zeros: there, the input is read
/// at position * stride + tap * dilation - low.
struct PaddedWindow {
  unsigned dim;
  unsigned position, tap;
  int64_t stride, dilation, low;
};

/// What omb-pack-contractions makes of a product:
///
///   packed[p..., j, v] += input[f(p..., r...)] * panels[b..., j, r..., v]
///   out = linalg.unpack packed
///
/// Of bytes and bf16, the last of r goes through groups, which are next to each
/// other:
///
///   packed[p..., j, v] += input[f(p..., r...) + q] * panels[b..., j, r..., v,
///   q]
///
/// where bytes of the input are unsigned, and those of panels are signed.
/// Bytes of a depthwise convolution become f32, less what they are padded with;
/// panels are f32 there. Panels may also be narrower floats than the input, or
/// computed of codes.
///
/// And what is done to each element of `out` before anything else is. The input
/// of a depthwise convolution is packed, too, and any may be padded; kernels
/// read them where they are.
///
/// So are pools (omb-pack-contractions makes them, too):
///
///   packed[p..., j, v] = combine(packed[p..., j, v], g(input[f(p..., r...), j,
///   v]))
///
/// where a tensor without contents, in place of panels, has the sizes of r.
struct PackedContraction {
  /// Null where the input isn't padded.
  mlir::tensor::PadOp pad;
  /// Null where this is neither a depthwise convolution nor a pool.
  mlir::linalg::PackOp pack;
  /// What computes the panels of what is stored; null where they are stored.
  mlir::linalg::GenericOp decode;
  mlir::linalg::FillOp fill;
  mlir::linalg::GenericOp product;
  mlir::linalg::UnPackOp unpack;
  /// Null where the product is the result.
  mlir::linalg::GenericOp epilogue;

  static mlir::FailureOr<PackedContraction>
  match(mlir::linalg::UnPackOp unpack);

  /// What a pool combines; none where this is a product.
  std::optional<Combiner> getCombiner() const;
  bool isPool() const;
  /// What is read, before it is padded and packed.
  mlir::Value getInput() const;
  mlir::Value getPanels() const { return operand(1); }
  mlir::RankedTensorType getPanelsType() const;
  /// The type of the sums.
  mlir::Type getSumType() const;
  /// What is subtracted from the input's bytes; none where nothing is.
  std::optional<llvm::APFloat> getInputShift() const;
  /// How many values of the input and of a channel are multiplied at once.
  unsigned getGroup() const;
  /// The channels of a panel.
  int64_t getPanelChannels() const;
  /// What comes out: the epilogue's result or the unpacked product.
  mlir::Value getResult() const;
  mlir::RankedTensorType getResultType() const;
  /// The loops of the positions, in the order of the result's dimensions.
  llvm::SmallVector<unsigned> getPositions() const;
  /// The result's dimension along which a tile has its rows: the innermost one
  /// without panels of its own. None where there are no positions.
  std::optional<unsigned> getColumnDim() const;
  /// The loop of that dimension.
  std::optional<unsigned> getColumn() const;
  /// The result's dimensions of the other positions; those with panels of their
  /// own first, so that a panel is used for long.
  llvm::SmallVector<unsigned> getRowDims() const;
  /// The input's dimensions of the positions, where all of these can be counted
  /// in one number, by which the input is read from one position to the next:
  /// in a 1x1 convolution, and in others whose input is padded in memory.
  /// There, some numbers are no positions of the result (hasGaps). Else empty.
  llvm::SmallVector<int64_t> getFlatBasis() const;
  /// Whether the result has fewer positions than `basis`.
  bool hasGaps(llvm::ArrayRef<int64_t> basis) const;
  /// The loops of the sum, but for that through a group, in the order of the
  /// panels' dimensions.
  llvm::SmallVector<unsigned> getReductions() const;
  /// The loops of positions for which there are panels of their own: the first
  /// of the panels' dimensions.
  llvm::SmallVector<unsigned> getBatches() const;
  /// Where the input's dimensions are read (without the channels of a depthwise
  /// convolution), in terms of the loops; not less than 0 after padding.
  llvm::SmallVector<mlir::AffineExpr> getInputExprs() const;
  /// What a tile may have where positions are counted by `basis`.
  TileDemand getTileDemand(llvm::ArrayRef<int64_t> basis) const;
  /// None where the CPU has no matrix unit for such factors, or it wouldn't
  /// pay.
  std::optional<MatrixTile>
  selectMatrixTile(const VectorUnit &unit, llvm::ArrayRef<int64_t> basis) const;
  /// The padded dimensions; none where the input isn't padded.
  llvm::SmallVector<PaddedWindow> getWindows() const;
  /// The dimension of the panels that counts them.
  unsigned getPanelDim() const { return getBatches().size(); }
  /// The first of the panels' dimensions, or the window's, of what is summed.
  unsigned getFirstSumDim() const { return isPool() ? 0 : getPanelDim() + 1; }
  /// The number of panels; dynamic where it isn't known.
  int64_t getPanelCount() const;
  /// How many values are combined for each element of a panel; dynamic sizes
  /// are `usual`.
  int64_t countSummed(int64_t usual) const;

private:
  mlir::Value operand(unsigned index) const;
  /// Those that this padding makes, as far as they are windows.
  llvm::SmallVector<PaddedWindow> getWindows(mlir::tensor::PadOp padding) const;
  /// Whether `padding` changes nothing where it is multiplied or combined.
  bool ignores(mlir::Attribute padding) const;
  /// The padding, if kernels can do it; null otherwise.
  mlir::tensor::PadOp matchPadding() const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PACKEDCONTRACTION_H
