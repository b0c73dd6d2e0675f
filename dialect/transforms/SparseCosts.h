//===- SparseCosts.h - When sparse weights are faster -----------*- C++ -*-===//

#ifndef OMB_DIALECT_TRANSFORMS_SPARSECOSTS_H
#define OMB_DIALECT_TRANSFORMS_SPARSECOSTS_H

#include "dialect/transforms/SparseMatrix.h"

#include "mlir/IR/Operation.h"

#include <optional>

namespace omb::onnx {

/// How long a product takes in a format, as a share of the dense one.
struct SparseCost {
  double fixed, ofDensity;
  double get(double density) const { return fixed + ofDensity * density; }
};

/// The costs of one way to compute products.
struct SparseCosts {
  llvm::StringRef name;
  /// Of weights of f32, or bytes that are multiplied with f32: of many rows, or
  /// few, where weights that are read from a cache decide, and those of bytes
  /// are read faster.
  struct Format {
    SparseCost many, few, fewBytes;
  };
  Format channels, blocks;
  /// Of bytes with bytes, for which dense products have instructions.
  SparseCost bytes, fewRowsOfBytes;
  /// The most rows that are few, and that leave half of a vector's lanes
  /// without work, so that the costs of many aren't reached.
  double fewRows, fewLanes;
  /// The multiplications that must be saved: what prepares the rows takes some
  /// microseconds more, as many as it takes to do these.
  double fewestSaved;
  /// The share of a dense convolution's time, where there are no kernels.
  std::optional<SparseCost> convolutions = std::nullopt;

  /// Null of a name that isn't kernels, matrix, loops or threads.
  static const SparseCosts *get(llvm::StringRef name);
};

/// A constant of a sparse type.
struct EncodedSparse {
  mlir::SparseElementsAttr value;
  mlir::RankedTensorType type;
  /// The bytes that are stored for it.
  int64_t bytes = 0;
  /// The share of elements that are stored: all of a block that has one.
  double storedDensity = 1;

  double getDensity() const {
    return double(value.getValues().getNumElements()) /
           double(value.getNumElements());
  }
  bool isBlocked() const;
};

/// A form of the weights [k, n] of a product.
struct ChosenForm {
  bool isOfBlocks;
  double storedDensity;

  /// The one that is expected to be the fastest.
  static ChosenForm get(const SparseMatrix &matrix, const SparseCosts &costs,
                        bool mayBeOfBlocks);
  /// What is stored of elements that take so many bytes.
  int64_t getBytes(const SparseMatrix &matrix, int64_t elementBytes) const;
};

/// An estimate of the share of the dense time that `op`, a product or
/// convolution, takes with `weights`; none of images of unknown size.
std::optional<double> estimateShare(mlir::Operation *op,
                                    const EncodedSparse &weights,
                                    const SparseCosts &costs);

/// Whether `op` gains enough. What makes dense convolutions faster raises the
/// `threshold` of zeros.
bool isWorthIt(mlir::Operation *op, const EncodedSparse &weights,
               const SparseCosts &costs, double threshold);

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_SPARSECOSTS_H
