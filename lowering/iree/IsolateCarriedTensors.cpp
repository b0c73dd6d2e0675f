//===- IsolateCarriedTensors.cpp - omb-isolate-carried-tensors ------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_ISOLATECARRIEDTENSORS
#include "lowering/Passes.h.inc"
} // namespace omb

static Value withoutCasts(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return value;
}

static bool isDynamic(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && !type.hasStaticShape();
}

/// Whether `value` has no contents: an allocation, or one of no elements.
static bool isEmpty(Value value) {
  value = withoutCasts(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return value.getDefiningOp<tensor::EmptyOp>() ||
         (type && type.hasStaticShape() && type.getNumElements() == 0);
}

/// Whether IREE may put `value` somewhere into a larger allocation, at an
/// offset that it computes; or take its size, which a cast hides, for that of
/// all iterations. A tensor with static sizes has a constant offset.
static bool mayHaveOffset(Value value) {
  return isDynamic(value) && value.getDefiningOp();
}

/// Whether `value` is computed: IREE may put that into one partition with what
/// reads `value` after the loop that starts with it, and finds a cycle.
static bool isComputed(Value value) {
  return isa<RankedTensorType>(value.getType()) && value.getDefiningOp() &&
         !isEmpty(value) && !matchPattern(value, m_Constant());
}

/// Zeros in the place of `value`, an empty tensor: an allocation that nothing
/// is written to is none behind a barrier, and its constant sizes are taken for
/// those of all iterations.
static Value fill(OpBuilder &builder, Location loc, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(omb::createBarrier(
          builder, loc, builder.createOrFold<tensor::DimOp>(loc, value, dim)));
  Value empty = tensor::EmptyOp::create(builder, loc, type, sizes);
  Value zero = omb::createZero(builder, loc, type.getElementType());
  return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
}

/// The elements of `tensor` in memory of its own: chosen by a condition that
/// IREE doesn't know, as it elides copies.
static Value copy(OpBuilder &builder, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value isTrue = omb::createBarrier(
      builder, loc,
      arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true)));
  Value zero = omb::createZero(builder, loc, type.getElementType());
  return omb::mapElements(
      builder, loc, tensor, type.getElementType(),
      [&](OpBuilder &b, Location bodyLoc, Value element) -> Value {
        return arith::SelectOp::create(b, bodyLoc, isTrue, element, zero);
      });
}

/// A tensor that `op` passes on twice is a copy the second time: IREE moves its
/// reference to the first place and leaves none for the second.
static void copyDuplicates(Operation *op) {
  OpBuilder builder(op);
  llvm::SmallDenseSet<Value> passed;
  for (OpOperand &operand : op->getOpOperands())
    if (isa<RankedTensorType>(operand.get().getType()) &&
        !isEmpty(operand.get()) &&
        !passed.insert(withoutCasts(operand.get())).second)
      operand.set(copy(builder, op->getLoc(), operand.get()));
}

/// Whether IREE may compute `value` once, when the module is loaded: whether it
/// follows from constants.
static bool isOfConstants(Value value, llvm::DenseMap<Value, bool> &known) {
  auto [found, isNew] = known.try_emplace(value, false);
  if (!isNew)
    return found->second;
  Operation *op = value.getDefiningOp();
  if (!op || !isPure(op) || isa<tensor::EmptyOp>(op))
    return false;
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  bool isOf = llvm::all_of(used, [&](Value operand) {
    return isEmpty(operand) || isOfConstants(operand, known);
  });
  known[value] = isOf;
  return isOf;
}

/// Whether all elements are one number, which IREE writes where they are
/// needed.
static bool isFilled(Value value) {
  SplatElementsAttr splat;
  return withoutCasts(value).getDefiningOp<linalg::FillOp>() ||
         matchPattern(value, m_Constant(&splat));
}

/// A tensor that follows from constants is passed on as a copy: IREE frees what
/// it passes on when it is used for the last time, and that one is there for
/// the next run, too.
static void copyConstants(Operation *op, llvm::DenseMap<Value, bool> &known) {
  OpBuilder builder(op);
  for (OpOperand &operand : op->getOpOperands())
    if (isa<RankedTensorType>(operand.get().getType()) &&
        !isEmpty(operand.get()) && !isFilled(operand.get()) &&
        isOfConstants(operand.get(), known))
      operand.set(copy(builder, op->getLoc(), operand.get()));
}

/// Isolates what `op` passes on to another block.
static void isolateOperands(Operation *op) {
  OpBuilder builder(op);
  for (OpOperand &operand : op->getOpOperands())
    if (isDynamic(operand.get()) && isEmpty(operand.get()))
      operand.set(fill(builder, op->getLoc(), operand.get()));
  auto needsBarrier = [&](Value value) {
    if (isa<LoopLikeOpInterface>(op))
      return isComputed(value);
    // IREE takes the sizes of one branch for those of the other.
    return isa<scf::IfOp>(op->getParentOp()) ? isDynamic(value)
                                             : mayHaveOffset(value);
  };
  // All of them or none: where IREE knows when one tensor of a common
  // allocation is used for the last time, it frees them all.
  if (llvm::none_of(op->getOperands(), needsBarrier))
    return;
  for (OpOperand &operand : op->getOpOperands())
    if (isa<RankedTensorType>(operand.get().getType()) &&
        !isEmpty(operand.get()))
      operand.set(omb::isolateTensor(builder, op->getLoc(), operand.get()));
}

