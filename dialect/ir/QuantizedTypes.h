//===- QuantizedTypes.h - Tensors of !quant.uniform -------------*- C++ -*-===//
//
// A tensor of !quant.uniform<u8:f32, 0.5:128> holds f32 numbers, of which it
// stores bytes. Ops of the standard take and give it where they take and give
// tensors of f32: what an op computes of the numbers is rounded as
// QuantizeLinear does.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_IR_QUANTIZEDTYPES_H
#define OMB_DIALECT_IR_QUANTIZEDTYPES_H

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace omb::onnx {

/// The element type of a tensor, if it is quantized; null otherwise.
mlir::quant::QuantizedType getQuantized(mlir::Type tensor);
inline mlir::quant::QuantizedType getQuantized(mlir::Value value) {
  return getQuantized(value.getType());
}

/// The integer type, as ONNX has it, that a quantized element type stores.
mlir::IntegerType getStorageType(mlir::quant::QuantizedType type);
/// The type of a tensor with another element type.
mlir::TensorType withElementType(mlir::Type tensor, mlir::Type element);
/// A tensor of quantized elements as one of what is stored, or of what the
/// elements stand for.
mlir::TensorType getStored(mlir::Type tensor);
mlir::TensorType getExpressed(mlir::Type tensor);

/// The scales and zero points of a quantized type: one for all, one for each
/// index of `axis`, or, with a `blockSize`, of `shape`, one for each block
/// along `axis`.
struct QuantizationParameters {
  llvm::SmallVector<double> scales;
  llvm::SmallVector<int64_t> zeroPoints;
  std::optional<int64_t> axis;
  int64_t blockSize = 0;
  llvm::SmallVector<int64_t> shape;

  /// Those of a type of this project's; nullopt for one that it doesn't make:
  /// of blocks along several axes, of calibrated values, without parameters.
  static std::optional<QuantizationParameters>
  get(mlir::quant::QuantizedType type);
  /// The type that stores `storage`, an integer type of ONNX; null where
  /// upstream's types don't take the parameters.
  mlir::quant::QuantizedType getType(mlir::IntegerType storage,
                                     mlir::FloatType expressed) const;
};

/// The integers that are stored for the number zero by the elements of a tensor
/// without blocks.
class ZeroPoints {
public:
  explicit ZeroPoints(mlir::RankedTensorType type);

  /// `position` counts the elements in their order.
  int64_t at(int64_t position) const {
    return points[position / stride % size];
  }

private:
  llvm::SmallVector<int64_t> points;
  int64_t size = 1, stride = 1;
};

/// Why a tensor can't have its quantized element type; empty if it can, and for
/// any other type.
std::string findQuantizationObstacle(mlir::Type tensor);

/// Whether quantizing what was dequantized gives it back, for all elements.
bool isExact(mlir::quant::QuantizedType type);

} // namespace omb::onnx

#endif // OMB_DIALECT_IR_QUANTIZEDTYPES_H
