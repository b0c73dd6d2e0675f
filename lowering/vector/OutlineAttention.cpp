//===- OutlineAttention.cpp - omb-outline-attention -----------------------===//

#include "lowering/Passes.h"
#include "lowering/to_linalg/Elements.h"
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

/// Has an operand of an elementwise op that is bits be bytes.
static void readBytes(OpOperand *operand) {
  auto op = cast<linalg::GenericOp>(operand->getOwner());
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value bits = operand->get();
  Type byte = builder.getI8Type();
  Value bytes =
      omb::mapElements(builder, loc, bits, byte,
                       [&](OpBuilder &inner, Location at, Value bit) -> Value {
                         return arith::ExtUIOp::create(inner, at, byte, bit);
                       });
  BlockArgument argument = op.getMatchingBlockArgument(operand);
  operand->set(bytes);
  argument.setType(byte);
  Value zero = arith::ConstantIntOp::create(builder, loc, byte, 0);
  builder.setInsertionPointToStart(op.getBody());
  auto isSet = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                     argument, zero);
  argument.replaceAllUsesExcept(isSet, isSet);
}

/// Has a step of the result select a constant, not an element of a tensor.
static void setZero(const AttentionStep &step) {
  auto op = step.op;
  auto select = op.getBody()
                    ->getTerminator()
                    ->getOperand(0)
                    .getDefiningOp<arith::SelectOp>();
  OpBuilder builder(op);
  Type type = select.getType();
  select.setOperand(1, arith::ConstantOp::create(builder, op.getLoc(),
                                                 builder.getZeroAttr(type)));
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
      auto match = [&] {
        return Attention::match(product, [&](const Twine &reason) {
          if (explain)
            product->emitRemark() << reason;
        });
      };
      FailureOr<Attention> attention = match();
      if (failed(attention))
        continue;
      llvm::for_each(attention->getBits(), readBytes);
      llvm::for_each(attention->getResultSteps(), setZero);
      attention = match();
      if (succeeded(attention))
        outline(outliner, *attention);
    }
  }
};

} // namespace
