//===- Elementwise.h - What is done to each element -------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ELEMENTWISE_H
#define OMB_LOWERING_VECTOR_ELEMENTWISE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace omb::kernels {

/// Whether `op` computes each element of one new tensor, in the order of its
/// loops, from elements of its inputs alone.
bool isElementwiseOfInputs(mlir::linalg::GenericOp op);

/// Whether a vector can hold the type's values as memory does.
bool isVectorElement(mlir::Type type);

/// Whether the operations of `body` can be done to vectors, also to lanes that
/// hold nothing. What they read from outside must be constants or satisfy
/// `isReadable`.
bool isVectorizable(mlir::Block &body,
                    llvm::function_ref<bool(mlir::Value)> isReadable);

/// Whether `body` calls functions, which become some dozen instructions for
/// each vector.
bool callsFunctions(mlir::Block &body);

/// Writes the operations of bodies of linalg ops, each for all lanes of a
/// vector, or once where no operand is a vector.
class LaneEmitter {
public:
  LaneEmitter(mlir::OpBuilder &builder, int64_t lanes)
      : builder(builder), lanes(lanes) {}

  /// Whether the CPU has an instruction that rounds f32 to bf16.
  void setConvertsBFloats(bool enable) { convertsBFloats = enable; }
  /// A division by the same number in all lanes, which becomes a product with
  /// one divided by that: this may differ in the last place.
  void setReciprocal(mlir::Operation *division) { reciprocal = division; }

  /// What a value of the body becomes.
  void map(mlir::Value from, mlir::Value to) { values.map(from, to); }
  /// What it became: a scalar where it is the same in all lanes.
  mlir::Value get(mlir::Value value);
  void emit(mlir::Operation &op);
  /// All but the terminator, whose operand's value this returns, and indices,
  /// which have been mapped.
  mlir::Value emitAll(mlir::Block &body);
  /// `value` in all lanes.
  mlir::Value toVector(mlir::Value value);

private:
  /// The instruction for `op`; null where there is none.
  mlir::Value convertToBFloats(mlir::Operation &op);
  /// The same for rounding, of which IREE 3.13 makes some 25 instructions.
  mlir::Value roundToEven(mlir::Operation &op);
  /// The product that is in the place of a quotient.
  mlir::Value multiplyByReciprocal(mlir::Operation &op);

  mlir::OpBuilder &builder;
  int64_t lanes;
  bool convertsBFloats = false;
  mlir::Operation *reciprocal = nullptr;
  mlir::IRMapping values;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ELEMENTWISE_H
