//===- VectorizeRows.h - Executables of rows --------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZEROWS_H
#define OMB_LOWERING_VECTOR_VECTORIZEROWS_H

#include "lowering/vector/KernelSignature.h"
#include "lowering/vector/RegisterTile.h"
#include "lowering/vector/RowKernel.h"

namespace omb::kernels {

/// An executable in which each workgroup computes a block of rows of `rows`,
/// which `kernel` returns.
Executable vectorizeRows(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
                         const RowKernel &rows, const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZEROWS_H
