//===- RowKernel.cpp - What is computed row by row ------------------------===//

#include "lowering/vector/RowKernel.h"

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;
using namespace omb::kernels;

/// The most reductions that depend on each other: those of softmax and of layer
/// normalization. Of a sequence of such, each is a kernel of its own.
static constexpr unsigned kMostReductions = 2;

static void ignore(const Twine &) {}

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

FailureOr<RowKernel> RowKernel::match(linalg::GenericOp root,
                                      function_ref<void(const Twine &)> why) {
  auto type = root->getNumResults() == 1
                  ? dyn_cast<RankedTensorType>(root->getResult(0).getType())
                  : RankedTensorType();
  RowKernel kernel(root);
  if (!type || type.getRank() == 0 || !kernel.isElementwise(root, true) ||
      !isVectorElement(type.getElementType()))
    return failure();
  kernel.collect();
  if (kernel.reductions.empty())
    return failure();
  auto refuse = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  kernel.prune();
  if (!kernel.members.contains(root))
    return refuse("reads a tensor in another order than row by row");
  if (kernel.reductions.empty())
    return refuse("reads a value of each row that others read, too");
  FloatType element = kernel.reductions.front().second.getType();
  for (auto &[op, reduction] : kernel.reductions)
    if (reduction.getType() != element)
      return refuse("depends on reductions of different types");
  if (!kernel.hasOneLength())
    return refuse("has rows of another length than what is reduced, perhaps");
  if (hasLongRows(type.getShape()))
    return refuse("has too few rows, which are long");
  kernel.setSweeps();
  return kernel;
}

RankedTensorType RowKernel::getType() const {
  return cast<RankedTensorType>(root->getResult(0).getType());
}

bool RowKernel::isMember(Value value) const {
  return members.contains(value.getDefiningOp());
}

bool RowKernel::isWide(Operation *op) const {
  return isa<linalg::GenericOp>(op) && !reductions.contains(op) &&
         getShape(op->getResult(0)) == getType().getShape();
}

bool RowKernel::isRowOp(Operation *op) const {
  return !isWide(op) && !reductions.contains(op);
}

bool RowKernel::isRowShape(ArrayRef<int64_t> shape) const {
  ArrayRef<int64_t> rows = getType().getShape().drop_back();
  return shape.take_front(rows.size()) == rows &&
         llvm::all_of(shape.drop_front(std::min(rows.size(), shape.size())),
                      [](int64_t size) { return size == 1; });
}

bool RowKernel::isElementwise(Operation *op, bool isWide) const {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  auto isIndex = [](Value value) { return value.getType().isIndex(); };
  if (!generic || !isElementwiseOfInputs(generic) ||
      !isVectorizable(*generic.getBody(), isIndex))
    return false;
  auto type = cast<RankedTensorType>(generic.getResult(0).getType());
  return type.getElementType().isIntOrFloat() &&
         (isWide ? type.getShape() == getType().getShape()
                 : isRowShape(type.getShape()));
}

bool RowKernel::isRowReshape(Operation *op) const {
  SmallVector<ReassociationIndices> groups;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    groups = expand.getReassociationIndices();
  else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    groups = collapse.getReassociationIndices();
  else
    return false;
  // Each row dimension is one of both shapes.
  for (auto [dim, group] : llvm::enumerate(groups))
    if (dim < getRowRank() &&
        (group.front() != int64_t(dim) ||
         (group.size() > 1 && group[1] < int64_t(getRowRank()))))
      return false;
  return isRowShape(getShape(op->getOperand(0))) &&
         isRowShape(getShape(op->getResult(0)));
}

bool RowKernel::isCandidate(Operation *op) {
  if (isElementwise(op, true) || isElementwise(op, false) || isRowReshape(op))
    return true;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp)
    return false;
  FailureOr<RowReduction> reduction = RowReduction::match(linalgOp, ignore);
  auto isIndex = [](Value value) { return value.getType().isIndex(); };
  if (failed(reduction) || reduction->op.getNumLoops() != getRowRank() + 1 ||
      !isRowShape(getShape(op->getResult(0))) ||
      !isVectorizable(*reduction->op.getBody(), isIndex))
    return false;
  reductions.insert({op, *reduction});
  return true;
}

void RowKernel::collect() {
  SmallVector<Operation *> work{root};
  members.insert(root);
  while (!work.empty()) {
    Operation *op = work.pop_back_val();
    ops.push_back(op);
    auto generic = dyn_cast<linalg::GenericOp>(op);
    ValueRange inputs = generic ? ValueRange(generic.getInputs())
                                : ValueRange(op->getOperands().take_front());
    for (Value input : inputs) {
      Operation *producer = input.getDefiningOp();
      if (producer && producer->getBlock() == root->getBlock() &&
          !members.contains(producer) && isCandidate(producer)) {
        members.insert(producer);
        work.push_back(producer);
      }
    }
  }
  llvm::sort(ops, [](Operation *lhs, Operation *rhs) {
    return lhs->isBeforeInBlock(rhs);
  });
}

/// The map of an operand that a generic op reads; null for others.
static AffineMap getInputMap(OpOperand &operand) {
  auto generic = dyn_cast<linalg::GenericOp>(operand.getOwner());
  return generic && generic.isDpsInput(&operand)
             ? generic.getMatchingIndexingMap(&operand)
             : AffineMap();
}

