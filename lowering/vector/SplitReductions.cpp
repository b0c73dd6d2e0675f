//===- SplitReductions.cpp - Reductions in parts --------------------------===//

#include "lowering/vector/SplitReductions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

static constexpr int64_t kWorkgroups = 16; // that are enough for some threads
static constexpr double kLeastMicroseconds = 5; // of a part

/// Whether what starts each part may start all of them.
static bool startsParts(linalg::FillOp fill, const Combiner &combiner) {
  switch (combiner.kind) {
  case vector::CombiningKind::ADD:
    return matchPattern(fill.value(), m_AnyZeroFloat()) ||
           matchPattern(fill.value(), m_Zero());
  case vector::CombiningKind::MUL:
    return false;
  default: // the smaller or larger one, again
    return true;
  }
}

/// Whether dimensions that `map` has the loop for have no other loop in them.
static bool hasPlainLoop(AffineMap map, unsigned loop) {
  AffineExpr dim = getAffineDimExpr(loop, map.getContext());
  return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
    return expr == dim || !expr.isFunctionOfDim(loop);
  });
}

bool SplitReduction::isSplittable() const {
  auto generic = op;
  SmallVector<int64_t> ranges = generic.getStaticLoopRanges();
  return !ShapedType::isDynamicShape(ranges) &&
         !llvm::is_contained(ranges, 0) && !generic.hasIndexSemantics() &&
         startsParts(fill, combiner) &&
         llvm::all_of(generic.getIndexingMapsArray(),
                      [&](AffineMap map) { return hasPlainLoop(map, loop); });
}

int64_t SplitReduction::countParts(int64_t wanted) const {
  constexpr int64_t mostOfWanted = 4; // more would leave each with too little
  auto generic = op;
  int64_t size = generic.getStaticLoopRanges()[loop], best = 1;
  int64_t most = std::min(size - 1, mostOfWanted * wanted);
  for (int64_t parts = 2; parts <= most && best < wanted; ++parts)
    if (size % parts == 0)
      best = parts;
  return wanted > 1 ? best : 1;
}

SplitReduction::SplitReduction(const ColumnReduction &reduction,
                               const VectorUnit &unit)
    : op(reduction.op), fill(reduction.fill), combiner(reduction.combiner),
      loop(reduction.reductions.front()), parts(1) {
  if (!isSplittable())
    return;
  int64_t units = llvm::divideCeil(reduction.getSize(reduction.channel),
                                   int64_t(reduction.getLanes(unit)) *
                                       reduction.getVectors(unit));
  for (unsigned position : reduction.positions)
    units *= reduction.getSize(position);
  double work = reduction.getMicroseconds(unit, 1);
  parts = countParts(std::min<int64_t>(llvm::divideCeil(kWorkgroups, units),
                                       work / kLeastMicroseconds));
}

SplitReduction::SplitReduction(const RowReduction &reduction)
    : op(reduction.op), fill(reduction.fill), combiner(reduction),
      loop(op.getNumLoops() - 1), parts(1) {
  if (isSplittable() && hasLongRows(op.getStaticLoopRanges()))
    parts = countParts(kWorkgroups);
}

/// `tensor` with each dimension that `map` has `loop` for in two, and its map,
/// with `outer` as the first of them.
static std::pair<Value, AffineMap> splitOperand(OpBuilder &builder,
                                                Location loc, Value tensor,
                                                AffineMap map, unsigned loop,
                                                int64_t parts) {
  auto type = cast<RankedTensorType>(tensor.getType());
  AffineExpr inner = builder.getAffineDimExpr(loop),
             outer = builder.getAffineDimExpr(map.getNumDims());
  SmallVector<AffineExpr> results;
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> groups;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    ReassociationIndices &group = groups.emplace_back();
    if (expr == inner) {
      group.push_back(results.size());
      results.push_back(outer);
      shape.push_back(parts);
    }
    group.push_back(results.size());
    results.push_back(expr);
    shape.push_back(expr == inner ? type.getDimSize(dim) / parts
                                  : type.getDimSize(dim));
  }
  AffineMap split =
      AffineMap::get(map.getNumDims() + 1, 0, results, builder.getContext());
  if (shape.size() == size_t(type.getRank()))
    return {tensor, split};
  Value expanded = tensor::ExpandShapeOp::create(
      builder, loc, type.clone(shape), tensor, groups);
  return {expanded, split};
}

void SplitReduction::apply(RewriterBase &rewriter) const {
  auto whole = op;
  auto start = fill;
  Location loc = whole.getLoc();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(whole);
  unsigned loops = whole.getNumLoops();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand *operand : whole.getDpsInputOperands()) {
    auto [input, map] =
        splitOperand(rewriter, loc, operand->get(),
                     whole.getMatchingIndexingMap(operand), loop, parts);
    inputs.push_back(input);
    maps.push_back(map);
  }
  AffineMap output = whole.getIndexingMapsArray().back();
  SmallVector<AffineExpr> results(output.getResults());
  results.insert(results.begin(), rewriter.getAffineDimExpr(loops));
  maps.push_back(AffineMap::get(loops + 1, 0, results, rewriter.getContext()));
  SmallVector<utils::IteratorType> iterators = whole.getIteratorTypesArray();
  iterators.push_back(utils::IteratorType::parallel);
  auto type = cast<RankedTensorType>(whole.getResult(0).getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin(), parts);
  Value empty =
      tensor::EmptyOp::create(rewriter, loc, shape, type.getElementType());
  Value starts =
      linalg::FillOp::create(rewriter, loc, start.value(), empty).getResult(0);
  auto partial = linalg::GenericOp::create(rewriter, loc, starts.getType(),
                                           inputs, starts, maps, iterators);
  rewriter.cloneRegionBefore(whole.getRegion(), partial.getRegion(),
                             partial.getRegion().begin());

  unsigned rank = shape.size();
  AffineMap all = rewriter.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> last(rank, utils::IteratorType::parallel);
  last.front() = utils::IteratorType::reduction;
  rewriter.replaceOpWithNewOp<linalg::GenericOp>(
      whole, type, partial.getResult(0), start.result(),
      ArrayRef{all, all.dropResult(0)}, last,
      [&](OpBuilder &builder, Location at, ValueRange args) {
        Value combined = combiner.create(builder, args[1], args[0]);
        linalg::YieldOp::create(builder, at, combined);
      });
}
