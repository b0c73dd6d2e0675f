//===- Constants.h - Making onnx.Constant -----------------------*- C++ -*-===//

#ifndef OMB_DIALECT_IR_CONSTANTS_H
#define OMB_DIALECT_IR_CONSTANTS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace omb::onnx {

/// An onnx.Constant of the type of `value`.
mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::ElementsAttr value);
/// A vector of int64.
mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc,
                           llvm::ArrayRef<int64_t> vector);
/// A scalar of bool.
mlir::Value createBoolean(mlir::OpBuilder &builder, mlir::Location loc,
                          bool value);

} // namespace omb::onnx

#endif // OMB_DIALECT_IR_CONSTANTS_H
