//===- VectorizeStreamed.h - Executables of several products ----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZESTREAMED_H
#define OMB_LOWERING_VECTOR_VECTORIZESTREAMED_H

#include "lowering/vector/Executable.h"
#include "lowering/vector/StreamedContraction.h"

namespace omb::kernels {

/// The executable of a kernel of a convolution and of what reads its rows.
Executable vectorizeStreamed(mlir::OpBuilder &builder,
                             mlir::func::FuncOp kernel,
                             const StreamedContraction &contraction,
                             const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZESTREAMED_H
