//===- Winograd.h - Convolutions with fewer multiplications -----*- C++ -*-===//
//
// "Fast Algorithms for Convolutional Neural Networks", Lavin and Gray, 2015:
// a tile of m x m outputs of a 3x3 convolution, from alpha x alpha inputs with
// alpha = m + 2, is
//
//   A^T ((G g G^T) * (B^T d B)) A
//
// so that the sums over channels are alpha^2 products of matrices.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_LOWERING_VECTOR_WINOGRAD_H
#define OMB_LOWERING_VECTOR_WINOGRAD_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace omb::kernels {

/// A matrix of numbers, row by row.
struct TransformMatrix {
  llvm::ArrayRef<double> values;
  int64_t columns;

  int64_t getRows() const { return values.size() / columns; }
  double at(int64_t row, int64_t column) const {
    return values[row * columns + column];
  }
};

/// F(m x m, 3 x 3), with the matrices that linalg's decomposition has.
struct Winograd {
  mlir::linalg::WinogradConv2DFmr kind;
  int64_t outputs;
  TransformMatrix filter, input, output;

  int64_t getAlpha() const { return outputs + 2; }

  /// F(2 x 2, 3 x 3) and F(4 x 4, 3 x 3).
  static llvm::ArrayRef<Winograd> getAll();
  /// Null for another one than these.
  static const Winograd *get(mlir::linalg::WinogradConv2DFmr kind);
};

/// The padding of an image with zeros before and after its rows and columns, of
/// which it is known how many; null where `image` is something else.
mlir::tensor::PadOp getZeroPadding(mlir::Value image);

/// A transform of the input that becomes a kernel, with the zeros around the
/// input.
struct WinogradInput {
  mlir::linalg::WinogradInputTransformOp transform;
  /// Null where the input isn't padded.
  mlir::tensor::PadOp pad;

  static mlir::FailureOr<WinogradInput>
  match(mlir::linalg::WinogradInputTransformOp transform);

  const Winograd &getAlgorithm() const;
  /// What is read, before it is padded.
  mlir::Value getSource() const;
  /// The zeros before the first row and the first column.
  std::pair<int64_t, int64_t> getLow() const;
};

/// A transform back that becomes a kernel, with what is done to each element
/// after it.
struct WinogradOutput {
  mlir::linalg::WinogradOutputTransformOp transform;
  /// Takes the rows and columns that are outputs; null where all are.
  mlir::tensor::ExtractSliceOp slice;
  /// Null where the outputs are the result.
  mlir::linalg::GenericOp epilogue;

  static mlir::FailureOr<WinogradOutput>
  match(mlir::linalg::WinogradOutputTransformOp transform);

  const Winograd &getAlgorithm() const;
  /// The outputs, before the epilogue.
  mlir::Value getOutputs() const;
  mlir::Value getResult() const;
};

/// Whether `value` is what a convolution by this algorithm gives, or a part of
/// it.
bool isWinogradOutput(mlir::Value value);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_WINOGRAD_H
