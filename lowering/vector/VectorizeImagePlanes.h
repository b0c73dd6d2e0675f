//===- VectorizeImagePlanes.h - Executables of planes -----------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZEIMAGEPLANES_H
#define OMB_LOWERING_VECTOR_VECTORIZEIMAGEPLANES_H

#include "lowering/vector/Executable.h"
#include "lowering/vector/RegisterTile.h"
#include "lowering/vector/SparseContraction.h"

namespace omb::kernels {

/// An executable that makes planes of images with the channels last, which is
/// what `kernel` returns.
Executable vectorizeImagePlanes(mlir::OpBuilder &builder,
                                mlir::func::FuncOp kernel,
                                const ImagePlanes &planes,
                                const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZEIMAGEPLANES_H
