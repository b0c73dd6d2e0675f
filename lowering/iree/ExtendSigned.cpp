//===- ExtendSigned.cpp - omb-extend-signed -------------------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Barrier.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace omb {
#define GEN_PASS_DEF_EXTENDSIGNED
#include "lowering/Passes.h.inc"
} // namespace omb

/// Whether `type` is of integers that several of are in 32 bits.
static bool isPacked(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isInteger() && element.getIntOrFloatBitWidth() > 1 &&
         element.getIntOrFloatBitWidth() < 32;
}

/// The wider type that the body of `op` has of an operand; null if it reads it
/// in another way, too.
static Type getExtendedType(linalg::LinalgOp op, OpOperand &operand) {
  BlockArgument argument = op.getMatchingBlockArgument(&operand);
  Type wide;
  for (Operation *user : argument.getUsers()) {
    auto extend = dyn_cast<arith::ExtSIOp>(user);
    if (!extend || (wide && extend.getType() != wide))
      return nullptr;
    wide = extend.getType();
  }
  return wide;
}

/// `x` as a number of `wide`, with the sign that its first bit is: that is
/// inverted, and subtracted as a part of an unsigned number.
static Value extend(OpBuilder &builder, Location loc, Value x, Type wide) {
  unsigned bits = x.getType().getIntOrFloatBitWidth();
  Value unsignedNumber = arith::ExtUIOp::create(builder, loc, wide, x);
  Value sign = arith::ConstantOp::create(
      builder, loc, builder.getIntegerAttr(wide, int64_t(1) << (bits - 1)));
  Value inverted = arith::XOrIOp::create(builder, loc, unsignedNumber, sign);
  return arith::SubIOp::create(builder, loc, inverted, sign);
}

/// A tensor of `wide` numbers.
static Value extendTensor(OpBuilder &builder, Location loc, Value tensor,
                          Type wide) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, tensor), wide);
  AffineMap map = builder.getMultiDimIdentityMap(type.getRank());
  return linalg::GenericOp::create(
             builder, loc, type.clone(wide), tensor, empty, {map, map},
             SmallVector<utils::IteratorType>(type.getRank(),
                                              utils::IteratorType::parallel),
             [&](OpBuilder &inner, Location at, ValueRange args) {
               linalg::YieldOp::create(inner, at,
                                       extend(inner, at, args[0], wide));
             })
      .getResult(0);
}

/// Whether IREE makes integer dot products of `op` where it loads several
/// elements at once.
static bool isOfDotProducts(linalg::LinalgOp op) {
  constexpr int64_t factors = 4;
  auto product = dyn_cast<linalg::MatmulOp>(*op);
  if (!product || product.hasUserDefinedMaps() ||
      ShapedType::isDynamicShape(op.getStaticLoopRanges()))
    return false;
  auto isByte = [](Value value) {
    return getElementTypeOrSelf(value).isInteger(8);
  };
  auto isSigned = [&](OpOperand *operand) {
    return getExtendedType(op, *operand) != nullptr;
  };
  return llvm::all_of(op.getDpsInputs(), isByte) &&
         llvm::all_of(op.getDpsInputOperands(), isSigned) &&
         op.getStaticLoopRanges().back() % factors == 0;
}

namespace {

struct ExtendSigned : omb::impl::ExtendSignedBase<ExtendSigned> {
  using ExtendSignedBase::ExtendSignedBase;

  void runOnOperation() override {
    SmallPtrSet<Operation *, 8> kept;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.getNumReductionLoops() == 0)
        return;
      if (dotProducts && isOfDotProducts(op))
        kept.insert(op);
      else
        extendOperands(op);
    });
    getOperation().walk([&](arith::ExtSIOp op) {
      if (kept.contains(op->getParentOp()) || !isPacked(op.getIn().getType()) ||
          isa<ShapedType>(op.getType()))
        return;
      OpBuilder builder(op);
      op.replaceAllUsesWith(
          extend(builder, op.getLoc(), op.getIn(), op.getType()));
      op.erase();
    });
  }

private:
  /// What is summed stays two factors and a sum, for which IREE has tiles.
  static void extendOperands(linalg::LinalgOp op) {
    OpBuilder builder(op);
    for (OpOperand *operand : op.getDpsInputOperands()) {
      Type wide = isPacked(operand->get().getType())
                      ? getExtendedType(op, *operand)
                      : Type();
      if (!wide)
        continue;
      Value extended = extendTensor(builder, op.getLoc(), operand->get(), wide);
      // In one dispatch, threads would read what others haven't written yet.
      operand->set(omb::isolateTensor(builder, op.getLoc(), extended));
      BlockArgument argument = op.getMatchingBlockArgument(operand);
      for (Operation *user : llvm::make_early_inc_range(argument.getUsers())) {
        user->getResult(0).replaceAllUsesWith(argument);
        user->erase();
      }
      argument.setType(wide);
    }
  }
};

} // namespace
