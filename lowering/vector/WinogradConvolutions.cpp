//===- WinogradConvolutions.cpp - omb-winograd-convolutions ---------------===//

#include "lowering/ConstantBytes.h"
#include "lowering/Passes.h"
#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/Outliner.h"
#include "lowering/vector/Winograd.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_WINOGRADCONVOLUTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

/// A 3x3 convolution with a stride of 1:
///
///   out[n, y, x, f] += input[n, y + ky, x + kx, c] * weights[f, ky, kx, c]
struct Convolution3x3 {
  ChannelContraction contraction;
  /// Loops.
  unsigned batch, rows, columns, tapRow, tapColumn, inChannel;

  static FailureOr<Convolution3x3> match(linalg::LinalgOp op, unsigned lanes,
                                         function_ref<void(const Twine &)> why);

  int64_t getSize(unsigned loop) const { return contraction.getSize(loop); }
  int64_t getOutChannels() const { return getSize(contraction.channel); }
};

/// The loops of the sum of two of them; nothing for another expression.
std::optional<std::pair<unsigned, unsigned>> getSummedLoops(AffineExpr expr) {
  auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!sum || sum.getKind() != AffineExprKind::Add)
    return std::nullopt;
  auto lhs = dyn_cast<AffineDimExpr>(sum.getLHS());
  auto rhs = dyn_cast<AffineDimExpr>(sum.getRHS());
  if (!lhs || !rhs)
    return std::nullopt;
  return std::pair(lhs.getPosition(), rhs.getPosition());
}

FailureOr<Convolution3x3>
Convolution3x3::match(linalg::LinalgOp op, unsigned lanes,
                      function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  FailureOr<ChannelContraction> contraction =
      ChannelContraction::match(op, why);
  if (failed(contraction))
    return failure();
  if (contraction->isDepthwise || contraction->isInteger ||
      !contraction->batches.empty() || contraction->positions.size() != 3 ||
      !getElementTypeOrSelf(op.getDpsInits()[0].getType()).isF32())
    return fail("isn't a convolution of images in f32 without groups");
  if (!contraction->hasConstantWeights())
    return fail("has weights that aren't constant");

  Convolution3x3 found{*contraction, 0, 0, 0, 0, 0, 0};
  AffineMap input = op.getMatchingIndexingMap(contraction->input);
  ArrayRef<AffineExpr> exprs = input.getResults();
  if (exprs.size() != 4)
    return fail("doesn't read images with the channels last");
  auto batch = dyn_cast<AffineDimExpr>(exprs.front());
  auto channel = dyn_cast<AffineDimExpr>(exprs.back());
  if (!batch || !channel)
    return fail("doesn't read images with the channels last");
  auto rows = getSummedLoops(exprs[1]), columns = getSummedLoops(exprs[2]);
  if (!rows || !columns)
    return fail("has strides or dilations");
  found.batch = batch.getPosition();
  found.inChannel = channel.getPosition();
  std::tie(found.rows, found.tapRow) = *rows;
  std::tie(found.columns, found.tapColumn) = *columns;
  unsigned expected[] = {found.batch, found.rows, found.columns};
  if (ArrayRef<unsigned>(contraction->positions) != ArrayRef(expected) ||
      contraction->reductions.size() != 3)
    return fail("doesn't give images in the order of the input's dimensions");
  if (found.getSize(found.tapRow) != 3 || found.getSize(found.tapColumn) != 3)
    return fail("isn't a convolution of 3x3");
  auto in = cast<RankedTensorType>(contraction->input->get().getType());
  auto out = cast<RankedTensorType>(op.getDpsInits()[0].getType());
  if (ShapedType::isDynamicShape(in.getShape().drop_front()) ||
      ShapedType::isDynamicShape(out.getShape().drop_front()))
    return fail("has images of unknown size");
  if (in.getDimSize(1) != out.getDimSize(1) + 2 ||
      in.getDimSize(2) != out.getDimSize(2) + 2 ||
      in.isDynamicDim(0) != out.isDynamicDim(0))
    return fail("has images whose sizes don't fit each other");
  if (in.getDimSize(3) % lanes != 0 || out.getDimSize(3) % lanes != 0)
    return fail("has channels that don't fill vectors");
  return found;
}

