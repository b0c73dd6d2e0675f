//===- FlattenElements.cpp - omb-flatten-elements -------------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_FLATTENELEMENTS
#include "lowering/Passes.h.inc"
} // namespace omb

/// Makes a vector of the elements, and gives it the shape behind a barrier, so
/// that IREE doesn't fold the two into what was there before.
static void flatten(tensor::FromElementsOp op) {
  OpBuilder builder(op);
  RankedTensorType type = op.getType();
  Value vector =
      tensor::FromElementsOp::create(builder, op.getLoc(), op.getElements());
  vector = omb::createBarrier(builder, op.getLoc(), vector);
  ReassociationIndices all =
      llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  op.replaceAllUsesWith(
      tensor::ExpandShapeOp::create(builder, op.getLoc(), type, vector,
                                    ArrayRef<ReassociationIndices>{all})
          .getResult());
  op.erase();
}

namespace {

struct FlattenElements : omb::impl::FlattenElementsBase<FlattenElements> {
  void runOnOperation() override {
    getOperation().walk([](tensor::FromElementsOp op) {
      if (op.getType().getRank() > 1)
        flatten(op);
    });
  }
};

} // namespace
