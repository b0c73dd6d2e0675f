//===- IsolateGathers.cpp - omb-isolate-gathers ---------------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_ISOLATEGATHERS
#include "lowering/Passes.h.inc"
} // namespace omb

/// Whether the elements of `op` are picked from a tensor whose sizes aren't
/// known.
static bool isGather(linalg::GenericOp op) {
  return op.getNumReductionLoops() == 0 && op->getNumResults() == 1 &&
         llvm::any_of(op.getBody()->getOps<tensor::ExtractOp>(),
                      [](tensor::ExtractOp read) {
                        return !read.getTensor().getType().hasStaticShape();
                      });
}

/// Whether IREE may compute `value` in one dispatch with a reduction.
static bool reachesReduction(Value value, llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second)
    return false;
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
    if (linalgOp && linalgOp.getNumReductionLoops() > 0)
      return true;
    return (linalgOp || omb::isReshape(user)) &&
           llvm::any_of(user->getResults(), [&](Value result) {
             return reachesReduction(result, seen);
           });
  });
}

namespace {

struct IsolateGathers : omb::impl::IsolateGathersBase<IsolateGathers> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> gathers;
    getOperation().walk([&](linalg::GenericOp op) {
      llvm::DenseSet<Value> seen;
      if (isGather(op) && reachesReduction(op->getResult(0), seen))
        gathers.push_back(op);
    });
    for (linalg::GenericOp op : gathers) {
      OpBuilder builder(&getContext());
      builder.setInsertionPointAfter(op);
      Value result = op->getResult(0);
      SmallVector<OpOperand *> uses;
      for (OpOperand &use : result.getUses())
        uses.push_back(&use);
      Value isolated = omb::isolateTensor(builder, op.getLoc(), result);
      for (OpOperand *use : uses)
        use->set(isolated);
    }
  }
};

} // namespace
