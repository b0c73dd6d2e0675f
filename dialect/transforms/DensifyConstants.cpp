//===- DensifyConstants.cpp - onnx-densify-constants ----------------------===//

#include "dialect/ir/ops/Constant.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/SparseConstants.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_DENSIFYCONSTANTS
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

namespace {

struct DensifyConstants
    : omb::onnx::impl::DensifyConstantsBase<DensifyConstants> {
  using DensifyConstantsBase::DensifyConstantsBase;

  void runOnOperation() override {
    SmallVector<ConstantOp> constants;
    getOperation().walk([&](ConstantOp op) {
      if (isa_and_nonnull<SparseElementsAttr>(op.getSparseValueAttr()))
        constants.push_back(op);
    });
    for (ConstantOp op : constants)
      densify(op);
  }

private:
  void densify(ConstantOp op) {
    auto needsDense = [&](OpOperand &use) {
      return keepFactors ? !isSecondFactor(use) && !isTable(use)
                         : !isLoweredSparse(use);
    };
    if (!op->use_empty() && llvm::any_of(op->getUses(), needsDense)) {
      OpBuilder builder(op);
      op.getResult().replaceUsesWithIf(createDense(builder, op), needsDense);
    }
    if (op->use_empty())
      op->erase();
  }
};

} // namespace
