//===- SparseBatches.cpp - Batches of sparse weights ----------------------===//

#include "dialect/transforms/SparseBatches.h"

#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/DataMovement.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::onnx;

/// Each matrix is a kernel's call, and has a copy of its rows.
static constexpr int64_t kMostMatrices = 64;

std::optional<SparseBatch> SparseBatch::match(MatMulOp op) {
  ElementsAttr elements;
  auto constant = op.getB().getDefiningOp<ConstantOp>();
  auto rows = dyn_cast<RankedTensorType>(op.getA().getType());
  auto type = dyn_cast<RankedTensorType>(op.getB().getType());
  auto result = dyn_cast<RankedTensorType>(op.getType());
  if (!constant || !rows || !type || !result || rows.getRank() != 3 ||
      type.getRank() != 3 || !type.hasStaticShape() ||
      !type.getElementType().isF32() ||
      !matchPattern(constant.getResult(), m_Constant(&elements)))
    return std::nullopt;
  SparseBatch batch{op, {elements, type}};
  bool fits = rows.getDimSize(0) == batch.getCount() || rows.getDimSize(0) == 1;
  if (!fits || batch.getCount() > kMostMatrices || type.getNumElements() == 0)
    return std::nullopt;
  return batch;
}

SmallVector<SparseMatrix> SparseBatch::getMatrices() const {
  std::optional<SparseMatrix> all = SparseMatrix::get(weights);
  if (!all)
    return {};
  int64_t k = weights.type.getDimSize(1), n = weights.type.getDimSize(2);
  SmallVector<SparseMatrix> matrices(getCount(), SparseMatrix{k, n, {}, {}});
  for (auto [at, value] : llvm::enumerate(all->values)) {
    SparseMatrix &matrix = matrices[all->coordinates[2 * at]];
    int64_t place = all->coordinates[2 * at + 1];
    matrix.coordinates.append({place / n, place % n});
    matrix.values.push_back(value);
  }
  return matrices;
}

SmallVector<MatMulOp> SparseBatch::split(RewriterBase &rewriter,
                                         ValueRange factors) const {
  auto whole = op;
  Location loc = whole.getLoc();
  rewriter.setInsertionPoint(whole);
  auto getSlice = [](RankedTensorType type) {
    SmallVector<int64_t> shape(type.getShape());
    shape.front() = 1;
    return type.clone(shape);
  };
  auto rows = cast<RankedTensorType>(whole.getA().getType());
  auto result = cast<RankedTensorType>(whole.getType());
  SmallVector<Value> parts(factors.size(), whole.getA());
  if (rows.getDimSize(0) != 1) {
    SmallVector<Type> types(factors.size(), getSlice(rows));
    auto split =
        SplitOp::create(rewriter, loc, types, whole.getA(), /*split=*/Value(),
                        rewriter.getI64IntegerAttr(0),
                        rewriter.getI64IntegerAttr(int64_t(factors.size())));
    parts.assign(split->getResults().begin(), split->getResults().end());
  }
  SmallVector<MatMulOp> products;
  for (auto [part, factor] : llvm::zip_equal(parts, factors))
    products.push_back(
        MatMulOp::create(rewriter, loc, getSlice(result), part, factor));
  rewriter.replaceOpWithNewOp<ConcatOp>(whole, result,
                                        llvm::to_vector_of<Value>(products),
                                        rewriter.getI64IntegerAttr(0));
  return products;
}
