//===- SparseConvolution.h - Convolutions with sparse filters ---*- C++ -*-===//

#ifndef OMB_LOWERING_SPARSE_SPARSECONVOLUTION_H
#define OMB_LOWERING_SPARSE_SPARSECONVOLUTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/IR/PatternMatch.h"

namespace omb {

/// A convolution such as linalg.conv_2d_nchw_fchw of images and constant
/// filters of f32 of a sparse type.
struct SparseConvolution {
  mlir::linalg::LinalgOp op;
  mlir::SparseElementsAttr filters;
  /// An element for each feature that the sums start at; null where they start
  /// at zero.
  mlir::Value bias;
  llvm::SmallVector<int64_t> strides, dilations;

  /// Whether `op` is such a convolution, whatever its filters are.
  static bool isConvolution(mlir::linalg::LinalgOp op);
  /// Fails with the reason where `op` has no kernel.
  static mlir::FailureOr<SparseConvolution>
  match(mlir::linalg::LinalgOp op,
        llvm::function_ref<void(const llvm::Twine &)> why);

  mlir::Value getImages() const;
  mlir::ShapedType getFiltersType() const { return filters.getShapedType(); }
  /// Whether an element of the result is the sum of those at one position.
  bool isPointwise() const;
  /// Whether filters are stored by blocks of features.
  bool hasBlocks() const;
  /// The filters as a matrix [inner, features], where the element of a channel
  /// and of taps is in the row that `getRow` says.
  mlir::SparseElementsAttr
  getMatrix(int64_t inner,
            mlir::sparse_tensor::SparseTensorEncodingAttr encoding,
            llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> getRow) const;
  /// The same of one that isPointwise(), with a row for each channel.
  mlir::SparseElementsAttr getPointMatrix() const;

private:
  /// Why there is no kernel; empty if there is one.
  llvm::StringRef getObstacle() const;
};

/// Makes products with sparse matrices of convolutions with sparse filters, as
/// omb-pack-sparse-contractions says. `tileRows` are the most rows that a
/// kernel reads beyond an image, `narrow` is what values are rounded to (null:
/// f32).
void populateSparseConvolutionPatterns(mlir::RewritePatternSet &patterns,
                                       int64_t tileRows,
                                       mlir::FloatType narrow);

} // namespace omb

#endif // OMB_LOWERING_SPARSE_SPARSECONVOLUTION_H
