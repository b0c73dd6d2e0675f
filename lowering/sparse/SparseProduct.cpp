//===- SparseProduct.cpp - Products with sparse constants -----------------===//

#include "lowering/sparse/SparseProduct.h"

#include "lowering/sparse/SparseConvolution.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace omb;
using namespace omb::kernels;

FailureOr<SparseProduct>
SparseProduct::match(linalg::LinalgOp op,
                     function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  FailureOr<ChannelContraction> found = ChannelContraction::match(op, why);
  if (failed(found))
    return failure();
  SparseElementsAttr elements = getSparseElements(found->weights->get());
  if (!elements)
    return fail("has no sparse constant as its weights");
  if (found->positions.size() != 1 || found->reductions.size() != 1 ||
      !found->batches.empty())
    return fail("isn't a product of matrices");
  MLIRContext *context = op.getContext();
  AffineExpr row = getAffineDimExpr(found->positions[0], context),
             inner = getAffineDimExpr(found->reductions[0], context),
             channel = getAffineDimExpr(found->channel, context);
  if (op.getMatchingIndexingMap(found->input).getResults() !=
      ArrayRef<AffineExpr>{row, inner})
    return fail("has rows that aren't next to each other");
  if (op.getMatchingIndexingMap(found->weights).getResults() !=
      ArrayRef<AffineExpr>{inner, channel})
    return fail("has transposed sparse weights");
  if (!getElementTypeOrSelf(op.getDpsInits()[0].getType()).isF32())
    return fail("isn't of f32");
  if (!isZeroFill(op.getDpsInits()[0]))
    return fail("doesn't start at zero");
  FailureOr<SparseWeights> weights = SparseWeights::get(elements);
  if (failed(weights))
    return fail("has weights in a format without a kernel");
  return SparseProduct{*found, *weights};
}

void omb::remarkOtherSparseSums(ModuleOp module) {
  module.walk([&](linalg::LinalgOp op) {
    auto remark = [&](const Twine &why) { op->emitRemark() << why; };
    if (llvm::none_of(op.getDpsInputs(), getSparseElements))
      return;
    if (SparseConvolution::isConvolution(op))
      (void)SparseConvolution::match(op, remark);
    else
      (void)SparseProduct::match(op, remark);
  });
}
