//===- PackContractions.cpp - omb-pack-contractions -----------------------===//

#include "lowering/Passes.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/vector/ByteContraction.h"
#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/ElementMap.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/MergeTaps.h"
#include "lowering/vector/Outliner.h"
#include "lowering/vector/PackCodedContraction.h"
#include "lowering/vector/PackPools.h"
#include "lowering/vector/PackedContraction.h"
#include "lowering/vector/PackedWeights.h"
#include "lowering/vector/Packing.h"
#include "lowering/vector/ReadNarrowed.h"
#include "lowering/vector/StoredFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_PACKCONTRACTIONS
#include "lowering/Passes.h.inc"
} // namespace omb

/// A tensor that is added to the sums of a product, and where.
struct Summand {
  Value tensor;
  AffineMap map;
};

/// The product plus all of `others`.
static Value addAll(OpBuilder &builder, Location loc, Value product,
                    ArrayRef<Summand> others) {
  auto type = cast<RankedTensorType>(product.getType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> parallel(type.getRank(),
                                            utils::IteratorType::parallel);
  SmallVector<Value> inputs{product};
  SmallVector<AffineMap> maps{identity};
  for (const Summand &other : others) {
    inputs.push_back(other.tensor);
    maps.push_back(other.map);
  }
  maps.push_back(identity);
  Value out = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, product),
      type.getElementType());
  return linalg::GenericOp::create(
             builder, loc, type, inputs, out, maps, parallel,
             [](OpBuilder &inner, Location at, ValueRange args) {
               Value sum = args[0];
               for (Value other : args.drop_front().drop_back()) {
                 if (isa<FloatType>(sum.getType()))
                   sum = arith::AddFOp::create(inner, at, sum, other);
                 else
                   sum = arith::AddIOp::create(inner, at, sum, other);
               }
               linalg::YieldOp::create(inner, at, sum);
             })
      .getResult(0);
}

/// out + input * weights of unsigned and signed bytes.
static void buildUnsignedMultiplyAdd(OpBuilder &builder, Location loc,
                                     ValueRange args) {
  Type type = args[2].getType();
  Value product = arith::MulIOp::create(
      builder, loc, arith::ExtUIOp::create(builder, loc, type, args[0]),
      arith::ExtSIOp::create(builder, loc, type, args[1]));
  Value sum = arith::AddIOp::create(builder, loc, args[2], product);
  linalg::YieldOp::create(builder, loc, sum);
}

/// Sums of integers, which floats were made of, as such.
static Value toIntegers(OpBuilder &builder, Location loc, Value sums) {
  Type whole = builder.getI32Type();
  return omb::mapElements(builder, loc, sums, whole,
                          [&](OpBuilder &b, Location at, Value sum) -> Value {
                            return arith::FPToSIOp::create(b, at, whole, sum);
                          });
}

/// Whether a vector of channels, most of which don't exist, takes longer than
/// another vector would: unless there are several loops to sum over. Of a
/// convolution with one position, IREE 3.13 makes code that it then refuses.
static bool hasTooFewChannels(const ChannelContraction &contraction,
                              const VectorUnit &unit) {
  int64_t channels = contraction.getSize(contraction.channel);
  auto isLoop = [&](unsigned loop) { return contraction.getSize(loop) != 1; };
  bool isOnePosition = contraction.reductions.size() > 1 &&
                       llvm::none_of(contraction.positions, isLoop);
  return !contraction.isDepthwise && !contraction.isInteger && !isOnePosition &&
         !ShapedType::isDynamic(channels) &&
         channels * 4 <= unit.getLanes(contraction.getElementBytes()) &&
         llvm::count_if(contraction.reductions, isLoop) < 2;
}

