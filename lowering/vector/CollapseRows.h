//===- CollapseRows.h - Rows of several dimensions as one -------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_COLLAPSEROWS_H
#define OMB_LOWERING_VECTOR_COLLAPSEROWS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace omb::kernels {

/// Makes one dimension of the last ones that are reduced together, in the
/// reductions and in what is computed of their results and of what they read.
void collapseRows(mlir::RewriterBase &rewriter, mlir::func::FuncOp function);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_COLLAPSEROWS_H
