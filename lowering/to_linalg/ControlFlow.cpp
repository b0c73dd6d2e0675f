//===- ControlFlow.cpp - Lowering of control flow -------------------------===//

#include "dialect/ir/ops/ControlFlow.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/GraphRegions.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

static SmallVector<Value> castTensors(OpBuilder &builder, Location loc,
                                      ValueRange values, TypeRange types) {
  SmallVector<Value> result;
  for (auto [value, type] : llvm::zip_equal(values, types))
    result.push_back(omb::castTensor(builder, loc, value, type));
  return result;
}

static LogicalResult convertTypes(const TypeConverter &converter,
                                  TypeRange types,
                                  SmallVectorImpl<Type> &result) {
  for (Type type : types) {
    result.push_back(converter.convertType(type));
    if (!isa_and_nonnull<RankedTensorType>(result.back()))
      return failure();
  }
  return success();
}

namespace {

struct IfToSCF : OpConversionPattern<IfOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(IfOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    std::string why;
    std::optional<IfBranches> branches = getBranches(op, why);
    if (!branches)
      return rewriter.notifyMatchFailure(op, why);
    if (!isa<RankedTensorType>(adaptor.getCond().getType()))
      return rewriter.notifyMatchFailure(op, "the condition's rank is unknown");
    SmallVector<Type> types;
    if (failed(convertTypes(*getTypeConverter(), op.getResultTypes(), types)))
      return rewriter.notifyMatchFailure(
          op, "a result is no tensor, or its rank isn't known before the run");
    for (GraphBody graph : {branches->thenBranch, branches->elseBranch})
      for (auto [value, type] : llvm::zip_equal(graph.getOutputs(), types))
        if (!omb::areCastable(getTypeConverter()->convertType(value.getType()),
                              type))
          return rewriter.notifyMatchFailure(
              op, "a branch gives a value that doesn't fit the result's type");

    auto build = [&](GraphBody graph) {
      return [&, graph](OpBuilder &, Location loc) {
        SmallVector<Value> outputs =
            omb::inlineGraph(rewriter, *getTypeConverter(), loc, graph, {});
        scf::YieldOp::create(rewriter, loc,
                             castTensors(rewriter, loc, outputs, types));
      };
    };
    Location loc = op.getLoc();
    Value condition = omb::extractScalar(rewriter, loc, adaptor.getCond());
    auto ifOp =
        scf::IfOp::create(rewriter, loc, condition, build(branches->thenBranch),
                          build(branches->elseBranch));
    rewriter.replaceOp(op, ifOp.getResults());
    return success();
  }
};

/// What Loop and Scan have in common: states and scan outputs.
class LoopState {
public:
  LoopState(Operation *op, const IteratedBody &body,
            const TypeConverter &converter)
      : op(op), body(body), converter(converter) {}

  /// Checks the types of states and scan outputs. `axes` and `isReversed` have
  /// an entry for each scan output.
  LogicalResult match(ConversionPatternRewriter &rewriter,
                      ValueRange initialStates, ArrayRef<int64_t> axes,
                      ArrayRef<bool> isReversed);
  /// The values before the first iteration.
  SmallVector<Value> initialize(ConversionPatternRewriter &rewriter,
                                ValueRange initialStates, Value tripCount);
  /// Puts the body at the end of a block and returns the values after the
  /// iteration. `others` are the arguments that aren't states; the condition
  /// that a Loop's body yields goes to `condition`.
  SmallVector<Value> iterate(ConversionPatternRewriter &rewriter,
                             ValueRange values, ValueRange leading,
                             ValueRange scanned, Value iteration,
                             Value *condition = nullptr);
  /// Replaces the op by the values after the last iteration.
  void finish(ConversionPatternRewriter &rewriter, ValueRange values);

private:
  Operation *op;
  const IteratedBody &body;
  const TypeConverter &converter;
  SmallVector<Type> stateTypes;
  SmallVector<omb::ScanOutput> outputs;
};

} // namespace