/// An estimate of the time that convolutions take, in microseconds of one of
/// two threads that share what is below their second caches.
class CostModel {
public:
  explicit CostModel(const Convolution3x3 &conv)
      : inChannels(conv.getSize(conv.inChannel)),
        outChannels(conv.getOutChannels()), rows(conv.getSize(conv.rows)),
        columns(conv.getSize(conv.columns)) {
    int64_t batch = conv.getSize(conv.batch);
    images = ShapedType::isDynamic(batch) ? 1 : batch;
  }

  double getDirect() const {
    double products = 9. * images * rows * columns * inChannels * outChannels;
    return std::max(products / kProducts, getWeights(9));
  }

  /// Of the transformed input and output.
  double getBytes(const Winograd &winograd) const {
    return 4. * winograd.getAlpha() * winograd.getAlpha() * getTiles(winograd) *
           (inChannels + outChannels);
  }

  double get(const Winograd &winograd) const {
    double alphas = winograd.getAlpha() * winograd.getAlpha();
    double tiles = getTiles(winograd);
    // Tiles in registers have up to 14 rows, which there should be.
    double used = tiles / (14 * std::ceil(tiles / 14));
    double products = alphas * tiles * inChannels * outChannels;
    double moved = 2 * getBytes(winograd);
    return std::max(products / kProducts / (0.5 + used / 2),
                    getWeights(alphas)) +
           moved / kBytesMoved + kDispatches;
  }

private:
  /// Per microsecond: products in registers, bytes of weights, and bytes that
  /// go through a second cache.
  static constexpr double kProducts = 55'000, kBytesRead = 8'000,
                          kBytesMoved = 16'000;
  /// What two more dispatches take.
  static constexpr double kDispatches = 40;

  double getTiles(const Winograd &winograd) const {
    return images * llvm::divideCeil(rows, winograd.outputs) *
           llvm::divideCeil(columns, winograd.outputs);
  }

  /// The time in which the weights, with so many values for a pair of
  /// channels, are read.
  double getWeights(double values) const {
    return 4 * values * inChannels * outChannels / kBytesRead;
  }

  int64_t inChannels, outChannels, rows, columns, images;
};

/// A convolution that this pass rewrites, and how.
struct FasterConvolution {
  Convolution3x3 conv;
  const Winograd *winograd;

  static FailureOr<FasterConvolution>
  match(linalg::LinalgOp op, unsigned lanes,
        function_ref<void(const Twine &)> why);
};

FailureOr<FasterConvolution>
FasterConvolution::match(linalg::LinalgOp op, unsigned lanes,
                         function_ref<void(const Twine &)> why) {
  FailureOr<Convolution3x3> conv = Convolution3x3::match(op, lanes, why);
  if (failed(conv))
    return failure();
  // The estimate isn't that good, and rounding errors are larger.
  constexpr double kMuchLess = 0.85;
  // Both are there at the same time, and are twice as large as what they are
  // made of and become.
  constexpr double kMostBytes = 256 << 20;
  CostModel costs(*conv);
  double best = kMuchLess * costs.getDirect();
  FasterConvolution found{*conv, nullptr};
  for (const Winograd &each : Winograd::getAll()) {
    double time = costs.get(each);
    if (time < best && costs.getBytes(each) <= kMostBytes) {
      best = time;
      found.winograd = &each;
    }
  }
  if (!found.winograd) {
    why("takes about as long, or too much memory, with fewer multiplications");
    return failure();
  }
  return found;
}