/// What is packed; fails with the reason where `op` is better left alone.
static FailureOr<ChannelContraction>
matchPackable(linalg::LinalgOp op, const VectorUnit &unit,
              function_ref<void(const Twine &)> why) {
  FailureOr<ChannelContraction> contraction =
      ChannelContraction::match(op, why);
  if (succeeded(contraction) && contraction->isInteger &&
      !contraction->isDepthwise && unit.dotBytes == 0) {
    why("is of bytes, which this CPU has no instruction for");
    return failure();
  }
  if (succeeded(contraction) && hasTooFewChannels(*contraction, unit)) {
    why("has too few channels for a vector");
    return failure();
  }
  return contraction;
}

namespace {

/// A product reads transposed weights in the order that they have.
struct FoldTransposedWeights : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1 ||
        op.hasIndexSemantics())
      return rewriter.notifyMatchFailure(op, "isn't a product");
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto transpose = operand->get().getDefiningOp<linalg::TransposeOp>();
      if (!transpose || !isConstant(transpose.getInput()))
        continue;
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      AffineMap &map = maps[operand->getOperandNumber()];
      map = AffineMap::get(
          map.getNumDims(), 0,
          applyPermutation(map.getResults(),
                           invertPermutationVector(transpose.getPermutation())),
          rewriter.getContext());
      SmallVector<Value> inputs = op.getDpsInputs();
      inputs[operand->getOperandNumber()] = transpose.getInput();
      auto generic = linalg::GenericOp::create(
          rewriter, op.getLoc(), op->getResultTypes(), inputs, op.getDpsInits(),
          maps, op.getIteratorTypesArray());
      rewriter.inlineRegionBefore(op->getRegion(0), generic.getRegion(),
                                  generic.getRegion().begin());
      rewriter.replaceOp(op, generic);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "has no transposed constant");
  }

private:
  /// Whether `weights` are constant, or computed of constants by kernels.
  static bool isConstant(Value weights) {
    return matchPattern(weights, m_Constant()) ||
           succeeded(CodedWeights::match(weights, [](const Twine &) {}));
  }
};

/// In what form a kernel reads the factors.
struct Factors {
  /// How many values along the last loop of the sum lie next to each other.
  int64_t group = 1;
  Type input, weights, sums;
  /// What is subtracted from bytes that are multiplied as floats.
  int32_t shift = 0;
};

/// Makes of
///
///   out[p..., n] += input[f(p..., r...)] * weights[b..., n, r...]
///
/// with n = j * `panel` + v, and panels of zeros beyond the last channel,
///
///   packed[p..., j, v] += input[f(p..., r...)] * panels[b..., j, r..., v]
///   out = linalg.unpack packed
///
/// A depthwise convolution reads (linalg.pack input)[f(p..., r...), j, v]. That
/// of bytes sums products of f32, which are exact.
struct PackContraction : OpInterfaceRewritePattern<linalg::LinalgOp> {
  /// `narrow` is the type of the factors of products of f32; null: f32.
  PackContraction(MLIRContext *context, VectorUnit unit, FloatType narrow)
      : OpInterfaceRewritePattern(context), unit(unit), narrow(narrow) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<ChannelContraction> contraction =
        matchPackable(op, unit, [&](const Twine &why) {
          (void)rewriter.notifyMatchFailure(op, why);
        });
    if (failed(contraction))
      return failure();
    if (contraction->hasNarrowFactors())
      return rewriter.notifyMatchFailure(op, "has operands of several types");
    Factors factors = chooseFactors(*contraction);
    int64_t panel = getPanel(*contraction, factors);
    FailureOr<Value> panels =
        createPanels(rewriter, *contraction, panel, factors);
    if (failed(panels))
      return rewriter.notifyMatchFailure(op, "has weights without values");

