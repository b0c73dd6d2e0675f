//===- LowerSparseContractions.cpp - omb-lower-sparse-contractions --------===//

#include "dialect/transforms/SparseConstants.h"
#include "lowering/Passes.h"
#include "lowering/sparse/SparseConvolution.h"
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

/// Chooses how weights are stored.
static void prepare(SparseWeights &weights, bool threads) {
  // Not all GPUs read numbers of fewer bits.
  if (threads)
    weights.coordinateBits = 32;
  else
    weights.chooseStorage(/*narrow=*/{});
}

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
    prepare(weights, threads);
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

/// Makes of a convolution a loop over each feature's values in the body of a
/// `linalg.generic` over the elements of the result, whose neighbors are
/// positions.
struct LowerSparseConvolution : OpInterfaceRewritePattern<linalg::LinalgOp> {
  LowerSparseConvolution(MLIRContext *context, bool threads)
      : OpInterfaceRewritePattern(context), threads(threads) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SparseConvolution> found =
        SparseConvolution::match(op, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(found))
      return failure();
    auto images = cast<RankedTensorType>(found->getImages().getType());
    FailureOr<SparseWeights> weights = getWeights(*found, images);
    if (failed(weights))
      return rewriter.notifyMatchFailure(op, "has images that are too large");
    prepare(*weights, threads);
    Location loc = op.getLoc();
    auto buffers = weights->createBuffers(rewriter, loc);
    Value source = found->isPointwise()
                       ? found->getImages()
                       : flatten(rewriter, loc, found->getImages());
    Value out = tensor::EmptyOp::create(
        rewriter, loc,
        tensor::getMixedSizes(rewriter, loc, op.getDpsInits()[0]),
        rewriter.getF32Type());
    unsigned rank = images.getRank();
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, out.getType(), ValueRange{}, out,
        rewriter.getMultiDimIdentityMap(rank),
        SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
        [&](OpBuilder &builder, Location loc, ValueRange) {
          SmallVector<Value> at;
          for (unsigned dim = 0; dim < rank; ++dim)
            at.push_back(linalg::IndexOp::create(builder, loc, dim));
          SumEmitter sum(builder, loc, buffers, weights->block);
          Value first = found->isPointwise()
                            ? Value()
                            : getFirst(builder, loc, *found, images, at);
          Value result = sum.emit(at[1], [&](Value coordinate) -> Value {
            SmallVector<Value> place(at);
            if (first)
              place = {at[0],
                       arith::AddIOp::create(builder, loc, first, coordinate)};
            else
              place[1] = coordinate;
            return tensor::ExtractOp::create(builder, loc, source, place);
          });
          if (found->bias)
            result = arith::AddFOp::create(
                builder, loc, result,
                tensor::ExtractOp::create(builder, loc, found->bias, at[1]));
          linalg::YieldOp::create(builder, loc, result);
        });
    return success();
  }

private:
  /// The coordinate of a filter's element is its channel, or, of windows, where
  /// in an image it is multiplied, from the first element of a window on.
  static FailureOr<SparseWeights>
  getWeights(const SparseConvolution &convolution, RankedTensorType images) {
    if (convolution.isPointwise())
      return SparseWeights::get(convolution.getPointMatrix());
    ArrayRef<int64_t> sizes = images.getShape().drop_front(2);
    auto getPlace = [&](ArrayRef<int64_t> at) {
      int64_t place = at.front();
      for (auto [size, tap, dilation] :
           llvm::zip(sizes, at.drop_front(), convolution.dilations))
        place = place * size + tap * dilation;
      return place;
    };
    int64_t inner = ShapedType::getNumElements(images.getShape().drop_front());
    return SparseWeights::get(convolution.getMatrix(
        inner, onnx::getChannelEncoding(images.getContext()), getPlace));
  }

  /// All elements of an image as one dimension.
  static Value flatten(OpBuilder &builder, Location loc, Value images) {
    int64_t rank = cast<RankedTensorType>(images.getType()).getRank();
    SmallVector<ReassociationIndices> groups{
        {0}, llvm::to_vector<2>(llvm::seq<int64_t>(1, rank))};
    return tensor::CollapseShapeOp::create(builder, loc, images, groups);
  }

  /// Where in a channel the window of a position begins.
  static Value getFirst(OpBuilder &builder, Location loc,
                        const SparseConvolution &convolution,
                        RankedTensorType images, ArrayRef<Value> at) {
    auto constant = [&](int64_t number) {
      return arith::ConstantIndexOp::create(builder, loc, number);
    };
    Value first = constant(0);
    for (auto [size, position, stride] :
         llvm::zip(images.getShape().drop_front(2), at.drop_front(2),
                   convolution.strides)) {
      Value scaled = arith::MulIOp::create(builder, loc, first, constant(size));
      Value own =
          arith::MulIOp::create(builder, loc, position, constant(stride));
      first = arith::AddIOp::create(builder, loc, scaled, own);
    }
    return first;
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
    patterns.add<LowerSparseContraction, LowerSparseConvolution>(&getContext(),
                                                                 threads);
    FrozenRewritePatternSet frozen(std::move(patterns));
    walkAndApplyPatterns(getOperation(), frozen);
  }
};

} // namespace
