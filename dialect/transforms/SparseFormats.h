//===- SparseFormats.h - Encodings of sparse matrices -----------*- C++ -*-===//

#ifndef OMB_DIALECT_TRANSFORMS_SPARSEFORMATS_H
#define OMB_DIALECT_TRANSFORMS_SPARSEFORMATS_H

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"

namespace omb::onnx {

/// A format of matrices [k, n], by its name: coo, csr, csc, bsr or nm.
struct SparseFormat {
  llvm::StringRef name;
  /// The sizes of a block of bsr.
  int64_t blockRows = 1, blockColumns = 1;
  /// Of nm: how many of a group of rows next to each other aren't zero.
  int64_t kept = 2, group = 4;

  /// Null of a name that isn't one of these.
  mlir::sparse_tensor::SparseTensorEncodingAttr
  getEncoding(mlir::MLIRContext *context) const;
};

/// Why `elements`, a matrix, can't have the type that `format` gives it; empty
/// if they can.
std::string findFormatObstacle(mlir::SparseElementsAttr elements,
                               const SparseFormat &format);

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_SPARSEFORMATS_H