    Location loc = op.getLoc();
    Value start = op.getDpsInits()[0];
    Value input = createInput(rewriter, *contraction, factors);
    linalg::GenericOp product =
        createPacked(rewriter, *contraction, input, *panels, panel, factors);
    if (selectMatrix(*contraction, factors))
      product->setAttr(kReadsPaddingAttrName, rewriter.getUnitAttr());
    Value packed = product.getResult(0);
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, loc, start);
    auto type = cast<RankedTensorType>(start.getType());
    Value out = tensor::EmptyOp::create(rewriter, loc, sizes, factors.sums);
    Value result =
        linalg::UnPackOp::create(
            rewriter, loc, packed, out, ArrayRef<int64_t>{type.getRank() - 1},
            ArrayRef<OpFoldResult>{rewriter.getIndexAttr(panel)})
            ->getResult(0);
    if (factors.sums != type.getElementType())
      result = toIntegers(rewriter, loc, result);
    SmallVector<Summand> others;
    Value bias = contraction->isInteger ? getConstantBias(start) : Value();
    if (!isZeroFill(start) && !bias)
      others.push_back(
          {start, rewriter.getMultiDimIdentityMap(type.getRank())});
    int32_t shift = contraction->isDepthwise ? factors.shift : -128;
    if (contraction->isInteger && (shift != 0 || bias))
      others.push_back(
          {createWeightsOffset(rewriter, *contraction, shift, bias),
           getOffsetMap(*contraction)});
    if (!others.empty())
      result = addAll(rewriter, loc, result, others);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  Factors chooseFactors(ChannelContraction &contraction) const {
    auto op = contraction.op;
    Type element = getElementTypeOrSelf(op.getDpsInputs().front().getType());
    Type sums = getElementTypeOrSelf(op.getDpsInits()[0].getType());
    if (contraction.isInteger && contraction.isDepthwise) {
      Type number = Float32Type::get(op.getContext());
      return {1, element, number, number, getPadding(contraction)};
    }
    if (contraction.isInteger)
      return {int64_t(unit.dotBytes), element, element, sums};
    if (!narrow || !element.isF32() || contraction.isDepthwise)
      return {1, element, element, sums};
    if (narrow.isBF16() && unit.dotsBFloats &&
        succeeded(contraction.sumLastDimension()))
      return {2, narrow, narrow, sums};
    if (contraction.hasConstantWeights())
      return {1, element, narrow, sums};
    return {1, element, element, sums};
  }

  /// The byte that the input is padded with; 0 where it isn't known.
  static int32_t getPadding(const ChannelContraction &contraction) {
    auto pad = contraction.input->get().getDefiningOp<tensor::PadOp>();
    APInt value;
    bool isKnown =
        pad && pad.getConstantPaddingValue() &&
        matchPattern(pad.getConstantPaddingValue(), m_ConstantInt(&value));
    return isKnown ? int32_t(value.getSExtValue()) : 0;
  }

  /// The elements of `value` in the type `to`.
  static Value narrowTo(OpBuilder &builder, Location loc, Value value,
                        Type to) {
    if (getElementTypeOrSelf(value.getType()) == to)
      return value;
    ElementMap map;
    map.type = to;
    map.mark = kNarrowingAttrName;
    map.fold = [&](TypedAttr number) -> TypedAttr {
      APFloat rounded = cast<FloatAttr>(number).getValue();
      bool losesInfo;
      rounded.convert(cast<FloatType>(to).getFloatSemantics(),
                      APFloat::rmNearestTiesToEven, &losesInfo);
      return FloatAttr::get(to, rounded);
    };
    map.build = [&](OpBuilder &inner, Location at, Value element) -> Value {
      return arith::TruncFOp::create(inner, at, to, element);
    };
    return mapBelowShapes(builder, loc, value, map);
  }

  static Value createInput(OpBuilder &builder,
                           const ChannelContraction &contraction,
                           const Factors &factors) {
    if (contraction.isInteger && contraction.isDepthwise)
      return contraction.input->get();
    if (contraction.isInteger)
      return createUnsignedInput(builder, contraction, factors.group);
    Location loc = contraction.op->getLoc();
    Value input =
        narrowTo(builder, loc, contraction.input->get(), factors.input);
    return padLastDimension(builder, loc, input, factors.group);
  }

  /// The channels of a panel: those of a tile.
  int64_t getPanel(const ChannelContraction &contraction,
                   const Factors &factors) const {
    unsigned lanes = unit.getLanes(contraction.getElementBytes());
    if (std::optional<MatrixTile> tile = selectMatrix(contraction, factors))
      return lanes * tile->vectors;
    TileDemand demand = contraction.getTileDemand();
    return lanes * selectVectors(unit, lanes, demand);
  }

  /// The tile of a matrix unit; none where vectors are multiplied.
  std::optional<MatrixTile> selectMatrix(const ChannelContraction &contraction,
                                         const Factors &factors) const {
    if (factors.group == 1 || !unit.multipliesMatrices(contraction.isInteger))
      return std::nullopt;
    int64_t summed = contraction.getSize(contraction.reductions.back());
    return selectMatrixTile(contraction.getTileDemand(),
                            llvm::divideCeil(summed, factors.group));
  }

  /// The constant with an element for each channel that `start` repeats; null
  /// if it is something else.
  static Value getConstantBias(Value start) {
    auto broadcast = start.getDefiningOp<linalg::BroadcastOp>();
    if (!broadcast || !matchPattern(broadcast.getInput(), m_Constant()))
      return nullptr;
    int64_t rank = cast<RankedTensorType>(start.getType()).getRank();
    auto type = cast<RankedTensorType>(broadcast.getInput().getType());
    bool isOfChannels =
        type.getRank() == 1 &&
        !llvm::is_contained(broadcast.getDimensions(), rank - 1);
    return isOfChannels ? broadcast.getInput() : Value();
  }

  /// Where the output has the batches and the channels.
  static AffineMap getOffsetMap(const ChannelContraction &contraction) {
    MLIRContext *context = contraction.op->getContext();
    size_t rank = contraction.positions.size() + 1;
    SmallVector<AffineExpr> dims;
    for (unsigned batch : contraction.batches)
      dims.push_back(getAffineDimExpr(llvm::find(contraction.positions, batch) -
                                          contraction.positions.begin(),
                                      context));
    dims.push_back(getAffineDimExpr(rank - 1, context));
    return AffineMap::get(rank, 0, dims, context);
  }

  /// The weights panel by panel.
  static FailureOr<Value> createPanels(OpBuilder &builder,
                                       const ChannelContraction &contraction,
                                       int64_t panel, const Factors &factors) {
    Value weights = contraction.weights->get();
    SmallVector<int64_t> order = contraction.getWeightsOrder();
    int64_t batches = contraction.batches.size();
    if (contraction.hasConstantWeights())
      return packWeights(builder, weights, panel, order, batches, factors.group,
                         factors.weights);
    weights =
        narrowTo(builder, contraction.op->getLoc(), weights, factors.weights);
    if (factors.group > 1)
      return createPack(builder, weights.getLoc(), weights,
                        {order[batches], order.back()}, {panel, factors.group},
                        order);
    return createPack(builder, weights.getLoc(), weights, order[batches], panel,
                      order);
  }

  /// The loops stay as they are, the channels' loop counts panels, and one more
  /// goes through a panel. Where values are in groups, the last loop of the
  /// sum counts these, and one more goes through a group.
  static linalg::GenericOp createPacked(OpBuilder &builder,
                                        const ChannelContraction &contraction,
                                        Value input, Value panels,
                                        int64_t panel, const Factors &factors) {
    int64_t group = factors.group;
    linalg::LinalgOp op = contraction.op;
    Location loc = op.getLoc();
    MLIRContext *context = builder.getContext();
    unsigned loops = op.getNumLoops();
    AffineExpr within = builder.getAffineDimExpr(loops),
               inGroup = builder.getAffineDimExpr(loops + 1);
    auto getMap = [&](ArrayRef<AffineExpr> results) {
      return AffineMap::get(loops + (group > 1 ? 2 : 1), 0, results, context);
    };
    SmallVector<AffineExpr> weights;
    for (unsigned loop : contraction.batches)
      weights.push_back(builder.getAffineDimExpr(loop));
    weights.push_back(builder.getAffineDimExpr(contraction.channel));
    for (unsigned loop : contraction.reductions)
      weights.push_back(builder.getAffineDimExpr(loop));
    weights.push_back(within);
    if (group > 1)
      weights.push_back(inGroup);
    OpOperand *init = op.getDpsInitOperand(0);
    SmallVector<AffineExpr> output(
        op.getMatchingIndexingMap(init).getResults());
    output.push_back(within);
    SmallVector<AffineExpr> from(
        op.getMatchingIndexingMap(contraction.input).getResults());
    if (contraction.isDepthwise) {
      input = createPack(builder, input.getLoc(), input,
                         int64_t(from.size() - 1), panel, {});
      from.push_back(within);
    }
    if (group > 1) {
      AffineExpr last = builder.getAffineDimExpr(contraction.reductions.back());
      from.back() = from.back().replace(last, last * group + inGroup);
    }
    SmallVector<AffineMap> maps{getMap(from), getMap(weights), getMap(output)};
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    iterators.push_back(utils::IteratorType::parallel);
    if (group > 1)
      iterators.push_back(utils::IteratorType::reduction);

    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, loc, init->get());
    sizes.back() =
        tensor::getMixedSize(builder, loc, panels, contraction.batches.size());
    sizes.push_back(builder.getIndexAttr(panel));
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, factors.sums);
    Value zero = arith::ConstantOp::create(builder, loc,
                                           builder.getZeroAttr(factors.sums));
    Value fill = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
    return linalg::GenericOp::create(builder, loc, fill.getType(),
                                     ValueRange{input, panels}, fill, maps,
                                     iterators, getBody(builder, loc, factors));
  }

  using BodyBuilder = std::function<void(OpBuilder &, Location, ValueRange)>;

  static BodyBuilder getBody(OpBuilder &builder, Location loc,
                             const Factors &factors) {
    if (factors.sums.isInteger())
      return buildUnsignedMultiplyAdd;
    if (factors.shift == 0)
      return buildMultiplyAdd;
    Type type = factors.sums;
    Value shift = arith::ConstantOp::create(
        builder, loc, builder.getFloatAttr(type, factors.shift));
    return [=](OpBuilder &b, Location at, ValueRange args) {
      Value number = arith::SIToFPOp::create(b, at, type, args[0]);
      number = arith::SubFOp::create(b, at, number, shift);
      buildMultiplyAdd(b, at, {number, args[1], args[2]});
    };
  }

  VectorUnit unit;
  FloatType narrow;
};

