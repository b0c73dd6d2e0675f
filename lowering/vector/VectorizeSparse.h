//===- VectorizeSparse.h - Executables of sparse products -------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZESPARSE_H
#define OMB_LOWERING_VECTOR_VECTORIZESPARSE_H

#include "lowering/vector/Executable.h"
#include "lowering/vector/RegisterTile.h"
#include "lowering/vector/SparseContraction.h"

namespace omb::kernels {

/// An executable in which each workgroup computes some channels of a product
/// with sparse weights, which is what `kernel` returns.
Executable vectorizeSparse(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
                           const SparseContraction &contraction,
                           const VectorUnit &unit);

/// The same, where the weights are in blocks of channels.
Executable vectorizeSparseBlocks(mlir::OpBuilder &builder,
                                 mlir::func::FuncOp kernel,
                                 const SparseContraction &contraction,
                                 const VectorUnit &unit);

/// An executable that packs rows in tiles, which is what `kernel` returns.
Executable vectorizeLanes(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
                          mlir::linalg::PackOp pack, const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZESPARSE_H
