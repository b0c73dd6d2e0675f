//===- Dialects.cpp - IREE's dialects, as far as they are handed over -----===//

#include "lowering/iree/Dialects.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace omb::iree;

MLIR_DEFINE_EXPLICIT_TYPE_ID(omb::iree::UtilDialect)
MLIR_DEFINE_EXPLICIT_TYPE_ID(omb::iree::FlowDialect)
MLIR_DEFINE_EXPLICIT_TYPE_ID(omb::iree::StreamDialect)

ForeignDialect::ForeignDialect(StringRef name, MLIRContext *context, TypeID id)
    : Dialect(name, context, id) {
  allowUnknownOperations();
}

Attribute ForeignDialect::parseAttribute(DialectAsmParser &parser,
                                         Type type) const {
  auto name = StringAttr::get(getContext(), getNamespace());
  return OpaqueAttr::getChecked(
      [&] { return parser.emitError(parser.getNameLoc()); }, name,
      parser.getFullSymbolSpec(), type ? type : NoneType::get(getContext()));
}

Type ForeignDialect::parseType(DialectAsmParser &parser) const {
  auto name = StringAttr::get(getContext(), getNamespace());
  return OpaqueType::getChecked(
      [&] { return parser.emitError(parser.getNameLoc()); }, name,
      parser.getFullSymbolSpec());
}

UtilDialect::UtilDialect(MLIRContext *context)
    : ForeignDialect(getDialectNamespace(), context,
                     TypeID::get<UtilDialect>()) {}

FlowDialect::FlowDialect(MLIRContext *context)
    : ForeignDialect(getDialectNamespace(), context,
                     TypeID::get<FlowDialect>()) {}

StreamDialect::StreamDialect(MLIRContext *context)
    : ForeignDialect(getDialectNamespace(), context,
                     TypeID::get<StreamDialect>()) {}
