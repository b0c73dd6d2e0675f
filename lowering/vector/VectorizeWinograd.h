//===- VectorizeWinograd.h - Executables of transforms ----------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZEWINOGRAD_H
#define OMB_LOWERING_VECTOR_VECTORIZEWINOGRAD_H

#include "lowering/vector/KernelSignature.h"
#include "lowering/vector/RegisterTile.h"
#include "lowering/vector/Winograd.h"

namespace omb::kernels {

/// Executables in which each workgroup transforms a block of tiles for what
/// `kernel` returns.
Executable vectorizeWinogradInput(mlir::OpBuilder &builder,
                                  mlir::func::FuncOp kernel,
                                  const WinogradInput &input,
                                  const VectorUnit &unit);
Executable vectorizeWinogradOutput(mlir::OpBuilder &builder,
                                   mlir::func::FuncOp kernel,
                                   const WinogradOutput &output,
                                   const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZEWINOGRAD_H
