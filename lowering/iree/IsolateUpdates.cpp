//===- IsolateUpdates.cpp - omb-isolate-updates ---------------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <numeric>

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_ISOLATEUPDATES
#include "lowering/Passes.h.inc"
} // namespace omb

/// What IREE aligns tensors to, in bytes.
static constexpr int64_t kAlignment = 64;

/// Whether all of `size` elements may be those of a dimension of `whole`.
static bool mayBeAll(int64_t size, int64_t whole) {
  return size == whole || ShapedType::isDynamic(size) ||
         ShapedType::isDynamic(whole);
}

/// Whether elements of such a shape may be next to each other as a part of a
/// tensor of the shape `whole`.
static bool mayBeContiguous(ArrayRef<int64_t> part, ArrayRef<int64_t> whole) {
  const auto *outer =
      llvm::find_if(part, [](int64_t size) { return size != 1; });
  size_t inner = std::distance(part.begin(), outer) + 1;
  for (size_t dim = inner; dim < part.size(); ++dim)
    if (!mayBeAll(part[dim], whole[dim]))
      return false;
  return true;
}

/// What the bytes of one index of `dim` are a multiple of.
static int64_t getStrideFactor(RankedTensorType type, unsigned dim) {
  Type element = type.getElementType();
  int64_t bytes =
      element.isIntOrFloat() ? (element.getIntOrFloatBitWidth() + 7) / 8 : 1;
  for (int64_t size : type.getShape().drop_front(dim + 1))
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  return bytes;
}

static int64_t getFactor(int64_t size) {
  return ShapedType::isDynamic(size) ? 1 : size;
}

/// Whether `value` is what a dispatch computes for one reader only, perhaps
/// reshaped: IREE has it compute that in the place where the reader copies it.
static bool isComputedInPlace(Value value) {
  Operation *op = value.getDefiningOp();
  while (omb::isReshape(op) && op->hasOneUse())
    op = op->getOperand(0).getDefiningOp();
  return op && op->hasOneUse() && !matchPattern(op, m_Constant());
}

/// Whether IREE computes a path through `function` on the host.
static bool hasBranches(FunctionOpInterface function) {
  return function
      ->walk([](Operation *op) {
        if (isa<linalg::LinalgOp>(op))
          return WalkResult::skip();
        bool isBranch =
            isa<scf::IfOp, scf::ForOp, scf::WhileOp, scf::IndexSwitchOp>(op);
        return isBranch ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {

struct IsolateUpdates : omb::impl::IsolateUpdatesBase<IsolateUpdates> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<FunctionOpInterface>())
      if (hasBranches(function))
        isolateUpdates(function);
  }

private:
  static void isolateUpdates(FunctionOpInterface function) {
    function->walk([](Operation *op) {
      if (isa<linalg::LinalgOp>(op))
        return WalkResult::skip();
      if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
        isolateSource(insert);
      if (auto concat = dyn_cast<tensor::ConcatOp>(op))
        isolateInputs(concat);
      return WalkResult::advance();
    });
  }

  /// Isolates what is put at an offset, in bytes a multiple of `factor`.
  static void isolate(OpOperand &part, int64_t factor) {
    if (factor % kAlignment == 0 || !isComputedInPlace(part.get()))
      return;
    Operation *op = part.getOwner();
    OpBuilder builder(op);
    part.set(omb::isolateTensor(builder, op->getLoc(), part.get()));
  }

  static void isolateSource(tensor::InsertSliceOp op) {
    RankedTensorType part = op.getSourceType(), whole = op.getDestType();
    if (part.getRank() == whole.getRank() &&
        !mayBeContiguous(part.getShape(), whole.getShape()))
      return;
    int64_t factor = 0;
    for (auto [dim, offset] : llvm::enumerate(op.getStaticOffsets()))
      factor =
          std::gcd(factor, getFactor(offset) * getStrideFactor(whole, dim));
    isolate(op.getSourceMutable(), factor);
  }

  static void isolateInputs(tensor::ConcatOp op) {
    RankedTensorType whole = op.getResultType();
    unsigned dim = op.getDim();
    if (!llvm::all_of(whole.getShape().take_front(dim),
                      [](int64_t size) { return size == 1; }))
      return;
    int64_t factor = 0;
    for (OpOperand &input : op->getOpOperands()) {
      isolate(input, factor);
      auto type = cast<RankedTensorType>(input.get().getType());
      factor = std::gcd(factor, getStrideFactor(whole, dim) *
                                    getFactor(type.getDimSize(dim)));
    }
  }
};

} // namespace
