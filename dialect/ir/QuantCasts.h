#ifndef OMB_DIALECT_IR_QUANTCASTS_H
#define OMB_DIALECT_IR_QUANTCASTS_H

#include "dialect/ir/OnnxDialect.h"

#define GET_OP_CLASSES
#include "dialect/ir/QuantCasts.h.inc"

#endif // OMB_DIALECT_IR_QUANTCASTS_H