LogicalResult LoopState::match(ConversionPatternRewriter &rewriter,
                               ValueRange initialStates, ArrayRef<int64_t> axes,
                               ArrayRef<bool> isReversed) {
  SmallVector<Type> resultTypes;
  if (failed(convertTypes(converter, body.getStateArguments().getTypes(),
                          stateTypes)) ||
      failed(convertTypes(converter, op->getResultTypes(), resultTypes)))
    return rewriter.notifyMatchFailure(
        op, "it carries something that is no tensor, or whose rank changes or "
            "isn't known before the run");
  for (auto [initial, yielded, type, result] : llvm::zip(
           initialStates, body.getYieldedStates(), stateTypes, resultTypes))
    if (!omb::areCastable(initial.getType(), type) ||
        !omb::areCastable(converter.convertType(yielded.getType()), type) ||
        !omb::areCastable(type, result))
      return rewriter.notifyMatchFailure(
          op, "a carried value has shapes that its type doesn't fit");
  for (auto [index, value] : llvm::enumerate(body.getYieldedElements())) {
    auto element = dyn_cast<RankedTensorType>(value.getType());
    auto result = cast<RankedTensorType>(resultTypes[body.numStates + index]);
    if (!element || result.getRank() != element.getRank() + 1)
      return rewriter.notifyMatchFailure(
          op, "the rank of a scan output's element isn't known");
    int64_t axis =
        axes[index] < 0 ? axes[index] + result.getRank() : axes[index];
    if (axis < 0 || axis >= result.getRank())
      return rewriter.notifyMatchFailure(op, "an axis is out of range");
    outputs.emplace_back(element, result, axis, isReversed[index]);
  }
  return success();
}

SmallVector<Value> LoopState::initialize(ConversionPatternRewriter &rewriter,
                                         ValueRange initialStates,
                                         Value tripCount) {
  SmallVector<Value> values =
      castTensors(rewriter, op->getLoc(), initialStates, stateTypes);
  for (omb::ScanOutput &output : outputs)
    values.push_back(output.initialize(rewriter, op, tripCount));
  return values;
}

SmallVector<Value> LoopState::iterate(ConversionPatternRewriter &rewriter,
                                      ValueRange values, ValueRange leading,
                                      ValueRange scanned, Value iteration,
                                      Value *condition) {
  Location loc = op->getLoc();
  SmallVector<Value> arguments(leading);
  llvm::append_range(arguments, values.take_front(body.numStates));
  llvm::append_range(arguments, scanned);
  SmallVector<Value> yielded =
      omb::inlineGraph(rewriter, converter, loc, body.graph, arguments);
  ValueRange rest(yielded);
  if (condition) {
    *condition = rest.front();
    rest = rest.drop_front();
  }
  SmallVector<Value> next =
      castTensors(rewriter, loc, rest.take_front(body.numStates), stateTypes);
  for (auto [output, stacked, element] :
       llvm::zip_equal(outputs, values.take_back(body.numScanOutputs),
                       rest.take_back(body.numScanOutputs)))
    next.push_back(output.append(rewriter, loc, stacked, element, iteration));
  return next;
}

void LoopState::finish(ConversionPatternRewriter &rewriter, ValueRange values) {
  SmallVector<Type> types;
  (void)convertTypes(converter, op->getResultTypes(), types);
  rewriter.replaceOp(op, castTensors(rewriter, op->getLoc(), values, types));
}

/// `scalar` as a tensor of one element.
static Value toTensor(OpBuilder &builder, Location loc, Value scalar,
                      Type type) {
  return tensor::FromElementsOp::create(builder, loc, type, scalar);
}

namespace {

struct LoopToSCF : OpConversionPattern<LoopOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LoopOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    std::string why;
    std::optional<IteratedBody> body = getBody(op, why);
    if (!body)
      return rewriter.notifyMatchFailure(op, why);
    SmallVector<Type> leading;
    if (failed(convertTypes(
            *getTypeConverter(),
            TypeRange(body->graph.block->getArgumentTypes()).take_front(2),
            leading)) ||
        !llvm::all_of(leading, isOneElement))
      return rewriter.notifyMatchFailure(
          op, "the iteration number or the condition is no scalar");
    for (Value value : {adaptor.getM(), adaptor.getCond()})
      if (value && !isa<RankedTensorType>(value.getType()))
        return rewriter.notifyMatchFailure(
            op, "the rank of the trip count or condition isn't known");
    if (!isa<RankedTensorType>(body->graph.getOutputs()[0].getType()))
      return rewriter.notifyMatchFailure(
          op, "the rank of the condition that the body gives isn't known");
    if (!op.getM() && keepsCondition(*body) && isTrue(op.getCond()))
      return rewriter.notifyMatchFailure(op, "it never ends");
    LoopState state(op, *body, *getTypeConverter());
    SmallVector<int64_t> axes(body->numScanOutputs, 0);
    SmallVector<bool> isReversed(body->numScanOutputs, false);
    if (failed(state.match(rewriter, adaptor.getVInitial(), axes, isReversed)))
      return failure();
    if (op.getM() && keepsCondition(*body) && isTrue(op.getCond()))
      buildFor(op, adaptor, state, leading, rewriter);
    else
      buildWhile(op, adaptor, state, leading, rewriter);
    return success();
  }

