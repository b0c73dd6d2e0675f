//===- Keywords.h - Attributes that are one of some words -------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_KEYWORDS_H
#define OMB_DIALECT_SHAPE_KEYWORDS_H

#include "mlir/IR/Operation.h"

namespace omb::onnx {

/// Fails with a diagnostic unless the attribute `name` of `op`, `value`, is one
/// of `known`.
llvm::LogicalResult checkKeyword(mlir::Operation *op, llvm::StringRef name,
                                 llvm::StringRef value,
                                 llvm::ArrayRef<llvm::StringRef> known);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_KEYWORDS_H
