//===- PackSparseContractions.cpp - omb-pack-sparse-contractions ----------===//

#include "lowering/Passes.h"
#include "lowering/sparse/SparseConvolution.h"
#include "lowering/sparse/SparseProduct.h"
#include "lowering/vector/Outliner.h"
#include "lowering/vector/Packing.h"
#include "lowering/vector/SparseTile.h"
#include "lowering/vector/StoredFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace omb;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_PACKSPARSECONTRACTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

/// Makes of
///
///   out[m, n] += rows[m, k] * weights[k, n]
///
/// with constant weights what lowering/vector/SparseContraction.h says.
struct PackSparseContraction : OpInterfaceRewritePattern<linalg::LinalgOp> {
  /// `narrow`: what values are rounded to; null: f32.
  PackSparseContraction(MLIRContext *context, VectorUnit unit, FloatType narrow)
      : OpInterfaceRewritePattern(context), unit(unit), narrow(narrow) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SparseProduct> found =
        SparseProduct::match(op, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(found))
      return failure();
    auto &[contraction, weights] = *found;
    ArrayRef<int64_t> rows =
        cast<RankedTensorType>(found->getRows().getType()).getShape();
    SparseTile tile = SparseTile::get(unit, rows[0], rows[1]);
    RankedTensorType type = found->getWeightsType();
    if (weights.block == 1)
      weights.pad(tile.getMultiple(), rows[1]);
    int64_t inner = type.getDimSize(0);
    double density = double(weights.values.size()) / type.getNumElements();
    if (int64_t chunk = tile.getChunk(inner, density);
        chunk != 0 && weights.block == 1) {
      weights.divide(inner, chunk);
      type =
          RankedTensorType::get(type.getShape(), type.getElementType(),
                                getChunkEncoding(rewriter.getContext(), chunk));
    }
    weights.chooseStorage(narrow);
    Value assembled = weights.assemble(rewriter, op.getLoc(), type);
    rewriter.replaceOp(
        op,
        weights.block > 1
            ? multiplyBlocks(rewriter, contraction, assembled, weights.block)
            : multiplyChannels(rewriter, contraction, assembled));
    return success();
  }

private:
  Value multiplyChannels(OpBuilder &builder, const ChannelContraction &found,
                         Value weights) const {
    Location loc = found.op->getLoc();
    Value rows = found.input->get();
    ArrayRef<int64_t> shape = cast<RankedTensorType>(rows.getType()).getShape();
    int64_t tile = SparseTile::get(unit, shape[0], shape[1]).getRows();
    Value tiles = createPack(builder, loc, rows, ArrayRef<int64_t>{0}, tile);
    AffineExpr t, n, k, v;
    bindDims(builder.getContext(), t, n, k, v);
    SmallVector<OpFoldResult> sizes{
        tensor::getMixedSize(builder, loc, tiles, 0),
        tensor::getMixedSize(builder, loc, weights, 1),
        builder.getIndexAttr(tile)};
    return multiply(builder, found, tiles, weights, sizes,
                    {{t, k, v}, {k, n}, {t, n, v}}, /*dim=*/0, tile);
  }

  static Value multiplyBlocks(OpBuilder &builder,
                              const ChannelContraction &found, Value weights,
                              int64_t block) {
    Location loc = found.op->getLoc();
    Value rows = found.input->get();
    AffineExpr m, j, k, v;
    bindDims(builder.getContext(), m, j, k, v);
    int64_t channels = cast<RankedTensorType>(weights.getType()).getDimSize(1);
    SmallVector<OpFoldResult> sizes{tensor::getMixedSize(builder, loc, rows, 0),
                                    builder.getIndexAttr(channels / block),
                                    builder.getIndexAttr(block)};
    return multiply(builder, found, rows, weights, sizes,
                    {{m, k}, {k, j * block + v}, {m, j, v}}, /*dim=*/1, block);
  }

  /// A product of `sizes`, whose last dimension becomes a part of `dim`.
  static Value multiply(OpBuilder &builder, const ChannelContraction &found,
                        Value rows, Value weights, ArrayRef<OpFoldResult> sizes,
                        ArrayRef<ArrayRef<AffineExpr>> exprs, int64_t dim,
                        int64_t tile) {
    Location loc = found.op->getLoc();
    auto product = found.op;
    Type element = builder.getF32Type();
    using utils::IteratorType;
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, element);
    Value fill = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
    Value packed =
        linalg::GenericOp::create(
            builder, loc, fill.getType(), ValueRange{rows, weights}, fill,
            AffineMap::inferFromExprList(exprs, builder.getContext()),
            ArrayRef{IteratorType::parallel, IteratorType::parallel,
                     IteratorType::reduction, IteratorType::parallel},
            buildMultiplyAdd)
            .getResult(0);
    Value out = tensor::EmptyOp::create(
        builder, loc,
        tensor::getMixedSizes(builder, loc, product.getDpsInits()[0]), element);
    return linalg::UnPackOp::create(
               builder, loc, packed, out, ArrayRef<int64_t>{dim},
               ArrayRef<OpFoldResult>{builder.getIndexAttr(tile)})
        ->getResult(0);
  }

  VectorUnit unit;
  FloatType narrow;
};

struct PackSparseContractions
    : omb::impl::PackSparseContractionsBase<PackSparseContractions> {
  using PackSparseContractionsBase::PackSparseContractionsBase;

  void runOnOperation() override {
    if (explain)
      remarkOtherSparseSums(getOperation());
    FailureOr<FloatType> type = parseNarrow(getOperation(), narrow);
    if (failed(type))
      return signalPassFailure();
    VectorUnit unit{vectorBytes, vectorRegisters, vectorDotBytes,
                    vectorDotBFloats};
    // Some convolutions become products of rows.
    apply([&](RewritePatternSet &patterns) {
      populateSparseConvolutionPatterns(
          patterns, SparseTile::getMostImageRows(unit), *type);
    });
    apply([&](RewritePatternSet &patterns) {
      patterns.add<PackSparseContraction>(&getContext(), unit, *type);
    });
  }

private:
  void apply(function_ref<void(RewritePatternSet &)> populate) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    FrozenRewritePatternSet frozen(std::move(patterns));
    for (auto function : getOperation().getOps<func::FuncOp>())
      walkAndApplyPatterns(function, frozen);
  }
};

} // namespace