private:
  static bool isOneElement(Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return tensor.hasStaticShape() && tensor.getNumElements() == 1;
  }

  static bool isTrue(Value condition) {
    if (!condition)
      return true;
    std::optional<SmallVector<int64_t>> known =
        omb::getConstantIntegers(condition);
    return known && known->size() == 1 && known->front() != 0;
  }

  static Value toIteration(OpBuilder &builder, Location loc, Value index,
                           Type type) {
    Value number = arith::IndexCastOp::create(
        builder, loc, cast<RankedTensorType>(type).getElementType(), index);
    return toTensor(builder, loc, number, type);
  }

  static void buildFor(LoopOp op, OpAdaptor adaptor, LoopState &state,
                       ArrayRef<Type> leading,
                       ConversionPatternRewriter &rewriter) {
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value zero = index.constant(0);
    Value count = index.max(index.element(adaptor.getM(), 0), zero);
    SmallVector<Value> initial =
        state.initialize(rewriter, adaptor.getVInitial(), count);
    auto loop = scf::ForOp::create(
        rewriter, loc, zero, count, index.constant(1), initial,
        [&](OpBuilder &, Location, Value iteration, ValueRange values) {
          Value isTrue =
              arith::ConstantIntOp::create(rewriter, loc, 1, /*width=*/1);
          Value condition;
          SmallVector<Value> next =
              state.iterate(rewriter, values,
                            {toIteration(rewriter, loc, iteration, leading[0]),
                             toTensor(rewriter, loc, isTrue, leading[1])},
                            {}, iteration, &condition);
          scf::YieldOp::create(rewriter, loc, next);
        });
    state.finish(rewriter, loop.getResults());
  }

  static void buildWhile(LoopOp op, OpAdaptor adaptor, LoopState &state,
                         ArrayRef<Type> leading,
                         ConversionPatternRewriter &rewriter) {
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value limit;
    if (adaptor.getM())
      limit = index.element(adaptor.getM(), 0);
    Value first =
        adaptor.getCond()
            ? omb::extractScalar(rewriter, loc, adaptor.getCond())
            : arith::ConstantIntOp::create(rewriter, loc, 1, /*width=*/1)
                  .getResult();
    // The iteration, the condition, the states and scan outputs.
    SmallVector<Value> initial{index.constant(0), first};
    llvm::append_range(initial,
                       state.initialize(rewriter, adaptor.getVInitial(),
                                        /*tripCount=*/nullptr));
    auto loop = scf::WhileOp::create(
        rewriter, loc, ValueRange(initial).getTypes(), initial,
        [&](OpBuilder &, Location, ValueRange values) {
          Value goesOn = values[1];
          if (limit)
            goesOn = arith::AndIOp::create(
                rewriter, loc, index.isLess(values[0], limit), goesOn);
          scf::ConditionOp::create(rewriter, loc, goesOn, values);
        },
        [&](OpBuilder &, Location, ValueRange values) {
          Value condition;
          SmallVector<Value> states =
              state.iterate(rewriter, values.drop_front(2),
                            {toIteration(rewriter, loc, values[0], leading[0]),
                             toTensor(rewriter, loc, values[1], leading[1])},
                            {}, values[0], &condition);
          SmallVector<Value> next{index.add(values[0], index.constant(1)),
                                  omb::extractScalar(rewriter, loc, condition)};
          llvm::append_range(next, states);
          scf::YieldOp::create(rewriter, loc, next);
        });
    state.finish(rewriter, loop.getResults().drop_front(2));
  }
};

