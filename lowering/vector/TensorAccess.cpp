//===- TensorAccess.cpp - Where elements of tensors come from -------------===//

#include "lowering/vector/TensorAccess.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace omb::kernels;

using Exprs = SmallVector<AffineExpr>;

AffineExpr AccessSpace::getLoop(unsigned loop) const {
  return getAffineDimExpr(loop, context);
}

AffineExpr AccessSpace::getExpr(OpFoldResult index) {
  if (std::optional<int64_t> known = getConstantIntValue(index))
    return getAffineConstantExpr(*known, context);
  auto value = cast<Value>(index);
  symbols.insert(value);
  const auto *at = llvm::find(symbols, value);
  return getAffineSymbolExpr(at - symbols.begin(), context);
}

static void collectTerms(AffineExpr expr, SmallVectorImpl<AffineExpr> &terms) {
  auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!sum || sum.getKind() != AffineExprKind::Add) {
    terms.push_back(expr);
    return;
  }
  collectTerms(sum.getLHS(), terms);
  collectTerms(sum.getRHS(), terms);
}

/// The largest value of a loop, perhaps times a constant, or of a constant.
static std::optional<int64_t> getMost(AffineExpr term,
                                      ArrayRef<int64_t> sizes) {
  if (auto constant = dyn_cast<AffineConstantExpr>(term))
    return constant.getValue();
  int64_t factor = 1;
  if (auto product = dyn_cast<AffineBinaryOpExpr>(term)) {
    auto constant = dyn_cast<AffineConstantExpr>(product.getRHS());
    if (product.getKind() != AffineExprKind::Mul || !constant)
      return std::nullopt;
    factor = constant.getValue();
    term = product.getLHS();
  }
  auto loop = dyn_cast<AffineDimExpr>(term);
  if (!loop || ShapedType::isDynamic(sizes[loop.getPosition()]))
    return std::nullopt;
  return factor * std::max<int64_t>(0, sizes[loop.getPosition()] - 1);
}

std::optional<std::pair<AffineExpr, AffineExpr>>
AccessSpace::split(AffineExpr index, int64_t divisor) const {
  SmallVector<AffineExpr> terms;
  collectTerms(index, terms);
  AffineExpr zero = getAffineConstantExpr(0, context);
  AffineExpr multiple = zero, rest = zero;
  int64_t most = 0;
  for (AffineExpr term : terms) {
    if (term.isMultipleOf(divisor)) {
      multiple = multiple + term;
      continue;
    }
    std::optional<int64_t> bound = getMost(term, sizes);
    if (!bound || *bound < 0)
      return std::nullopt;
    most += *bound;
    rest = rest + term;
  }
  if (most >= divisor)
    return std::nullopt;
  return std::pair(multiple, rest);
}

AffineExpr AccessSpace::divide(AffineExpr index, int64_t divisor) const {
  auto parts = split(index, divisor);
  return (parts ? parts->first : index).floorDiv(divisor);
}

AffineExpr AccessSpace::getRest(AffineExpr index, int64_t divisor) const {
  auto parts = split(index, divisor);
  return parts ? parts->second : index % divisor;
}

bool TensorAccess::isFunctionOf(unsigned loop) const {
  return llvm::any_of(
      at, [&](AffineExpr expr) { return expr.isFunctionOfDim(loop); });
}

std::optional<unsigned> TensorAccess::getDim(unsigned loop,
                                             ArrayRef<unsigned> loops) const {
  std::optional<unsigned> found;
  for (auto [dim, expr] : llvm::enumerate(at)) {
    if (!expr.isFunctionOfDim(loop))
      continue;
    SmallVector<AffineExpr> terms;
    collectTerms(expr, terms);
    unsigned alone = 0;
    for (AffineExpr term : terms) {
      if (term == getAffineDimExpr(loop, expr.getContext()))
        ++alone;
      else if (term.isFunctionOfDim(loop) ||
               llvm::any_of(loops, [&](unsigned other) {
                 return term.isFunctionOfDim(other);
               }))
        return std::nullopt;
    }
    if (found || alone != 1)
      return std::nullopt;
    found = dim;
  }
  return found;
}

TensorAccess omb::kernels::getOperandAccess(OpOperand &operand,
                                            ArrayRef<AffineExpr> loops) {
  auto op = cast<linalg::LinalgOp>(operand.getOwner());
  TensorAccess access{operand.get(), {}};
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
    access.at.push_back(expr.replaceDims(loops));
  return access;
}

