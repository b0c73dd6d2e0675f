//===- ReadNarrowed.h - One form of a value that is rounded -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_READNARROWED_H
#define OMB_LOWERING_VECTOR_READNARROWED_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace omb::kernels {

/// The attribute of ops that round factors because the precision says so, not
/// the model.
constexpr llvm::StringLiteral kNarrowingAttrName = "omb.narrowing";

/// Where the elements of a tensor are rounded to a narrower float by an op with
/// that attribute, and everything else that reads it does so element by
/// element, has this read the rounded ones, too: they are stored once, in half
/// the memory. `mayRound` says of which tensors.
void readNarrowed(mlir::func::FuncOp function,
                  llvm::function_ref<bool(mlir::Value)> mayRound);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_READNARROWED_H