/// G g G^T of each pair of channels: [alpha * alpha, out channels, channels].
FailureOr<Value> transformWeights(OpBuilder &builder,
                                  const Convolution3x3 &conv,
                                  const Winograd &winograd) {
  const ChannelContraction &contraction = conv.contraction;
  Value weights = contraction.weights->get();
  FailureOr<omb::ConstantBytes> source = omb::ConstantBytes::get(weights);
  if (failed(source))
    return failure();
  auto type = cast<RankedTensorType>(weights.getType());
  auto op = contraction.op;
  AffineMap map = op.getMatchingIndexingMap(contraction.weights);
  auto getStride = [&](unsigned loop) {
    unsigned dim =
        *map.getResultPosition(getAffineDimExpr(loop, map.getContext()));
    return llvm::product_of(type.getShape().drop_front(dim + 1));
  };
  int64_t outStride = getStride(contraction.channel),
          inStride = getStride(conv.inChannel),
          rowStride = getStride(conv.tapRow),
          columnStride = getStride(conv.tapColumn);
  int64_t outs = conv.getOutChannels(), ins = conv.getSize(conv.inChannel),
          alpha = winograd.getAlpha();
  const TransformMatrix &g = winograd.filter;
  auto write = [&](MutableArrayRef<char> bytes) {
    auto *to = reinterpret_cast<float *>(bytes.data());
    for (int64_t out = 0; out < outs; ++out)
      for (int64_t in = 0; in < ins; ++in) {
        double half[6][3] = {};
        for (int64_t row = 0; row < 3; ++row)
          for (int64_t column = 0; column < 3; ++column) {
            float value;
            std::memcpy(&value,
                        source->at(out * outStride + in * inStride +
                                   row * rowStride + column * columnStride),
                        sizeof(value));
            for (int64_t i = 0; i < alpha; ++i)
              half[i][column] += g.at(i, row) * value;
          }
        for (int64_t i = 0; i < alpha; ++i)
          for (int64_t j = 0; j < alpha; ++j) {
            double sum = 0;
            for (int64_t column = 0; column < 3; ++column)
              sum += half[i][column] * g.at(j, column);
            to[((i * alpha + j) * outs + out) * ins + in] = float(sum);
          }
      }
  };
  return omb::createConstantBytes(
      builder, weights.getLoc(),
      RankedTensorType::get({alpha * alpha, outs, ins}, type.getElementType()),
      source->getName() + ".winograd", write);
}

/// Writes the ops that a convolution becomes.
class WinogradBuilder {
public:
  WinogradBuilder(OpBuilder &builder, const Convolution3x3 &conv,
                  const Winograd &winograd)
      : builder(builder), loc(conv.contraction.op->getLoc()), conv(conv),
        winograd(winograd), element(builder.getF32Type()) {
    tileRows = llvm::divideCeil(conv.getSize(conv.rows), winograd.outputs);
    tileColumns =
        llvm::divideCeil(conv.getSize(conv.columns), winograd.outputs);
    batch =
        tensor::getMixedSize(builder, loc, conv.contraction.input->get(), 0);
  }

  /// What is added to the start of the sums.
  Value build(Value weights) {
    Value tiles = createInput();
    SmallVector<ReassociationIndices> dims{{0, 1}, {2, 3, 4}, {5}};
    Value product = createProduct(
        tensor::CollapseShapeOp::create(builder, loc, tiles, dims), weights);
    return createOutput(dims, product);
  }

private:
  OpFoldResult size(int64_t value) { return builder.getIndexAttr(value); }

  SmallVector<OpFoldResult> getTileSizes(int64_t channels) {
    int64_t alpha = winograd.getAlpha();
    return {size(alpha),       size(alpha), size(tileRows),
            size(tileColumns), batch,       size(channels)};
  }

  /// The input with zeros up to whole tiles around it, and those that it has.
  Value createPadded() {
    Value input = conv.contraction.input->get();
    SmallVector<OpFoldResult> low(4, size(0)), high(4, size(0));
    auto type = cast<RankedTensorType>(input.getType());
    int64_t more[] = {tileRows * winograd.outputs + 2 - type.getDimSize(1),
                      tileColumns * winograd.outputs + 2 - type.getDimSize(2)};
    if (tensor::PadOp pad = getZeroPadding(input)) {
      input = pad.getSource();
      low = pad.getMixedLowPad();
      high = pad.getMixedHighPad();
    }
    for (unsigned dim : {1, 2})
      high[dim] = size(*getConstantIntValue(high[dim]) + more[dim - 1]);
    auto isNone = [](OpFoldResult width) { return isZeroInteger(width); };
    if (llvm::all_of(low, isNone) && llvm::all_of(high, isNone))
      return input;
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
    return tensor::PadOp::create(builder, loc, /*result=*/Type(), input, low,
                                 high, zero);
  }

  Value createInput() {
    Value empty = tensor::EmptyOp::create(
        builder, loc, getTileSizes(conv.getSize(conv.inChannel)), element);
    return linalg::WinogradInputTransformOp::create(
               builder, loc, empty.getType(), createPadded(), empty,
               winograd.kind)
        .getResult();
  }

