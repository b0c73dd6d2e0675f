//===- SparseMatrix.h - The elements of a constant without zeros -*- C++
//-*-===//

#ifndef OMB_DIALECT_TRANSFORMS_SPARSEMATRIX_H
#define OMB_DIALECT_TRANSFORMS_SPARSEMATRIX_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <optional>

namespace omb::onnx {

/// A constant tensor of f32, or of a quantized type that expresses f32. Its
/// elements, of the latter the integers that are stored, are a dense or sparse
/// attribute; what isn't stored of a sparse one is the number zero.
struct SparseSource {
  mlir::ElementsAttr elements;
  mlir::RankedTensorType type;

  bool isSparse() const {
    return mlir::isa<mlir::SparseElementsAttr>(elements);
  }
  /// The share of elements that are the number zero, where that can be counted.
  double getZeroShare() const;
};

/// A matrix of which the elements that aren't zero are known, in the order of
/// rows. Of a quantized one, they are integers: less their zero points.
struct SparseMatrix {
  int64_t rows, columns;
  /// Pairs of row and column.
  llvm::SmallVector<int64_t> coordinates;
  llvm::SmallVector<float> values;

  /// That of a constant, of filters with a row for each feature; none where the
  /// elements aren't known.
  static std::optional<SparseMatrix> get(const SparseSource &source);

  int64_t getCount() const { return values.size(); }
  double getDensity() const {
    return double(getCount()) / (double(rows) * double(columns));
  }
  /// The share of blocks of kBlockChannels columns of one row that have a
  /// value; 1 where blocks don't fit.
  double getBlockDensity() const;
  SparseMatrix getTransposed() const;
  /// The elements of a constant of `type`, a sparse one, of f32 or quantized.
  mlir::SparseElementsAttr createElements(mlir::RankedTensorType type) const;
};

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_SPARSEMATRIX_H