bool RowKernel::readsMember(OpOperand &operand) const {
  if (isRowReshape(operand.getOwner()))
    return !isWide(operand.get().getDefiningOp());
  AffineMap map = getInputMap(operand);
  if (!map)
    return false;
  if (isWide(operand.get().getDefiningOp()))
    return map.isIdentity() && !isRowOp(operand.getOwner());
  for (unsigned dim = 0; dim < getRowRank(); ++dim) {
    AffineExpr expr = map.getResult(dim);
    bool isFirst = getType().getDimSize(dim) == 1 && expr == 0;
    if (expr != getAffineDimExpr(dim, map.getContext()) && !isFirst)
      return false;
  }
  return true;
}

bool RowKernel::readsOther(OpOperand &operand) const {
  AffineMap map = getInputMap(operand);
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!map || !type || !isVectorElement(type.getElementType()))
    return false;
  unsigned last = getRowRank();
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop && !isa<AffineConstantExpr>(expr))
      return false;
    if (loop && loop.getPosition() == last && dim + 1 != map.getNumResults() &&
        type.getDimSize(dim) != 1)
      return false;
  }
  return true;
}

bool RowKernel::isUniform(OpOperand &operand) const {
  Operation *op = operand.getOwner();
  Operation *producer = operand.get().getDefiningOp();
  if (isRowOp(op))
    return true;
  if (members.contains(producer))
    return !isWide(producer);
  AffineMap map = getInputMap(operand);
  AffineExpr last = getAffineDimExpr(getRowRank(), map.getContext());
  return map.getNumResults() == 0 || map.getResults().back() != last;
}

bool RowKernel::isComputable(Operation *op) const {
  auto isMemberUse = [&](OpOperand &use) {
    return members.contains(use.getOwner()) && readsMember(use);
  };
  if (op != root && !llvm::all_of(op->getUses(), isMemberUse))
    return false;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic)
    return isMember(op->getOperand(0));
  return llvm::all_of(generic.getDpsInputOperands(), [&](OpOperand *operand) {
    return isMember(operand->get()) || readsOther(*operand);
  });
}

unsigned
RowKernel::getHeight(Operation *op,
                     const DenseMap<Operation *, unsigned> &heights) const {
  unsigned height = 0;
  for (Operation *user : op->getUsers())
    if (op != root && members.contains(user))
      height = std::max(height, heights.lookup(user));
  return height + reductions.contains(op);
}

void RowKernel::prune() {
  bool isChanged = true;
  while (isChanged && members.contains(root)) {
    isChanged = false;
    DenseMap<Operation *, unsigned> heights;
    for (Operation *op : llvm::reverse(ops)) {
      heights[op] = getHeight(op, heights);
      auto isRowMember = [&](Value value) {
        return isMember(value) && !isWide(value.getDefiningOp());
      };
      // Where there would be too many reductions, the first of them are those
      // of the last op that is as wide as a row.
      bool isTooFar = heights[op] > kMostReductions ||
                      (heights[op] == kMostReductions && isWide(op) &&
                       llvm::any_of(op->getOperands(), isRowMember));
      if (!isTooFar && isComputable(op))
        continue;
      members.erase(op);
      reductions.erase(op);
      isChanged = true;
    }
    llvm::erase_if(ops, [&](Operation *op) { return !members.contains(op); });
  }
}

bool RowKernel::hasOneLength() const {
  using Dim = std::pair<const void *, unsigned>;
  llvm::EquivalenceClasses<Dim> equal;
  auto getLoop = [](Operation *op) { return Dim(op, ~0u); };
  unsigned last = getRowRank();
  for (Operation *op : ops) {
    if (isRowOp(op))
      continue;
    auto generic = cast<linalg::GenericOp>(op);
    for (OpOperand *operand : generic.getDpsInputOperands()) {
      AffineMap map = getInputMap(*operand);
      for (auto [dim, expr] : llvm::enumerate(map.getResults()))
        if (expr == getAffineDimExpr(last, map.getContext()))
          equal.unionSets(getLoop(op),
                          Dim(operand->get().getAsOpaquePointer(), dim));
    }
    if (isWide(op))
      equal.unionSets(getLoop(op),
                      Dim(op->getResult(0).getAsOpaquePointer(), last));
  }
  int64_t length = getType().getShape().back();
  return llvm::all_of(reductions, [&](const auto &each) {
    auto op = each.second.op;
    int64_t other = op.getStaticLoopRanges()[last];
    bool isKnown = !ShapedType::isDynamic(length) && length == other;
    return isKnown || equal.isEquivalent(getLoop(op), getLoop(root));
  });
}

void RowKernel::setSweeps() {
  for (Operation *op : ops) {
    unsigned sweep = 0;
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp();
          members.contains(producer))
        sweep = std::max(sweep, sweeps.lookup(producer) +
                                    unsigned(reductions.contains(producer)));
    sweeps[op] = sweep;
  }
}

SmallVector<Value> RowKernel::getTensors() const {
  llvm::SetVector<Value> tensors;
  for (Operation *op : ops)
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      for (Value input : generic.getInputs())
        if (!isMember(input))
          tensors.insert(input);
  return tensors.takeVector();
}

SmallVector<Value> RowKernel::getIndices() const {
  llvm::SetVector<Value> indices;
  for (Operation *op : ops)
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      for (Operation &inner : *generic.getBody())
        for (Value operand : inner.getOperands())
          if (operand.getType().isIndex() &&
              operand.getParentBlock() != generic.getBody() &&
              !matchPattern(operand, m_Constant()))
            indices.insert(operand);
  return indices.takeVector();
}