/// What an op reads that copies elements alone: a transposition or a broadcast.
static std::optional<TensorAccess> getCopied(linalg::LinalgOp op,
                                             ArrayRef<AffineExpr> at) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() != 0 || !op.hasPureTensorSemantics() ||
      !isa<RankedTensorType>(op.getDpsInputs()[0].getType()) ||
      op.getBlock()->getTerminator()->getOperand(0) !=
          op.getBlock()->getArgument(0) ||
      op.getBlock()->getOperations().size() != 1)
    return std::nullopt;
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!output.isPermutation())
    return std::nullopt;
  Exprs loops(at.size());
  for (auto [dim, expr] : llvm::enumerate(at))
    loops[output.getDimPosition(dim)] = expr;
  return getOperandAccess(*op.getDpsInputOperand(0), loops);
}

static TensorAccess getExpanded(AccessSpace &space, tensor::ExpandShapeOp op,
                                ArrayRef<AffineExpr> at) {
  TensorAccess access{op.getSrc(), {}};
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    AffineExpr expr = at[group.front()];
    for (int64_t dim : ArrayRef(group).drop_front())
      expr = expr * space.getExpr(sizes[dim]) + at[dim];
    access.at.push_back(expr);
  }
  return access;
}

static std::optional<TensorAccess> getCollapsed(AccessSpace &space,
                                                tensor::CollapseShapeOp op,
                                                ArrayRef<AffineExpr> at) {
  TensorAccess access{op.getSrc(), {}};
  ArrayRef<int64_t> shape = op.getSrcType().getShape();
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
    if (group.size() == 1) {
      access.at.push_back(at[dim]);
      continue;
    }
    // The first dimension that isn't of size 1 may have any size.
    Exprs exprs;
    AffineExpr left = at[dim];
    for (size_t number = group.size(); number-- > 0;) {
      int64_t size = shape[group[number]];
      bool isFirst = llvm::all_of(ArrayRef(group).take_front(number),
                                  [&](int64_t d) { return shape[d] == 1; });
      if (size == 1) {
        exprs.push_back(getAffineConstantExpr(0, space.context));
      } else if (isFirst) {
        exprs.push_back(left);
      } else if (ShapedType::isDynamic(size) || size == 0) {
        return std::nullopt;
      } else {
        exprs.push_back(space.getRest(left, size));
        left = space.divide(left, size);
      }
    }
    access.at.append(exprs.rbegin(), exprs.rend());
  }
  if (access.at.size() != shape.size()) // of one element, in no dimensions
    access.at.assign(shape.size(), getAffineConstantExpr(0, space.context));
  return access;
}

static std::optional<TensorAccess> getSliced(AccessSpace &space,
                                             tensor::ExtractSliceOp op,
                                             ArrayRef<AffineExpr> at) {
  TensorAccess access{op.getSource(), {}};
  if (!op.hasUnitStride())
    return std::nullopt;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, offset] : llvm::enumerate(op.getMixedOffsets())) {
    AffineExpr expr = space.getExpr(offset);
    if (!dropped[dim]) {
      expr = at.front() + expr;
      at = at.drop_front();
    }
    access.at.push_back(expr);
  }
  return access;
}

std::optional<TensorAccess>
omb::kernels::getViewSource(AccessSpace &space, const TensorAccess &access) {
  using Source = std::optional<TensorAccess>;
  Operation *op = access.tensor.getDefiningOp();
  if (!op)
    return std::nullopt;
  return llvm::TypeSwitch<Operation *, Source>(op)
      .Case([&](tensor::CastOp cast) -> Source {
        if (!isa<RankedTensorType>(cast.getSource().getType()))
          return std::nullopt;
        return TensorAccess{cast.getSource(), access.at};
      })
      .Case([&](tensor::ExpandShapeOp expand) -> Source {
        return getExpanded(space, expand, access.at);
      })
      .Case([&](tensor::CollapseShapeOp collapse) {
        return getCollapsed(space, collapse, access.at);
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        return getSliced(space, slice, access.at);
      })
      .Case([&](linalg::LinalgOp copy) { return getCopied(copy, access.at); })
      .Default([](Operation *) -> Source { return std::nullopt; });
}