struct ScanToSCF : OpConversionPattern<ScanOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ScanOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    std::string why;
    std::optional<IteratedBody> body = getBody(op, why);
    if (!body)
      return rewriter.notifyMatchFailure(op, why);
    ValueRange operands = adaptor.getInitialStateAndScanInputs();
    ValueRange states = operands.take_front(body->numStates);
    ValueRange inputs = operands.take_back(body->numScanInputs);
    SmallVector<int64_t> axes, outputAxes;
    SmallVector<bool> isReversed, isOutputReversed;
    if (!readLists(op.getScanInputAxes(), op.getScanInputDirections(),
                   body->numScanInputs, axes, isReversed) ||
        !readLists(op.getScanOutputAxes(), op.getScanOutputDirections(),
                   body->numScanOutputs, outputAxes, isOutputReversed))
      return rewriter.notifyMatchFailure(
          op, "a list of axes or directions has the wrong length");
    SmallVector<Type> elementTypes;
    if (failed(convertTypes(*getTypeConverter(),
                            body->getScannedArguments().getTypes(),
                            elementTypes)))
      return rewriter.notifyMatchFailure(
          op, "the rank of a scan input's element isn't known");
    for (auto [input, element, axis] : llvm::zip(inputs, elementTypes, axes)) {
      auto type = dyn_cast<RankedTensorType>(input.getType());
      int64_t rank = cast<RankedTensorType>(element).getRank() + 1;
      if (!type || type.getRank() != rank || axis < -rank || axis >= rank)
        return rewriter.notifyMatchFailure(
            op, "a scan input doesn't have the rank of its element plus one, "
                "or an axis is out of range");
      axis = axis < 0 ? axis + rank : axis;
    }
    LoopState state(op, *body, *getTypeConverter());
    if (failed(state.match(rewriter, states, outputAxes, isOutputReversed)))
      return failure();

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value length = index.size(inputs[0], axes[0]);
    for (auto [input, axis] : llvm::zip(inputs, axes))
      index.require(index.isEqual(length, index.size(input, axis)),
                    "Scan has scan inputs of different lengths");
    SmallVector<Value> initial = state.initialize(rewriter, states, length);
    auto loop = scf::ForOp::create(
        rewriter, loc, index.constant(0), length, index.constant(1), initial,
        [&](OpBuilder &, Location, Value iteration, ValueRange values) {
          SmallVector<Value> elements;
          Value last = index.sub(length, index.constant(1));
          for (auto [input, type, axis, reversed] :
               llvm::zip(inputs, elementTypes, axes, isReversed))
            elements.push_back(takeElement(
                rewriter, loc, input, axis,
                reversed ? index.sub(last, iteration) : iteration, type));
          scf::YieldOp::create(
              rewriter, loc,
              state.iterate(rewriter, values, {}, elements, iteration));
        });
    state.finish(rewriter, loop.getResults());
    return success();
  }

private:
  static bool readLists(std::optional<ArrayRef<int64_t>> givenAxes,
                        std::optional<ArrayRef<int64_t>> directions,
                        unsigned size, SmallVectorImpl<int64_t> &axes,
                        SmallVectorImpl<bool> &isReversed) {
    if ((givenAxes && givenAxes->size() != size) ||
        (directions && directions->size() != size))
      return false;
    for (unsigned i = 0; i < size; ++i) {
      axes.push_back(givenAxes ? (*givenAxes)[i] : 0);
      isReversed.push_back(directions && (*directions)[i] != 0);
    }
    return true;
  }

  /// Element `position` of `input` along `axis`.
  static Value takeElement(OpBuilder &builder, Location loc, Value input,
                           int64_t axis, Value position, Type type) {
    omb::IndexArithmetic index(builder, loc);
    SmallVector<OpFoldResult> sizes = getAsOpFoldResult(index.sizes(input));
    SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
    offsets[axis] = position;
    sizes[axis] = builder.getIndexAttr(1);
    auto inputType = cast<RankedTensorType>(input.getType());
    SmallVector<int64_t> shape(inputType.getShape());
    shape.erase(shape.begin() + axis);
    Value element = tensor::ExtractSliceOp::create(
        builder, loc, RankedTensorType::get(shape, inputType.getElementType()),
        input, offsets, sizes, strides);
    return omb::castTensor(builder, loc, element, type);
  }
};

} // namespace

void omb::populateControlFlowToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  patterns.add<IfToSCF, LoopToSCF, ScanToSCF>(converter, patterns.getContext());
}
