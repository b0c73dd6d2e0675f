//===- IsolateCarriedTensors.cpp - omb-isolate-carried-tensors ------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_ISOLATECARRIEDTENSORS
#include "lowering/Passes.h.inc"
} // namespace omb

static Value withoutCasts(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return value;
}

/// Whether IREE may put `value` somewhere into a larger allocation, at an
/// offset that it computes.
static bool mayHaveOffset(Value value) {
  // A tensor with static sizes has a constant offset.
  value = withoutCasts(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && !type.hasStaticShape() && value.getDefiningOp() &&
         !isa<tensor::EmptyOp>(value.getDefiningOp());
}

/// Whether `value` can stand behind a barrier. Nothing waits for an allocation
/// that nothing is written to.
static bool canBeIsolated(Value value) {
  return isa<RankedTensorType>(value.getType()) &&
         !withoutCasts(value).getDefiningOp<tensor::EmptyOp>();
}

/// `value` behind a barrier, with its sizes still known.
static Value isolate(OpBuilder &builder, Location loc, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<Value> operands{nullptr};
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      operands.push_back(builder.createOrFold<tensor::DimOp>(loc, value, dim));
  auto create = [&](StringRef name, ValueRange values) {
    OperationState state(loc, name, values, type);
    return builder.create(state)->getResult(0);
  };
  operands[0] = create("util.optimization_barrier", value);
  return create("flow.tensor.tie_shape", operands);
}

namespace {

struct IsolateCarriedTensors
    : omb::impl::IsolateCarriedTensorsBase<IsolateCarriedTensors> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (!isa<scf::ForOp, scf::WhileOp, scf::YieldOp, scf::ConditionOp>(op))
        return;
      // All of them or none: where IREE knows when one tensor of a common
      // allocation is used for the last time, it frees them all.
      if (llvm::none_of(op->getOperands(), mayHaveOffset))
        return;
      OpBuilder builder(op);
      for (OpOperand &operand : op->getOpOperands())
        if (canBeIsolated(operand.get()))
          operand.set(isolate(builder, op->getLoc(), operand.get()));
    });
  }
};

} // namespace
