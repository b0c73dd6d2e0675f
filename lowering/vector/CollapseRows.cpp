//===- CollapseRows.cpp - Rows of several dimensions as one ---------------===//

#include "lowering/vector/CollapseRows.h"

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

using namespace mlir;
using namespace omb::kernels;

/// How many of the first loops aren't reduced, where two or more others are,
/// and what is read has all loops in their order or only such.
static std::optional<unsigned> getRowRank(linalg::GenericOp op) {
  unsigned loops = op.getNumLoops(), reduced = op.getNumReductionLoops();
  if (op.getNumDpsInits() != 1 || op.getNumDpsInputs() == 0 || reduced < 2 ||
      op.hasIndexSemantics() || !op.hasPureTensorSemantics())
    return std::nullopt;
  unsigned rows = loops - reduced;
  auto getMap = [&](unsigned first) {
    return AffineMap::get(
        loops, 0,
        AffineMap::getMultiDimIdentityMap(loops, op.getContext())
            .getResults()
            .take_front(first),
        op.getContext());
  };
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!maps.front().isIdentity() || maps.back() != getMap(rows))
    return std::nullopt;
  return rows;
}

/// Whether `map` has the loops from `rows` on next to each other, or none.
static bool isCollapsible(AffineMap map, unsigned rows) {
  if (!map.isProjectedPermutation())
    return false;
  ReassociationIndices last;
  for (unsigned loop = rows; loop < map.getNumDims(); ++loop)
    last.push_back(loop);
  return linalg::areDimSequencesPreserved(map, last);
}

/// What an operand is without dimensions of which only the first element is
/// read, and its map.
static std::pair<Value, AffineMap> dropUnitDims(OpBuilder &builder,
                                                OpOperand &operand) {
  auto op = cast<linalg::GenericOp>(operand.getOwner());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!type)
    return {operand.get(), map};
  SmallVector<AffineExpr> kept;
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices first;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (expr == 0 && type.getDimSize(dim) == 1) {
      (groups.empty() ? first : groups.back()).push_back(dim);
      continue;
    }
    groups.push_back(std::exchange(first, {}));
    groups.back().push_back(dim);
    kept.push_back(expr);
    shape.push_back(type.getDimSize(dim));
  }
  if (kept.size() == map.getNumResults())
    return {operand.get(), map};
  AffineMap all = AffineMap::get(map.getNumDims(), 0, kept, op.getContext());
  auto expand = operand.get().getDefiningOp<tensor::ExpandShapeOp>();
  if (expand && expand.getSrcType().getShape() == ArrayRef(shape))
    return {expand.getSrc(), all};
  Value collapsed = tensor::CollapseShapeOp::create(
      builder, op.getLoc(), type.clone(shape), operand.get(), groups);
  return {collapsed, all};
}

/// Reads no dimension of which only the first element is read.
static linalg::GenericOp dropUnitDims(RewriterBase &rewriter,
                                      linalg::GenericOp op) {
  rewriter.setInsertionPoint(op);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    auto [input, map] = dropUnitDims(rewriter, *operand);
    inputs.push_back(input);
    maps.push_back(map);
  }
  rewriter.modifyOpInPlace(op, [&] {
    maps.push_back(op.getIndexingMapsArray().back());
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    op.getInputsMutable().assign(inputs);
  });
  return op;
}

/// `reshaped` of the sizes that its type has, where it is expanded: collapsing
/// takes those of an operand, of which less may be known.
static Value withKnownSizes(OpBuilder &builder, Value reshaped) {
  auto expand = reshaped.getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand)
    return reshaped;
  SmallVector<OpFoldResult> sizes = expand.getMixedOutputShape();
  for (auto [dim, size] : llvm::enumerate(expand.getResultType().getShape()))
    if (!ShapedType::isDynamic(size))
      sizes[dim] = builder.getIndexAttr(size);
  return tensor::ExpandShapeOp::create(builder, expand.getLoc(),
                                       expand.getResultType(), expand.getSrc(),
                                       expand.getReassociationIndices(), sizes);
}

namespace {

/// What is collapsed together.
class RowGroup {
public:
  RowGroup(RewriterBase &rewriter, linalg::GenericOp reduction, unsigned rows)
      : rewriter(rewriter), rows(rows), loops(reduction.getNumLoops()) {
    for (Operation *user : reduction.getInputs()[0].getUsers()) {
      auto op = dyn_cast<linalg::GenericOp>(user);
      if (!op || op->getBlock() != reduction->getBlock() ||
          llvm::is_contained(members, op))
        continue;
      if (getRowRank(op) == rows)
        members.push_back(op);
      else if (isWide(op) && readsRowValue(op))
        addWide(op);
    }
    llvm::sort(members, [](linalg::GenericOp lhs, linalg::GenericOp rhs) {
      return lhs->isBeforeInBlock(rhs);
    });
  }

  /// Adds to `replaced` what is no more.
  void collapse(llvm::SmallPtrSetImpl<Operation *> &replaced) {
    ReassociationIndices last;
    for (unsigned loop = rows; loop < loops; ++loop)
      last.push_back(loop);
    for (linalg::GenericOp op : members) {
      op = dropUnitDims(rewriter, op);
      bool canCollapse =
          llvm::all_of(op.getIndexingMapsArray(),
                       [&](AffineMap map) { return isCollapsible(map, rows); });
      if (!canCollapse)
        continue;
      FailureOr<linalg::CollapseResult> collapsed =
          linalg::collapseOpIterationDims(op, last, rewriter);
      if (failed(collapsed))
        continue;
      replaced.insert(op);
      rewriter.setInsertionPointAfter(op);
      rewriter.replaceOp(
          op, llvm::map_to_vector(collapsed->results, [&](Value each) {
            return withKnownSizes(rewriter, each);
          }));
    }
  }

private:
  bool isWide(linalg::GenericOp op) const {
    return op.getNumLoops() == loops && isElementwiseOfInputs(op) &&
           !op.hasIndexSemantics();
  }

  static bool readsRowValue(linalg::GenericOp op) {
    return llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
      return !op.getMatchingIndexingMap(operand).isIdentity();
    });
  }

  /// Adds `op`, and what alone is done to its result.
  void addWide(linalg::GenericOp op) {
    while (op && isWide(op) && !llvm::is_contained(members, op)) {
      members.push_back(op);
      if (!op->hasOneUse())
        return;
      Operation *user = *op->user_begin();
      op = user->getBlock() == op->getBlock()
               ? dyn_cast<linalg::GenericOp>(user)
               : linalg::GenericOp();
    }
  }

  RewriterBase &rewriter;
  unsigned rows, loops;
  SmallVector<linalg::GenericOp> members;
};

} // namespace

void omb::kernels::collapseRows(RewriterBase &rewriter, func::FuncOp function) {
  SmallVector<linalg::GenericOp> reductions;
  function.walk([&](linalg::GenericOp op) {
    if (getRowRank(op))
      reductions.push_back(op);
  });
  llvm::SmallPtrSet<Operation *, 16> replaced;
  for (linalg::GenericOp op : reductions)
    if (!replaced.contains(op))
      RowGroup(rewriter, op, *getRowRank(op)).collapse(replaced);
}
