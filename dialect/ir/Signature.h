//===- Signature.h - An operator's formal parameters ------------*- C++ -*-===//
//
// What the schema of an ONNX operator says of its parameters, and what follows
// from it for all ops alike: the assembly format and the type check.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_IR_SIGNATURE_H
#define OMB_DIALECT_IR_SIGNATURE_H

#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <vector>

namespace omb::onnx {

/// The element types of ONNX, one bit each.
enum ElementKind : uint32_t {
  kBool = 1u << 0,
  kI2 = 1u << 1,
  kI4 = 1u << 2,
  kI8 = 1u << 3,
  kI16 = 1u << 4,
  kI32 = 1u << 5,
  kI64 = 1u << 6,
  kU2 = 1u << 7,
  kU4 = 1u << 8,
  kU8 = 1u << 9,
  kU16 = 1u << 10,
  kU32 = 1u << 11,
  kU64 = 1u << 12,
  kF16 = 1u << 13,
  kBF16 = 1u << 14,
  kF32 = 1u << 15,
  kF64 = 1u << 16,
  kF4E2M1 = 1u << 17,
  kF6E2M3 = 1u << 18,
  kF6E3M2 = 1u << 19,
  kF8E4M3FN = 1u << 20,
  kF8E4M3FNUZ = 1u << 21,
  kF8E5M2 = 1u << 22,
  kF8E5M2FNUZ = 1u << 23,
  kF8E8M0 = 1u << 24,
  kC64 = 1u << 25,
  kC128 = 1u << 26,
  kString = 1u << 27,
  kAny = (1u << 28) - 1,
};

/// The types that a parameter takes: element kinds by container.
struct TypeSet {
  uint32_t tensor;
  uint32_t seq;
  uint32_t optionalTensor;
  uint32_t optionalSeq;
  /// Maps and sequences of maps (ai.onnx.ml), of whatever key and value.
  bool maps = false;
};

/// Whether `set` holds `type`. `none`, the type of an absent result, is in
/// every set.
bool contains(TypeSet set, mlir::Type type);

/// The kind of a tensor's element type; 0 where ONNX has none like it. Of a
/// quantized type, the kind of what it expresses.
uint32_t getElementKind(mlir::Type elementType);

struct Parameter {
  enum Option { Single, Optional, Variadic };
  llvm::StringLiteral name;
  /// The type variable that this parameter shares with others, or "".
  llvm::StringLiteral typeVariable;
  Option option;
};

struct OpSignature {
  std::vector<Parameter> operands;
  std::vector<Parameter> results;
  std::vector<llvm::StringLiteral> regions;
};

/// Side-effect resource of the ops that draw random numbers.
struct RandomState : mlir::SideEffects::Resource::Base<RandomState> {
  llvm::StringRef getName() final { return "onnx.RandomState"; }
};

/// The values of operand or result group `index`.
mlir::ValueRange getOperandGroup(mlir::Operation *op,
                                 const OpSignature &signature, unsigned index);
mlir::ValueRange getResultGroup(mlir::Operation *op,
                                const OpSignature &signature, unsigned index);

/// `(%a, none, %b) {attr = ...} : (types) -> types region {...}`
mlir::ParseResult parseOp(mlir::OpAsmParser &parser,
                          mlir::OperationState &result,
                          const OpSignature &signature);
void printOp(mlir::OpAsmPrinter &printer, mlir::Operation *op,
             const OpSignature &signature);

/// Verifies that a type variable stands for one type, whatever the shapes and
/// the quantization, and that quantized types fit their tensors.
llvm::LogicalResult verifyTypeVariables(mlir::Operation *op,
                                        const OpSignature &signature);

} // namespace omb::onnx

#endif // OMB_DIALECT_IR_SIGNATURE_H
