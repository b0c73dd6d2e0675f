//===- DensifyConstants.cpp - omb-densify-constants -----------------------===//

#include "dialect/ir/SparseTypes.h"
#include "lowering/Passes.h"
#include "lowering/sparse/SparseWeights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_DENSIFYCONSTANTS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

struct DensifyConstants : omb::impl::DensifyConstantsBase<DensifyConstants> {
  void runOnOperation() override {
    SmallVector<arith::ConstantOp> constants;
    getOperation().walk([&](arith::ConstantOp op) {
      if (omb::getSparseElements(op))
        constants.push_back(op);
    });
    for (arith::ConstantOp op : constants) {
      if (op->use_empty()) {
        op->erase();
        continue;
      }
      OpBuilder builder(op);
      ElementsAttr dense = omb::onnx::makeDense(omb::getSparseElements(op));
      Value value = arith::ConstantOp::create(builder, op.getLoc(),
                                              cast<TypedAttr>(dense));
      // Products take factors of both types.
      op.getResult().replaceAllUsesWith(value);
      op.erase();
    }
  }
};

} // namespace
