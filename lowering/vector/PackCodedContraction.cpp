//===- PackCodedContraction.cpp - Panels of coded weights -----------------===//

#include "lowering/vector/PackCodedContraction.h"

#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/CodedPanels.h"
#include "lowering/vector/ElementMap.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

/// Makes of
///
///   out[p..., n] += input[p..., k] * weights[k, n]
///
/// with weights that are computed of codes, in blocks along k,
///
///   packed[p..., j, v] += input[p..., (b * S + s) * G + g]
///                         * panels[j, b, s, g, v]
///   out = linalg.unpack packed
///
/// where the panels are computed of bytes of G codes: see CodedWeights. Behind
/// a short last block, the input gets zeros; a narrow one is widened.
struct PackCodedContraction : OpInterfaceRewritePattern<linalg::LinalgOp> {
  PackCodedContraction(MLIRContext *context, VectorUnit unit)
      : OpInterfaceRewritePattern(context, /*benefit=*/2), unit(unit) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    auto explain = [&](const Twine &why) {
      (void)rewriter.notifyMatchFailure(op, why);
    };
    FailureOr<ChannelContraction> contraction =
        ChannelContraction::match(op, explain);
    if (failed(contraction))
      return failure();
    FailureOr<CodedWeights> weights = contraction->matchCodedWeights(explain);
    if (failed(weights))
      return failure();
    AffineMap map = op.getMatchingIndexingMap(contraction->input);
    if (!map.getResultPosition(
            rewriter.getAffineDimExpr(contraction->reductions[0])))
      return rewriter.notifyMatchFailure(op, "sums over windows of the input");
    Value start = op.getDpsInits()[0];
    if (!isZeroFill(start))
      return rewriter.notifyMatchFailure(op, "doesn't start at zero");
    Location loc = op.getLoc();
    unsigned lanes = unit.getLanes(contraction->getElementBytes());
    int64_t panel =
        lanes * selectVectors(unit, lanes, contraction->getTileDemand());
    Value panels = createCodedPanels(rewriter, loc, *weights,
                                     contraction->getWeightsOrder(), panel);
    Value packed = createProduct(rewriter, *contraction, panels);
    auto type = cast<RankedTensorType>(start.getType());
    Value out = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, start),
        type.getElementType());
    rewriter.replaceOpWithNewOp<linalg::UnPackOp>(
        op, packed, out, ArrayRef<int64_t>{type.getRank() - 1},
        ArrayRef<OpFoldResult>{rewriter.getIndexAttr(panel)});
    return success();
  }

private:
  static Value widen(OpBuilder &builder, Location loc, Value input) {
    Type wide = builder.getF32Type();
    auto build = [&](OpBuilder &b, Location at, Value value) -> Value {
      return arith::ExtFOp::create(b, at, wide, value);
    };
    auto fold = [&](TypedAttr value) -> TypedAttr {
      APFloat number = cast<FloatAttr>(value).getValue();
      return builder.getFloatAttr(wide, number.convertToDouble());
    };
    return mapBelowShapes(builder, loc, input, {wide, build, fold, {}, {}});
  }

  /// The input as f32, with as many values to sum as the panels have.
  static Value createInput(OpBuilder &builder,
                           const ChannelContraction &contraction,
                           ArrayRef<int64_t> panels) {
    auto op = contraction.op;
    Location loc = op.getLoc();
    Value input = contraction.input->get();
    if (!getElementTypeOrSelf(input.getType()).isF32())
      input = widen(builder, loc, input);
    unsigned inner = contraction.reductions[0];
    int64_t missing =
        panels[1] * panels[2] * panels[3] - contraction.getSize(inner);
    if (missing == 0)
      return input;
    AffineMap map = op.getMatchingIndexingMap(contraction.input);
    SmallVector<OpFoldResult> low(map.getNumResults(), builder.getIndexAttr(0)),
        high(low);
    high[*map.getResultPosition(builder.getAffineDimExpr(inner))] =
        builder.getIndexAttr(missing);
    Value zero = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(builder.getF32Type()));
    return tensor::PadOp::create(builder, loc, /*resultType=*/Type(), input,
                                 low, high, zero);
  }

  /// The loops stay as they are; that of the sum counts blocks, that of the
  /// channels panels. Three more go through the steps of a block, the codes of
  /// a step and the channels of a panel.
  static Value createProduct(OpBuilder &builder,
                             const ChannelContraction &contraction,
                             Value panels) {
    auto op = contraction.op;
    Location loc = op.getLoc();
    unsigned loops = op.getNumLoops(), inner = contraction.reductions[0];
    ArrayRef<int64_t> sizes =
        cast<RankedTensorType>(panels.getType()).getShape();
    auto loop = [&](unsigned number) {
      return builder.getAffineDimExpr(number);
    };
    AffineExpr step = loop(loops), code = loop(loops + 1),
               within = loop(loops + 2);
    AffineExpr summed = (loop(inner) * sizes[2] + step) * sizes[3] + code;
    SmallVector<AffineExpr> from, to;
    for (AffineExpr expr :
         op.getMatchingIndexingMap(contraction.input).getResults())
      from.push_back(expr.replace(loop(inner), summed));
    OpOperand *init = op.getDpsInitOperand(0);
    llvm::append_range(to, op.getMatchingIndexingMap(init).getResults());
    to.push_back(within);
    AffineExpr weights[] = {loop(contraction.channel), loop(inner), step, code,
                            within};
    auto getMap = [&](ArrayRef<AffineExpr> results) {
      return AffineMap::get(loops + 3, 0, results, builder.getContext());
    };
    SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
    kinds.append({utils::IteratorType::reduction,
                  utils::IteratorType::reduction,
                  utils::IteratorType::parallel});

    SmallVector<OpFoldResult> shape =
        tensor::getMixedSizes(builder, loc, init->get());
    shape.back() = builder.getIndexAttr(sizes[0]);
    shape.push_back(builder.getIndexAttr(sizes[4]));
    Type element = builder.getF32Type();
    Value empty = tensor::EmptyOp::create(builder, loc, shape, element);
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
    Value fill = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
    return linalg::GenericOp::create(
               builder, loc, fill.getType(),
               ValueRange{createInput(builder, contraction, sizes), panels},
               fill, ArrayRef{getMap(from), getMap(weights), getMap(to)}, kinds,
               buildMultiplyAdd)
        .getResult(0);
  }

  VectorUnit unit;
};

} // namespace

void omb::kernels::populatePackCodedContractionPatterns(
    RewritePatternSet &patterns, const VectorUnit &unit) {
  patterns.add<PackCodedContraction>(patterns.getContext(), unit);
}
