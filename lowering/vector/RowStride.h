//===- RowStride.h - How far the rows of a tile are apart -------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ROWSTRIDE_H
#define OMB_LOWERING_VECTOR_ROWSTRIDE_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb::kernels {

/// Whether the values of `input` that a step of the loop `column` is apart, if
/// it is read at `exprs` of `loops` loops, are a multiple of 4 KiB apart. Then
/// all are in one set of a first cache of 64 sets, which holds eight of them.
bool sharesCacheSet(mlir::RankedTensorType input,
                    llvm::ArrayRef<mlir::AffineExpr> exprs, unsigned loops,
                    unsigned column);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ROWSTRIDE_H
