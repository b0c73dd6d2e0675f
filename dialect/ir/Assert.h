//===- Assert.h - Checks at run time ----------------------------*- C++ -*-===//

#ifndef OMB_DIALECT_IR_ASSERT_H
#define OMB_DIALECT_IR_ASSERT_H

#include "mlir/IR/Value.h"

namespace mlir {
class OpBuilder;
} // namespace mlir

namespace omb {

/// Ends the run with `message`, after the name of the node that `loc` is,
/// where `condition` is false.
void createAssert(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Value condition, const llvm::Twine &message);

} // namespace omb

#endif // OMB_DIALECT_IR_ASSERT_H
