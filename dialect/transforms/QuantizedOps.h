//===- QuantizedOps.h - Which ops have a quantized form ---------*- C++ -*-===//

#ifndef OMB_DIALECT_TRANSFORMS_QUANTIZEDOPS_H
#define OMB_DIALECT_TRANSFORMS_QUANTIZEDOPS_H

#include "dialect/ir/QuantizedTypes.h"

#include "mlir/IR/Builders.h"

namespace omb::onnx {

/// Whether `op` only moves elements of its first operand (of all operands, for
/// Concat) or takes the largest ones, so that it gives the same of quantized
/// numbers and of the integers that are stored for them. A padding is of the
/// number 0.
bool movesElements(mlir::Operation *op);
/// The operands that have these elements.
mlir::MutableArrayRef<mlir::OpOperand> getMoved(mlir::Operation *op);

/// Whether `op` limits elements to a range: Relu, or Clip between constants.
bool limitsElements(mlir::Operation *op);

/// Whether `op` is a sum of products of two tensors: Conv, MatMul, Gemm.
bool isContraction(mlir::Operation *op);
/// Whether what `op`, a contraction of quantized tensors, sums up fits integers
/// of 32 bits: bytes, with one scale for the first operand, and one for all or
/// one for each of the result's channels for the second.
bool isIntegerContraction(mlir::Operation *op);
/// Whether the operands of `op`, a contraction or what is one of integers in
/// the standard, are so if these are their types.
bool sumsFitIntegers(mlir::Operation *op, mlir::quant::QuantizedType lhs,
                     mlir::quant::QuantizedType rhs);
/// Whether `op`, an integer contraction of two operands, gives the integers
/// that it sums up, of 32 bits: its result has the product of their scales.
bool givesSums(mlir::Operation *op);

/// A copy of `op` with other operands and other types of its results.
mlir::Operation *cloneWith(mlir::OpBuilder &builder, mlir::Operation *op,
                           mlir::ValueRange operands, mlir::TypeRange results);

/// `number` as an element of `type`, which has one scale: rounded to even,
/// saturated.
int64_t quantize(double number, mlir::quant::UniformQuantizedType type);

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_QUANTIZEDOPS_H
