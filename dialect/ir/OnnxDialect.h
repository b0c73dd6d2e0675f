//===- OnnxDialect.h - The onnx dialect, its types and attributes -*- C++ -*-=//

#ifndef OMB_DIALECT_IR_ONNXDIALECT_H
#define OMB_DIALECT_IR_ONNXDIALECT_H

#include "dialect/ir/Signature.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/ir/OnnxDialect.h.inc"

#include "dialect/ir/OnnxInterfaces.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/ir/OnnxTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/ir/OnnxAttributes.h.inc"

#endif // OMB_DIALECT_IR_ONNXDIALECT_H
