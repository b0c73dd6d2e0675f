//===- Dialects.h - IREE's dialects, as far as they are handed over -*- C++
//-*-===//

#ifndef OMB_LOWERING_IREE_DIALECTS_H
#define OMB_LOWERING_IREE_DIALECTS_H

#include "mlir/IR/Dialect.h"

namespace omb::iree {

/// A dialect that IREE defines and this project only writes: its operations
/// aren't checked here and are printed in the generic form; its attributes are
/// kept as text, and its types by their names.
class ForeignDialect : public mlir::Dialect {
public:
  mlir::Attribute parseAttribute(mlir::DialectAsmParser &parser,
                                 mlir::Type type) const override;
  mlir::Type parseType(mlir::DialectAsmParser &parser) const override;

protected:
  ForeignDialect(llvm::StringRef name, mlir::MLIRContext *context,
                 mlir::TypeID id);
};

/// IREE's `util`: globals.
class UtilDialect : public ForeignDialect {
public:
  explicit UtilDialect(mlir::MLIRContext *context);
  static constexpr llvm::StringLiteral getDialectNamespace() { return "util"; }
};

/// IREE's `flow`: named parameters, dispatches.
class FlowDialect : public ForeignDialect {
public:
  explicit FlowDialect(mlir::MLIRContext *context);
  static constexpr llvm::StringLiteral getDialectNamespace() { return "flow"; }
};

/// IREE's `stream`: executables.
class StreamDialect : public ForeignDialect {
public:
  explicit StreamDialect(mlir::MLIRContext *context);
  static constexpr llvm::StringLiteral getDialectNamespace() {
    return "stream";
  }
};

} // namespace omb::iree

MLIR_DECLARE_EXPLICIT_TYPE_ID(omb::iree::UtilDialect)
MLIR_DECLARE_EXPLICIT_TYPE_ID(omb::iree::FlowDialect)
MLIR_DECLARE_EXPLICIT_TYPE_ID(omb::iree::StreamDialect)

#endif // OMB_LOWERING_IREE_DIALECTS_H
