//===- SparseContraction.h - A product with sparse weights ------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_SPARSECONTRACTION_H
#define OMB_LOWERING_VECTOR_SPARSECONTRACTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace omb::kernels {

/// What omb-pack-sparse-contractions makes of a product of rows [m, k] and
/// sparse weights [k, n]. Where the channels n are stored one by one,
///
///   tiles = linalg.pack rows
///   packed[t, n, v] += tiles[t, k, v] * weights[k, n]
///   out = linalg.unpack packed
///
/// with m = t * `tile` + v: the rows of a tile are lanes of vectors. Tiles of a
/// single row, of which there are few, aren't packed. Where blocks of channels
/// are stored, these are lanes, and the rows stay:
///
///   packed[m, j, v] += rows[m, k] * weights[k, j * `block` + v]
///   out = linalg.unpack packed
///
/// Convolutions have images whose planes, one for each channel, are one row,
/// and coordinates that say how far from a window's first element one is:
///
///   out[n, p..., c] += images[n, steps * p + k] * weights[k, c]
///
/// where positions that are next to each other are lanes. Some between those of
/// two lines are none of the result. The k are divided in chunks, so that what
/// is read of them stays in a cache.
///
/// And what is done to each element of `out` before anything else is.
struct SparseContraction {
  mlir::sparse_tensor::AssembleOp weights;
  /// What packs the rows; null of blocks, and where another kernel did.
  mlir::linalg::PackOp pack;
  mlir::linalg::FillOp fill;
  mlir::linalg::GenericOp product;
  /// Null of images.
  mlir::linalg::UnPackOp unpack;
  /// Null where the product is the result.
  mlir::linalg::GenericOp epilogue;

  static mlir::FailureOr<SparseContraction>
  match(mlir::linalg::UnPackOp unpack);
  /// Matches a product of images.
  static mlir::FailureOr<SparseContraction>
  match(mlir::linalg::GenericOp product);

  bool isOfImages() const { return !unpack; }
  bool isBlocked() const;
  /// The rows of a tile, or the channels of a block.
  int64_t getTile() const;
  /// Whether the rows are read where they are.
  bool readsRows() const {
    return isOfImages() || isBlocked() || getTile() == 1;
  }
  /// What the kernel reads: the rows, or packed tiles of them.
  mlir::Value getInput() const;
  mlir::Value getPositions() const;
  mlir::Value getCoordinates() const;
  mlir::Value getValues() const;
  /// The sizes of the weights.
  int64_t getInner() const { return getWeightsType().getDimSize(0); }
  int64_t getChannels() const { return getWeightsType().getDimSize(1); }
  /// The k of a chunk; 0 where they aren't divided.
  int64_t getChunk() const;
  /// Of images, how far the next position of each dimension is.
  llvm::SmallVector<int64_t> getSteps() const;
  /// What the epilogue reads.
  mlir::Value getSums() const;
  mlir::Value getResult() const;
  mlir::RankedTensorType getResultType() const;

private:
  mlir::RankedTensorType getWeightsType() const;
};

/// The planes of images, with the channels last, for a product of images:
///
///   planes[n, c, a..., p...] = (tensor.pad images)[n, p... * strides + a, c]
///
/// as the first elements of a row.
struct ImagePlanes {
  /// Null where the images aren't padded.
  mlir::tensor::PadOp pad;
  mlir::linalg::GenericOp copy;
  mlir::tensor::CollapseShapeOp collapse;
  mlir::tensor::InsertSliceOp insert;

  static mlir::FailureOr<ImagePlanes> match(mlir::tensor::InsertSliceOp insert);

  mlir::Value getSource() const;
  /// The result's dimensions: batch, channels, and as many phases as positions.
  llvm::ArrayRef<int64_t> getShape() const;
  /// How many spatial dimensions there are.
  unsigned getRank() const { return getShape().size() / 2 - 1; }
  /// The padding before a spatial dimension.
  int64_t getLow(unsigned dim) const;
  int64_t getStride(unsigned dim) const;
};

/// Whether `value` is a product of images with sparse weights.
bool isImageProduct(mlir::Value value);

/// Whether `pack` makes tiles for a product with sparse weights.
bool packsLanes(mlir::linalg::PackOp pack);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SPARSECONTRACTION_H
