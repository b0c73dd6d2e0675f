//===- VectorizeProducts.h - Executables of packed products -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZEPRODUCTS_H
#define OMB_LOWERING_VECTOR_VECTORIZEPRODUCTS_H

#include "lowering/vector/Executable.h"
#include "lowering/vector/PackedContraction.h"

namespace omb::kernels {

/// The executable of a kernel of one product, or of one pool.
Executable vectorizeProduct(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
                            const PackedContraction &contraction,
                            const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZEPRODUCTS_H
