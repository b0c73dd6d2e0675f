//===- Assert.cpp - Checks at run time ------------------------------------===//

#include "dialect/ir/Assert.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

void omb::createAssert(OpBuilder &builder, Location loc, Value condition,
                       const Twine &message) {
  // The importer's locations are the names of nodes.
  std::string node;
  if (auto name = dyn_cast<NameLoc>(loc))
    node = name.getName().str() + ": ";
  cf::AssertOp::create(builder, loc, condition, (node + message).str());
}
