//===- VectorizeShuffle.h - Executables of shuffles -------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZESHUFFLE_H
#define OMB_LOWERING_VECTOR_VECTORIZESHUFFLE_H

#include "lowering/vector/ChannelShuffle.h"
#include "lowering/vector/Executable.h"
#include "lowering/vector/RegisterTile.h"

namespace omb::kernels {

/// The executable of a kernel of one shuffle of channels.
Executable vectorizeShuffle(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
                            const ChannelShuffle &shuffle,
                            const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZESHUFFLE_H
