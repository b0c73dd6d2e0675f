//===- SparseWeights.h - Constants as their stored elements -----*- C++ -*-===//

#ifndef OMB_LOWERING_SPARSE_SPARSEWEIGHTS_H
#define OMB_LOWERING_SPARSE_SPARSEWEIGHTS_H

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace omb {

/// The elements of a constant of a sparse type; null for anything else.
mlir::SparseElementsAttr getSparseElements(mlir::Value value);

/// A constant matrix [k, n] of f32 or signed bytes as a kernel reads it: for
/// each of `outer` channels, or blocks of channels, from `positions[outer]` on
/// up to the next one's, the k that have values, and these. Where k are divided
/// in chunks, all channels of the first one come first, and k are counted in
/// each.
struct SparseWeights {
  llvm::SmallVector<int32_t> positions;
  llvm::SmallVector<int32_t> coordinates;
  llvm::SmallVector<float> values;
  /// The channels whose values are stored for each coordinate.
  int64_t block = 1;
  /// The k of a chunk; 0 where they aren't divided.
  int64_t chunk = 0;
  /// The bits that coordinates are stored as: 8, 16 or 32.
  unsigned coordinateBits = 32;
  /// What values are stored as: f32, a narrower float, or signed bytes.
  mlir::Type storage;

  /// In the format that the type's encoding says: channels, also of chunks, or
  /// blocks of them. Fails where it says another one.
  static llvm::FailureOr<SparseWeights> get(mlir::SparseElementsAttr elements);

  /// Stores zeros, too, so that each channel, or block of channels, has a
  /// multiple of `count` values, as far as there are that many k of `inner`.
  void pad(int64_t count, int64_t inner);

  /// Divides the `inner` k of single channels in chunks of `size`.
  void divide(int64_t inner, int64_t size);

  /// Stores values as bytes where all of them are such numbers, and else as
  /// `narrow`, rounded, where it isn't null.
  void chooseStorage(mlir::FloatType narrow);

  /// Constants for positions, coordinates and values, each with one element at
  /// least.
  struct Buffers {
    mlir::Value positions, coordinates, values;
  };
  Buffers createBuffers(mlir::OpBuilder &builder, mlir::Location loc) const;

  /// A tensor that is assembled of constants for positions, coordinates and
  /// values. How many values there are isn't part of the types, so that
  /// kernels can be shared.
  mlir::Value assemble(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::RankedTensorType type) const;

private:
  /// As few bits as can be for coordinates below `size`.
  void chooseCoordinates(int64_t size);
  mlir::Value createCoordinates(mlir::OpBuilder &builder,
                                mlir::Location loc) const;
  mlir::Value createValues(mlir::OpBuilder &builder, mlir::Location loc) const;
};

/// The encoding of [k, n] whose channels n store the elements that aren't zero
/// of `chunk` k each for itself.
mlir::sparse_tensor::SparseTensorEncodingAttr
getChunkEncoding(mlir::MLIRContext *context, int64_t chunk);

/// The k of a chunk of such an encoding; 0 of another one.
int64_t getChunkSize(mlir::sparse_tensor::SparseTensorEncodingAttr encoding);

} // namespace omb

#endif // OMB_LOWERING_SPARSE_SPARSEWEIGHTS_H
