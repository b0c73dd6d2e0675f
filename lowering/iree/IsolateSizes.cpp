//===- IsolateSizes.cpp - omb-isolate-sizes -------------------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_ISOLATESIZES
#include "lowering/Passes.h.inc"
} // namespace omb

/// Whether a tensor has `value`, or what is computed from it, as a size.
static bool isSize(Value value, llvm::DenseSet<Value> &seen) {
  if (!value.getType().isIndex() || !seen.insert(value).second)
    return false;
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    return isa<tensor::EmptyOp>(user) ||
           (isa<arith::ArithDialect>(user->getDialect()) &&
            llvm::any_of(user->getResults(),
                         [&](Value result) { return isSize(result, seen); }));
  });
}

namespace {

struct IsolateSizes : omb::impl::IsolateSizesBase<IsolateSizes> {
  void runOnOperation() override {
    SmallVector<Operation *> casts;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<linalg::LinalgOp>(op))
        return WalkResult::skip();
      llvm::DenseSet<Value> seen;
      if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op) &&
          isSize(op->getResult(0), seen))
        casts.push_back(op);
      return WalkResult::advance();
    });
    for (Operation *cast : casts) {
      OpBuilder builder(&getContext());
      builder.setInsertionPointAfter(cast);
      Value size = cast->getResult(0);
      Value isolated = omb::createBarrier(builder, cast->getLoc(), size);
      size.replaceAllUsesExcept(isolated, isolated.getDefiningOp());
    }
  }
};

} // namespace
