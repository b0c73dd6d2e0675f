//===- SoftmaxRows.cpp - Softmax of the last dimension --------------------===//

#include "lowering/vector/SoftmaxRows.h"

#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/Transcendentals.h"
#include "lowering/vector/Elementwise.h"
#include "lowering/vector/RowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// Whether `lhs` is computed from `lhsArgument` as `rhs` is from the other.
static bool isComputedAlike(Value lhs, Value rhs, Value lhsArgument,
                            Value rhsArgument) {
  DenseMap<Value, Value> alike{{lhsArgument, rhsArgument}};
  std::function<bool(Value, Value)> compare = [&](Value lhs, Value rhs) {
    if (Value known = alike.lookup(lhs))
      return known == rhs;
    Attribute lhsConstant, rhsConstant;
    if (matchPattern(lhs, m_Constant(&lhsConstant)))
      return matchPattern(rhs, m_Constant(&rhsConstant)) &&
             lhsConstant == rhsConstant;
    Operation *from = lhs.getDefiningOp(), *to = rhs.getDefiningOp();
    if (!from || !to || from->getName() != to->getName() ||
        from->getNumOperands() != to->getNumOperands() ||
        from->getNumResults() != 1 || from->getNumRegions() != 0 ||
        from->getAttrDictionary() != to->getAttrDictionary() ||
        lhs.getType() != rhs.getType())
      return false;
    auto compareAll = [&](ValueRange toOperands) {
      return llvm::all_of_zip(from->getOperands(), toOperands, compare);
    };
    bool isAlike = compareAll(to->getOperands()) ||
                   (from->hasTrait<OpTrait::IsCommutative>() &&
                    to->getNumOperands() == 2 &&
                    compareAll({to->getOperand(1), to->getOperand(0)}));
    if (isAlike)
      alike[lhs] = rhs;
    return isAlike;
  };
  return compare(lhs, rhs);
}

/// Whether `value` is the exponential of `argument`: an op, or what the
/// lowering makes of it for a type that IREE has no function of.
static bool isExponential(Value value, Value argument) {
  if (auto exp = value.getDefiningOp<math::ExpOp>())
    return exp.getOperand() == argument;
  if (!value.getType().isF64() || !argument.getType().isF64())
    return false;
  Location loc = value.getLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  Block *block = module->getBody();
  Value reference = block->addArgument(argument.getType(), loc);
  OpBuilder builder = OpBuilder::atBlockEnd(block);
  omb::Scalars scalars(builder, loc, argument.getType());
  Value expected = omb::buildExp(scalars, reference);
  bool isAlike = isComputedAlike(value, expected, argument, reference);
  block->clear();
  block->eraseArgument(0);
  return isAlike;
}

namespace {

/// A value of the body of an op on each element.
struct Element {
  Value value;
  linalg::GenericOp op;
};

class Matcher {
public:
  explicit Matcher(const RowKernel &kernel) : kernel(kernel) {}

