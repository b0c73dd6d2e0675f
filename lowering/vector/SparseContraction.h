//===- SparseContraction.h - A product with sparse weights ------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_SPARSECONTRACTION_H
#define OMB_LOWERING_VECTOR_SPARSECONTRACTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"

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
/// And what is done to each element of `out` before anything else is.
struct SparseContraction {
  mlir::sparse_tensor::AssembleOp weights;
  /// What packs the rows; null of blocks, and where another kernel did.
  mlir::linalg::PackOp pack;
  mlir::linalg::FillOp fill;
  mlir::linalg::GenericOp product;
  mlir::linalg::UnPackOp unpack;
  /// Null where the product is the result.
  mlir::linalg::GenericOp epilogue;

  static mlir::FailureOr<SparseContraction>
  match(mlir::linalg::UnPackOp unpack);

  bool isBlocked() const;
  /// The rows of a tile, or the channels of a block.
  int64_t getTile() const;
  /// Whether the rows are read where they are.
  bool readsRows() const { return isBlocked() || getTile() == 1; }
  /// What the kernel reads: the rows, or packed tiles of them.
  mlir::Value getInput() const;
  mlir::Value getPositions() const;
  mlir::Value getCoordinates() const;
  mlir::Value getValues() const;
  /// The sizes of the weights.
  int64_t getInner() const { return getWeightsType().getDimSize(0); }
  int64_t getChannels() const { return getWeightsType().getDimSize(1); }
  mlir::Value getResult() const;
  mlir::RankedTensorType getResultType() const;

private:
  mlir::RankedTensorType getWeightsType() const;
};

/// Whether `pack` makes tiles for a product with sparse weights.
bool packsLanes(mlir::linalg::PackOp pack);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SPARSECONTRACTION_H
