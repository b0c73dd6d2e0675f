//===- ShapeReductions.cpp - omb-shape-reductions -------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/CollapseRows.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/SplitReductions.h"
#include "lowering/vector/Winograd.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_SHAPEREDUCTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

static void ignore(const Twine &) {}

/// Whether `op` is done to what a kernel computes, as a part of that.
static bool isEpilogue(linalg::GenericOp op) {
  return llvm::any_of(op.getDpsInputs(), [](Value input) {
    return isWinogradOutput(input) || input.getDefiningOp<linalg::UnPackOp>();
  });
}

namespace {

struct ShapeReductions : omb::impl::ShapeReductionsBase<ShapeReductions> {
  using ShapeReductionsBase::ShapeReductionsBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function->hasAttr(kKernelAttrName))
        continue;
      IRRewriter rewriter(function.getContext());
      collapseRows(rewriter, function);
      SmallVector<linalg::GenericOp> columns;
      SmallVector<RowReduction> rows;
      function.walk([&](linalg::GenericOp op) {
        if (succeeded(ColumnReduction::match(op, ignore)))
          columns.push_back(op);
        else if (FailureOr<RowReduction> row = RowReduction::match(op, ignore);
                 succeeded(row))
          rows.push_back(*row);
      });
      for (linalg::GenericOp op : columns)
        splitColumns(rewriter, fuseProducers(rewriter, op));
      for (const RowReduction &row : rows)
        if (SplitReduction split(row); split.parts > 1)
          split.apply(rewriter);
    }
  }

private:
  void splitColumns(RewriterBase &rewriter, linalg::GenericOp op) const {
    FailureOr<ColumnReduction> reduction = ColumnReduction::match(op, ignore);
    if (failed(reduction))
      return;
    VectorUnit unit{vectorBytes, vectorRegisters};
    if (SplitReduction split(*reduction, unit); split.parts > 1)
      split.apply(rewriter);
  }

  /// One op of a reduction and what is done to each element that it alone
  /// reads, as far as that is still a reduction for a kernel.
  static linalg::GenericOp fuseProducers(RewriterBase &rewriter,
                                         linalg::GenericOp op) {
    bool isChanged = true;
    while (isChanged) {
      isChanged = false;
      for (OpOperand *operand : op.getDpsInputOperands()) {
        auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
        if (!producer || !producer->hasOneUse() ||
            !linalg::isElementwise(producer) || isEpilogue(producer) ||
            !linalg::areElementwiseOpsFusable(operand))
          continue;
        rewriter.setInsertionPoint(op);
        FailureOr<linalg::ElementwiseOpFusionResult> fused =
            linalg::fuseElementwiseOps(rewriter, operand);
        if (failed(fused))
          continue;
        auto result = cast<linalg::GenericOp>(fused->fusedOp);
        if (failed(ColumnReduction::match(result, ignore))) {
          rewriter.eraseOp(result);
          continue;
        }
        rewriter.replaceOp(op, result->getResults().take_back(1));
        rewriter.eraseOp(producer);
        op = result;
        isChanged = true;
        break;
      }
    }
    return op;
  }
};

} // namespace
