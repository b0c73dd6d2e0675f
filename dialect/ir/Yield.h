#ifndef OMB_DIALECT_IR_YIELD_H
#define OMB_DIALECT_IR_YIELD_H

#include "dialect/ir/OnnxDialect.h"

#include "mlir/Interfaces/ControlFlowInterfaces.h"

#define GET_OP_CLASSES
#include "dialect/ir/Yield.h.inc"

#endif // OMB_DIALECT_IR_YIELD_H
