//===- OutlineAttention.cpp - omb-outline-attention -----------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/Attention.h"
#include "lowering/vector/Outliner.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_OUTLINEATTENTION
#include "lowering/Passes.h.inc"
} // namespace omb

/// The dynamic sizes of the result of a view, or of a product.
static SmallVector<Value> getResultSizes(Operation *op) {
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return SmallVector<Value>(expand.getOutputShape());
  auto linalgOp = cast<linalg::LinalgOp>(op);
  Value destination = linalgOp.getDpsInits()[0];
  if (auto fill = destination.getDefiningOp<linalg::FillOp>())
    destination = fill.output();
  return getSizes(op, destination);
}

static void outline(Outliner &outliner, const Attention &attention) {
  Value root = attention.getRoot();
  KernelSource source{root.getLoc(),
                      attention.getTensors(),
                      attention.getIndices(),
                      root,
                      getResultSizes(root.getDefiningOp()),
                      [&](OpBuilder &builder, IRMapping &map, ValueRange) {
                        for (Operation *op : attention.getOps()) {
                          cloneConstants(builder, op, map);
                          builder.clone(*op, map);
                        }
                      }};
  outliner.outline(source);
  for (Operation *op : llvm::reverse(attention.getOps()))
    if (op->use_empty())
      op->erase();
}

namespace {

struct OutlineAttention : omb::impl::OutlineAttentionBase<OutlineAttention> {
  using OutlineAttentionBase::OutlineAttentionBase;

  void runOnOperation() override {
    Outliner outliner(getOperation());
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.getNumReductionLoops() > 0 && op.getNumDpsInputs() == 2)
        products.push_back(op);
    });
    // Those that a kernel takes come before its last.
    for (linalg::LinalgOp product : products) {
      FailureOr<Attention> attention =
          Attention::match(product, [&](const Twine &reason) {
            if (explain)
              product->emitRemark() << reason;
          });
      if (succeeded(attention))
        outline(outliner, *attention);
    }
  }
};

} // namespace