  /// Products of matrices, one for each place in a tile.
  Value createProduct(Value tiles, Value weights) {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, loc, tiles);
    sizes.back() = size(conv.getOutChannels());
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, element);
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
    Value fill = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
    AffineExpr place, tile, out, in;
    bindDims(builder.getContext(), place, tile, out, in);
    SmallVector<SmallVector<AffineExpr, 4>> exprs{
        {place, tile, in}, {place, out, in}, {place, tile, out}};
    SmallVector<AffineMap> maps =
        AffineMap::inferFromExprList(exprs, builder.getContext());
    SmallVector<utils::IteratorType> kinds(3, utils::IteratorType::parallel);
    kinds.push_back(utils::IteratorType::reduction);
    return linalg::GenericOp::create(builder, loc, fill.getType(),
                                     ValueRange{tiles, weights}, fill, maps,
                                     kinds, buildMultiplyAdd)
        .getResult(0);
  }

  Value createOutput(ArrayRef<ReassociationIndices> dims, Value product) {
    int64_t channels = conv.getOutChannels();
    SmallVector<OpFoldResult> tileSizes = getTileSizes(channels);
    SmallVector<int64_t> tileShape;
    SmallVector<Value> dynamic;
    dispatchIndexOpFoldResults(tileSizes, dynamic, tileShape);
    Value tiles = tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(tileShape, element), product, dims,
        tileSizes);
    SmallVector<OpFoldResult> sizes{batch, size(tileRows * winograd.outputs),
                                    size(tileColumns * winograd.outputs),
                                    size(channels)};
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, element);
    Value image =
        linalg::WinogradOutputTransformOp::create(builder, loc, empty.getType(),
                                                  tiles, empty, winograd.kind)
            .getResult();
    int64_t rows = conv.getSize(conv.rows),
            columns = conv.getSize(conv.columns);
    if (rows == tileRows * winograd.outputs &&
        columns == tileColumns * winograd.outputs)
      return image;
    sizes[1] = size(rows);
    sizes[2] = size(columns);
    return tensor::ExtractSliceOp::create(
        builder, loc, image, SmallVector<OpFoldResult>(4, size(0)), sizes,
        SmallVector<OpFoldResult>(4, size(1)));
  }

  OpBuilder &builder;
  Location loc;
  const Convolution3x3 &conv;
  const Winograd &winograd;
  Type element;
  int64_t tileRows, tileColumns;
  OpFoldResult batch;
};

/// Makes of a 3x3 convolution a transform of its input, products of matrices,
/// and a transform back.
struct ConvertConvolution3x3 : OpInterfaceRewritePattern<linalg::LinalgOp> {
  ConvertConvolution3x3(MLIRContext *context, unsigned lanes)
      : OpInterfaceRewritePattern(context), lanes(lanes) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    auto why = [&](const Twine &reason) {
      (void)rewriter.notifyMatchFailure(op, reason);
    };
    FailureOr<FasterConvolution> found =
        FasterConvolution::match(op, lanes, why);
    if (failed(found))
      return failure();
    const auto &[conv, winograd] = *found;
    FailureOr<Value> weights = transformWeights(rewriter, conv, *winograd);
    if (failed(weights))
      return rewriter.notifyMatchFailure(op, "has weights without values");
    Value sums = WinogradBuilder(rewriter, conv, *winograd).build(*weights);
    Value start = op.getDpsInits()[0];
    if (isZeroFill(start)) {
      rewriter.replaceOp(op, sums);
      return success();
    }
    Value empty = tensor::EmptyOp::create(
        rewriter, op.getLoc(),
        tensor::getMixedSizes(rewriter, op.getLoc(), start),
        rewriter.getF32Type());
    rewriter.replaceOpWithNewOp<linalg::AddOp>(op, ValueRange{sums, start},
                                               empty);
    return success();
  }

private:
  unsigned lanes;
};

struct WinogradConvolutions
    : omb::impl::WinogradConvolutionsBase<WinogradConvolutions> {
  using WinogradConvolutionsBase::WinogradConvolutionsBase;

  void runOnOperation() override {
    if (explain)
      remarkOthers();
    RewritePatternSet patterns(&getContext());
    patterns.add<ConvertConvolution3x3>(&getContext(), vectorBytes / 4);
    FrozenRewritePatternSet frozen(std::move(patterns));
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(kKernelAttrName))
        walkAndApplyPatterns(function, frozen);
  }

private:
  /// Says of each sum that stays as it is why it does.
  void remarkOthers() {
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.getNumReductionLoops() > 0 && !isInKernel(op))
        (void)FasterConvolution::match(
            op, vectorBytes / 4,
            [&](const Twine &why) { op->emitRemark() << why; });
    });
  }
};

} // namespace
