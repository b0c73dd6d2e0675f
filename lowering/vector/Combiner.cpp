//===- Combiner.cpp - What a reduction does with two values ---------------===//

#include "lowering/vector/Combiner.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace omb::kernels;

static std::optional<vector::CombiningKind> getKind(Operation *op) {
  using Kind = vector::CombiningKind;
  return llvm::TypeSwitch<Operation *, std::optional<Kind>>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return Kind::ADD; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return Kind::MUL; })
      .Case([](arith::MaximumFOp) { return Kind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return Kind::MINIMUMF; })
      .Case([](arith::MaxNumFOp) { return Kind::MAXNUMF; })
      .Case([](arith::MinNumFOp) { return Kind::MINNUMF; })
      .Case([](arith::MaxSIOp) { return Kind::MAXSI; })
      .Case([](arith::MinSIOp) { return Kind::MINSI; })
      .Case([](arith::MaxUIOp) { return Kind::MAXUI; })
      .Case([](arith::MinUIOp) { return Kind::MINUI; })
      .Default(std::nullopt);
}

FailureOr<Combiner> Combiner::match(Block &body) {
  Combiner found;
  Value out = body.getArguments().back();
  Value yielded = body.getTerminator()->getOperand(0);
  found.combine = yielded.getDefiningOp();
  std::optional<vector::CombiningKind> kind =
      found.combine ? getKind(found.combine) : std::nullopt;
  if (!kind || found.combine->getBlock() != &body || !out.hasOneUse() ||
      *out.user_begin() != found.combine || !yielded.hasOneUse())
    return failure();
  found.kind = *kind;
  found.element =
      found.combine->getOperand(found.combine->getOperand(0) == out ? 1 : 0);
  return found;
}

Value Combiner::create(OpBuilder &builder, Value lhs, Value rhs) const {
  OperationState state(combine->getLoc(), combine->getName(), {lhs, rhs},
                       lhs.getType(), combine->getAttrs());
  return builder.create(state)->getResult(0);
}

Value Combiner::createShort(OpBuilder &builder, Value accumulator,
                            Value value) const {
  bool isMaximum = kind == vector::CombiningKind::MAXIMUMF;
  if (!isMaximum && kind != vector::CombiningKind::MINIMUMF)
    return create(builder, accumulator, value);
  Location loc = combine->getLoc();
  auto select = [&](arith::CmpFPredicate predicate, Value with,
                    Value other) -> Value {
    Value isTrue = arith::CmpFOp::create(builder, loc, predicate, value, with);
    return arith::SelectOp::create(builder, loc, isTrue, value, other);
  };
  Value result =
      select(isMaximum ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT,
             accumulator, accumulator);
  return select(arith::CmpFPredicate::UNO, value, result);
}