/// Whether `op` is part of the computation of an element, of scalars.
static bool isOfElements(Operation *op) {
  return op->getParentOfType<linalg::LinalgOp>() != nullptr;
}

/// Has the condition of `loop` pass on all that it gets, in order, where it
/// passes on a part of it.
static scf::WhileOp passOnAll(scf::WhileOp loop) {
  SmallVector<unsigned> passed;
  for (Value value : loop.getConditionOp().getArgs()) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getOwner() != loop.getBeforeBody())
      return loop;
    passed.push_back(argument.getArgNumber());
  }
  OpBuilder builder(loop);
  ValueRange starts = loop.getInits();
  auto whole =
      scf::WhileOp::create(builder, loop.getLoc(), starts.getTypes(), starts);
  whole.getBefore().takeBody(loop.getBefore());
  whole.getConditionOp().getArgsMutable().assign(whole.getBeforeArguments());
  whole.getAfter().takeBody(loop.getAfter());
  Block *body = whole.getAfterBody();
  unsigned before = body->getNumArguments();
  body->addArguments(starts.getTypes(),
                     SmallVector<Location>(starts.size(), loop.getLoc()));
  for (auto [number, position] : llvm::enumerate(passed)) {
    body->getArgument(number).replaceAllUsesWith(
        body->getArgument(before + position));
    loop.getResult(number).replaceAllUsesWith(whole.getResult(position));
  }
  body->eraseArguments(0, before);
  loop.erase();
  return whole;
}

/// Reads what a loop carries and doesn't read, and its sizes: IREE loses them.
static void readCarried(scf::ForOp loop) {
  OpBuilder builder = OpBuilder::atBlockBegin(loop.getBody());
  for (Value argument : loop.getRegionIterArgs())
    if (argument.use_empty() && isDynamic(argument))
      (void)omb::isolateTensor(builder, loop.getLoc(), argument,
                               /*distinct=*/true);
}

/// Keeps all that `loop` carries apart: what it doesn't read or change, or
/// carries twice, is removed from some of its blocks otherwise, and then IREE
/// loses count.
static void separateCarried(scf::WhileOp loop) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  auto hide = [&](Value value) {
    if (!isDynamic(value))
      return omb::createBarrier(builder, loc, value);
    if (isEmpty(value))
      value = fill(builder, loc, value);
    return omb::isolateTensor(builder, loc, value, /*distinct=*/true);
  };
  auto condition = loop.getConditionOp();
  builder.setInsertionPoint(condition);
  for (OpOperand &operand : condition.getArgsMutable())
    operand.set(hide(operand.get()));
  auto yield = loop.getYieldOp();
  builder.setInsertionPoint(yield);
  for (OpOperand &operand : yield->getOpOperands())
    operand.set(hide(operand.get()));
  // So that all of them are read, and their sizes.
  builder.setInsertionPointToStart(loop.getAfterBody());
  for (Value argument : loop.getAfterArguments())
    (void)hide(argument);
}

/// A choice between whole tensors as two branches.
static void expandSelect(arith::SelectOp op) {
  OpBuilder builder(op);
  auto yield = [](Value value) {
    return [value](OpBuilder &builder, Location loc) {
      scf::YieldOp::create(builder, loc, value);
    };
  };
  auto ifOp =
      scf::IfOp::create(builder, op.getLoc(), op.getCondition(),
                        yield(op.getTrueValue()), yield(op.getFalseValue()));
  op.replaceAllUsesWith(ifOp.getResult(0));
  op.erase();
}

namespace {

struct IsolateCarriedTensors
    : omb::impl::IsolateCarriedTensorsBase<IsolateCarriedTensors> {
  void runOnOperation() override {
    llvm::DenseMap<Value, bool> areOfConstants;
    getOperation().walk([&](arith::SelectOp op) {
      auto isConstant = [&](Value value) {
        return !isFilled(value) && isOfConstants(value, areOfConstants);
      };
      if (isDynamic(op.getResult()) ||
          (isa<RankedTensorType>(op.getType()) &&
           !op.getCondition().getDefiningOp<arith::ConstantOp>() &&
           (isConstant(op.getTrueValue()) || isConstant(op.getFalseValue()))))
        expandSelect(op);
    });
    areOfConstants.clear();
    getOperation().walk([&](Operation *op) {
      bool isOfWhile =
          isa<scf::YieldOp>(op) && isa<scf::WhileOp>(op->getParentOp());
      if (!isa<scf::ForOp, scf::WhileOp, scf::YieldOp>(op) || isOfElements(op))
        return;
      copyConstants(op, areOfConstants);
      copyDuplicates(op);
      if (!isOfWhile)
        isolateOperands(op);
    });
    getOperation().walk(readCarried);
    getOperation().walk([](scf::WhileOp loop) {
      if (!isOfElements(loop))
        separateCarried(passOnAll(loop));
    });
  }
};

} // namespace