  FailureOr<SoftmaxRows> match() {
    auto root = kernel.getRoot();
    Element quotient =
        resolve({root.getBody()->getTerminator()->getOperand(0), root});
    bool zeroesNaN = false;
    if (auto select = quotient.value.getDefiningOp<arith::SelectOp>()) {
      Element kept = resolve({select.getFalseValue(), quotient.op});
      if (!matchPattern(select.getTrueValue(), m_AnyZeroFloat()) ||
          !isNaNTest({select.getCondition(), quotient.op}, kept))
        return failure();
      quotient = kept;
      zeroesNaN = true;
    }
    auto divide = quotient.value.getDefiningOp<arith::DivFOp>();
    if (!divide)
      return failure();
    const RowReduction *sum = getReduction({divide.getRhs(), quotient.op});
    Element exponential = resolve({divide.getLhs(), quotient.op});
    if (!sum || sum->kind != vector::CombiningKind::ADD ||
        resolve({sum->element, sum->op}).value != exponential.value)
      return failure();
    auto start = sum->fill;
    SoftmaxRows found;
    found.zeroesNaN = zeroesNaN;
    found.quotient = divide;
    if (!matchExponential(exponential, found) ||
        !matchPattern(start.value(), m_AnyZeroFloat()))
      return failure();
    return found;
  }

private:
  /// exp(x - max(x)), where the difference may be an op of its own.
  bool matchExponential(Element element, SoftmaxRows &found) {
    auto isDifference = [&](Element difference) {
      auto subtract = difference.value.getDefiningOp<arith::SubFOp>();
      if (!subtract)
        return false;
      found.x = getWideOperand({subtract.getLhs(), difference.op});
      const RowReduction *max =
          getReduction({subtract.getRhs(), difference.op});
      return found.x && max &&
             (max->kind == vector::CombiningKind::MAXIMUMF ||
              max->kind == vector::CombiningKind::MAXNUMF) &&
             getWideOperand({max->element, max->op}) == found.x;
    };
    found.exponential = element.op;
    found.raised = element.value;
    SmallVector<Value> candidates(element.op.getBody()->getArguments());
    for (Operation &op : element.op.getBody()->without_terminator())
      llvm::append_range(candidates, op.getResults());
    for (Value candidate : candidates) {
      found.shifted = candidate;
      if (isDifference(resolve({candidate, element.op})) &&
          isExponential(found.raised, candidate))
        return true;
    }
    return false;
  }

  bool isNaNTest(Element condition, Element of) {
    condition = resolve(condition);
    auto compare = condition.value.getDefiningOp<arith::CmpFOp>();
    return compare &&
           (compare.getPredicate() == arith::CmpFPredicate::UNE ||
            compare.getPredicate() == arith::CmpFPredicate::UNO) &&
           resolve({compare.getLhs(), condition.op}).value == of.value &&
           resolve({compare.getRhs(), condition.op}).value == of.value;
  }

  OpOperand *getOperand(Element element) {
    auto argument = dyn_cast<BlockArgument>(element.value);
    if (!argument || argument.getOwner() != element.op.getBody() ||
        argument.getArgNumber() >= element.op.getNumDpsInputs())
      return nullptr;
    return element.op.getDpsInputOperand(argument.getArgNumber());
  }

  /// The tensor that has the element, in the order of the op's loops.
  Value getWideOperand(Element element) {
    OpOperand *operand = getOperand(element);
    bool isWide =
        operand && element.op.getMatchingIndexingMap(operand).isIdentity();
    return isWide ? operand->get() : nullptr;
  }

  /// Where the element is computed, if that is part of the kernel.
  Element resolve(Element element) {
    while (Value tensor = getWideOperand(element)) {
      auto producer = tensor.getDefiningOp<linalg::GenericOp>();
      if (!producer || !kernel.isMember(tensor) || !kernel.isWide(producer))
        break;
      element = {producer.getBody()->getTerminator()->getOperand(0), producer};
    }
    return element;
  }

  /// The reduction whose result the element is.
  const RowReduction *getReduction(Element element) {
    OpOperand *operand = getOperand(element);
    if (!operand)
      return nullptr;
    Value tensor = operand->get();
    while (Operation *reshape = tensor.getDefiningOp()) {
      if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(reshape))
        break;
      tensor = reshape->getOperand(0);
    }
    const auto *found = kernel.getReductions().find(tensor.getDefiningOp());
    return found == kernel.getReductions().end() ? nullptr : &found->second;
  }

  const RowKernel &kernel;
};

} // namespace

FailureOr<SoftmaxRows> SoftmaxRows::match(linalg::GenericOp root) {
  FailureOr<RowKernel> kernel = RowKernel::match(root, [](const Twine &) {});
  if (failed(kernel) || kernel->getReductions().size() != 2)
    return failure();
  return Matcher(*kernel).match();
}

Value SoftmaxRows::createExp(OpBuilder &builder, Value value,
                             int64_t lanes) const {
  LaneEmitter emitter(builder, lanes);
  auto op = exponential;
  emitter.map(shifted, value);
  for (Operation &inner : op.getBody()->without_terminator())
    if (inner.getNumResults() != 1 || inner.getResult(0) != shifted)
      emitter.emit(inner);
  return emitter.get(raised);
}