struct PackContractions : omb::impl::PackContractionsBase<PackContractions> {
  using PackContractionsBase::PackContractionsBase;

  void runOnOperation() override {
    VectorUnit unit{vectorBytes,      vectorRegisters, vectorDotBytes,
                    vectorDotBFloats, matrixBytes,     matrixBFloats};
    FailureOr<FloatType> type = parseNarrow(getOperation(), narrow);
    if (failed(type))
      return signalPassFailure();
    applyToOthers([](RewritePatternSet &patterns) {
      patterns.add<FoldTransposedWeights>(patterns.getContext());
    });
    applyToOthers([&](RewritePatternSet &patterns) {
      populateMergeTapsPatterns(patterns, unit, *type);
    });
    if (explain)
      remarkOthers(unit);
    applyToOthers([&](RewritePatternSet &patterns) {
      populatePackCodedContractionPatterns(patterns, unit);
      populatePackPoolPatterns(patterns, unit);
      patterns.add<PackContraction>(patterns.getContext(), unit, *type);
    });
  }

private:
  /// Rewrites what isn't part of a kernel already.
  void applyToOthers(function_ref<void(RewritePatternSet &)> populate) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    FrozenRewritePatternSet frozen(std::move(patterns));
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(kKernelAttrName))
        walkAndApplyPatterns(function, frozen);
  }

  /// Says of each sum that isn't packed why it isn't.
  void remarkOthers(const VectorUnit &unit) {
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.getNumReductionLoops() == 0 || isInKernel(op))
        return;
      auto remark = [&](const Twine &why) { op->emitRemark() << why; };
      if (isPool(op))
        (void)matchPackablePool(op, unit, remark);
      else
        (void)matchPackable(op, unit, remark);
    });
  }
};

} // namespace
