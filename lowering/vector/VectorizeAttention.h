//===- VectorizeAttention.h - Executables of attention ----------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZEATTENTION_H
#define OMB_LOWERING_VECTOR_VECTORIZEATTENTION_H

#include "lowering/vector/AttentionTile.h"
#include "lowering/vector/KernelSignature.h"

namespace omb::kernels {

/// An executable in which each workgroup computes tiles of queries of
/// `attention`, which `kernel` returns.
Executable vectorizeAttention(mlir::OpBuilder &builder,
                              mlir::func::FuncOp kernel,
                              const Attention &attention,
                              const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZEATTENTION_H
