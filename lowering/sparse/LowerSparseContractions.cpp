//===- LowerSparseContractions.cpp - omb-lower-sparse-contractions --------===//

#include "lowering/Passes.h"
#include "lowering/sparse/SparseProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace omb;

namespace omb {
#define GEN_PASS_DEF_LOWERSPARSECONTRACTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

/// Rows that threads next to each other are for. Fewer would leave most of a
/// GPU's lanes without work.
static constexpr int64_t kFewestLanes = 32;

namespace {

/// Writes the loop over a channel's values, for one element of the result.
class SumEmitter {
public:
  SumEmitter(OpBuilder &builder, Location loc,
             const SparseWeights::Buffers &buffers, int64_t block)
      : builder(builder), loc(loc), buffers(buffers), block(block) {}

  /// `getFactor` gives the row's element at a coordinate.
  Value emit(Value channel, function_ref<Value(Value)> getFactor) {
    Value outer = block == 1 ? channel
                             : arith::DivUIOp::create(builder, loc, channel,
                                                      constant(block));
    Value inBlock = block == 1 ? Value()
                               : arith::RemUIOp::create(builder, loc, channel,
                                                        constant(block));
    Value next = arith::AddIOp::create(builder, loc, outer, constant(1));
    Value begin = loadIndex(buffers.positions, outer);
    Value end = loadIndex(buffers.positions, next);
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1), zero);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value at = loop.getInductionVar();
    Value factor = getFactor(loadIndex(buffers.coordinates, at));
    if (inBlock)
      at = arith::AddIOp::create(
          builder, loc,
          arith::MulIOp::create(builder, loc, at, constant(block)), inBlock);
    Value weight = tensor::ExtractOp::create(builder, loc, buffers.values, at);
    if (weight.getType().isInteger())
      weight =
          arith::SIToFPOp::create(builder, loc, builder.getF32Type(), weight);
    Value product = arith::MulFOp::create(builder, loc, factor, weight);
    Value sum =
        arith::AddFOp::create(builder, loc, loop.getRegionIterArg(0), product);
    scf::YieldOp::create(builder, loc, sum);
    return loop.getResult(0);
  }

private:
  Value constant(int64_t number) {
    return arith::ConstantIndexOp::create(builder, loc, number);
  }
  Value loadIndex(Value from, Value at) {
    Value number = tensor::ExtractOp::create(builder, loc, from, at);
    return arith::IndexCastUIOp::create(builder, loc, builder.getIndexType(),
                                        number);
  }

  OpBuilder &builder;
  Location loc;
  SparseWeights::Buffers buffers;
  int64_t block;
};

/// Makes of out[m, n] += rows[m, k] * weights[k, n] a loop over each channel's
/// values in the body of a `linalg.generic` over m and n.
struct LowerSparseContraction : OpInterfaceRewritePattern<linalg::LinalgOp> {
  LowerSparseContraction(MLIRContext *context, bool threads)
      : OpInterfaceRewritePattern(context), threads(threads) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SparseProduct> found =
        SparseProduct::match(op, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(found))
      return failure();
    if (found->weights.chunk != 0)
      return rewriter.notifyMatchFailure(op, "has weights in chunks");
    Location loc = op.getLoc();
    auto &weights = found->weights;
    // Not all GPUs read numbers of fewer bits.
    if (threads)
      weights.coordinateBits = 32;
    else
      weights.chooseStorage(/*narrow=*/{});
    Value rows = found->getRows();
    int64_t count = cast<RankedTensorType>(rows.getType()).getDimSize(0);
    bool hasRowLanes = threads && weights.block == 1 &&
                       (ShapedType::isDynamic(count) || count >= kFewestLanes);
    if (hasRowLanes)
      rows = transpose(rewriter, loc, rows);
    auto buffers = weights.createBuffers(rewriter, loc);
    Value out = tensor::EmptyOp::create(
        rewriter, loc,
        tensor::getMixedSizes(rewriter, loc, op.getDpsInits()[0]),
        rewriter.getF32Type());
    AffineExpr outer, inner;
    bindDims(rewriter.getContext(), outer, inner);
    auto map = AffineMap::get(
        2, 0, hasRowLanes ? ArrayRef{inner, outer} : ArrayRef{outer, inner},
        rewriter.getContext());
    using utils::IteratorType;
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, out.getType(), ValueRange{}, out, map,
        ArrayRef{IteratorType::parallel, IteratorType::parallel},
        [&](OpBuilder &builder, Location loc, ValueRange) {
          Value first = linalg::IndexOp::create(builder, loc, 0);
          Value second = linalg::IndexOp::create(builder, loc, 1);
          SumEmitter sum(builder, loc, buffers, weights.block);
          Value row = hasRowLanes ? second : first;
          Value result =
              sum.emit(hasRowLanes ? first : second, [&](Value at) -> Value {
                SmallVector<Value> place{row, at};
                if (hasRowLanes)
                  std::swap(place[0], place[1]);
                return tensor::ExtractOp::create(builder, loc, rows, place);
              });
          linalg::YieldOp::create(builder, loc, result);
        });
    return success();
  }

private:
  static Value transpose(OpBuilder &builder, Location loc, Value rows) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, rows);
    std::swap(sizes[0], sizes[1]);
    Value empty =
        tensor::EmptyOp::create(builder, loc, sizes, builder.getF32Type());
    return linalg::TransposeOp::create(builder, loc, rows, empty,
                                       ArrayRef<int64_t>{1, 0})
        ->getResult(0);
  }

  bool threads;
};

struct LowerSparseContractions
    : omb::impl::LowerSparseContractionsBase<LowerSparseContractions> {
  using LowerSparseContractionsBase::LowerSparseContractionsBase;

  void runOnOperation() override {
    if (explain)
      remarkOtherSparseSums(getOperation());
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerSparseContraction>(&getContext(), threads);
    FrozenRewritePatternSet frozen(std::move(patterns));
    walkAndApplyPatterns(getOperation(), frozen);
  }
};

} // namespace
