//===- VectorizeColumns.h - Executables of column reductions ----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_VECTORIZECOLUMNS_H
#define OMB_LOWERING_VECTOR_VECTORIZECOLUMNS_H

#include "lowering/vector/ColumnReduction.h"
#include "lowering/vector/Executable.h"

namespace omb::kernels {

/// The executable of a kernel of one reduction that keeps the channels.
Executable vectorizeColumns(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
                            const ColumnReduction &reduction,
                            const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_VECTORIZECOLUMNS_H
