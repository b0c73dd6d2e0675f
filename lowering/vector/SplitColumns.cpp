//===- SplitColumns.cpp - Reductions in parts -----------------------------===//

#include "lowering/vector/SplitColumns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

/// Whether what starts each part may start all of them.
static bool startsParts(const ColumnReduction &reduction) {
  auto fill = reduction.fill;
  switch (reduction.combiner.kind) {
  case vector::CombiningKind::ADD:
    return matchPattern(fill.value(), m_AnyZeroFloat()) ||
           matchPattern(fill.value(), m_Zero());
  case vector::CombiningKind::MUL:
    return false;
  default:
    return true;
  }
}

/// Whether `map` has the loop as dimensions of its own, if at all.
static bool hasPlainLoop(AffineMap map, unsigned loop) {
  AffineExpr dim = getAffineDimExpr(loop, map.getContext());
  return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
    return expr == dim || !expr.isFunctionOfDim(loop);
  });
}

int64_t omb::kernels::selectParts(const ColumnReduction &reduction,
                                  const VectorUnit &unit) {
  constexpr int64_t workgroups = 16;      // that are enough for some threads
  constexpr double leastMicroseconds = 5; // of a part
  auto op = reduction.op;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  unsigned loop = reduction.reductions.front();
  if (ShapedType::isDynamicShape(ranges) || llvm::is_contained(ranges, 0) ||
      !startsParts(reduction) ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [&](AffineMap map) { return hasPlainLoop(map, loop); }))
    return 1;
  int64_t units = llvm::divideCeil(reduction.getSize(reduction.channel),
                                   int64_t(reduction.getLanes(unit)) *
                                       reduction.getVectors(unit));
  for (unsigned position : reduction.positions)
    units *= ranges[position];
  double work = reduction.getMicroseconds(unit, 1);
  int64_t wanted = std::min<int64_t>(llvm::divideCeil(workgroups, units),
                                     work / leastMicroseconds);
  int64_t best = 1;
  for (int64_t parts = 2; parts < ranges[loop] && best < wanted; ++parts)
    if (ranges[loop] % parts == 0)
      best = parts;
  return wanted > 1 ? best : 1;
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

void omb::kernels::splitColumns(RewriterBase &rewriter,
                                const ColumnReduction &reduction,
                                int64_t parts) {
  auto op = reduction.op;
  auto fill = reduction.fill;
  Location loc = op.getLoc();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  unsigned loop = reduction.reductions.front(), loops = op.getNumLoops();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    auto [input, map] =
        splitOperand(rewriter, loc, operand->get(),
                     op.getMatchingIndexingMap(operand), loop, parts);
    inputs.push_back(input);
    maps.push_back(map);
  }
  AffineMap output = op.getIndexingMapsArray().back();
  SmallVector<AffineExpr> results(output.getResults());
  results.insert(results.begin(), rewriter.getAffineDimExpr(loops));
  maps.push_back(AffineMap::get(loops + 1, 0, results, rewriter.getContext()));
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  iterators.push_back(utils::IteratorType::parallel);
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin(), parts);
  Value empty =
      tensor::EmptyOp::create(rewriter, loc, shape, type.getElementType());
  Value starts =
      linalg::FillOp::create(rewriter, loc, fill.value(), empty).getResult(0);
  auto partial = linalg::GenericOp::create(rewriter, loc, starts.getType(),
                                           inputs, starts, maps, iterators);
  rewriter.cloneRegionBefore(op.getRegion(), partial.getRegion(),
                             partial.getRegion().begin());

  unsigned rank = shape.size();
  AffineMap all = rewriter.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> last(rank, utils::IteratorType::parallel);
  last.front() = utils::IteratorType::reduction;
  rewriter.replaceOpWithNewOp<linalg::GenericOp>(
      op, type, partial.getResult(0), fill.result(),
      ArrayRef{all, all.dropResult(0)}, last,
      [&](OpBuilder &builder, Location at, ValueRange args) {
        Value combined = reduction.combiner.create(builder, args[1], args[0]);
        linalg::YieldOp::create(builder, at, combined);
      });
}
