//===- DecomposeSequences.cpp - onnx-decompose-sequences ------------------===//

#include "dialect/ir/Assert.h"
#include "dialect/ir/GraphBody.h"
#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Sequence.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/RaggedSequence.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_DECOMPOSESEQUENCES
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static bool isDecomposed(Type type) { return isa<SeqType, OptionalType>(type); }

/// The types of the tensors that a value of `type` becomes.
static LogicalResult getParts(Type type, SmallVectorImpl<Type> &parts) {
  if (auto optional = dyn_cast<OptionalType>(type)) {
    parts.push_back(
        RankedTensorType::get({}, IntegerType::get(type.getContext(), 1)));
    type = optional.getElementType();
    if (isa<TensorType>(type) && !isa<RankedTensorType>(type))
      return failure();
  }
  auto sequence = dyn_cast<SeqType>(type);
  if (!sequence) {
    parts.push_back(type);
    return success(isa<TensorType>(type));
  }
  auto element = dyn_cast<RankedTensorType>(sequence.getElementType());
  if (!element)
    return failure();
  llvm::append_range(parts, RaggedSequence::getTypes(element));
  return success();
}

namespace {

/// Sequences and optionals as the tensors that they become.
struct SequenceTypeConverter : TypeConverter {
  SequenceTypeConverter() {
    addConversion([](Type type) { return type; });
    addConversion([](SeqType type, SmallVectorImpl<Type> &parts) {
      return getParts(type, parts);
    });
    addConversion([](OptionalType type, SmallVectorImpl<Type> &parts) {
      return getParts(type, parts);
    });
  }
};

} // namespace

static RankedTensorType getElement(Type sequence) {
  return cast<RankedTensorType>(cast<SeqType>(sequence).getElementType());
}

//===----------------------------------------------------------------------===//
// Empty sequences
//===----------------------------------------------------------------------===//

/// The type of the sequence as what `use` treats its operand; null where
/// nothing follows from it.
static Type getUsedType(OpOperand &use) {
  Operation *user = use.getOwner();
  if (auto insert = dyn_cast<SequenceInsertOp>(user))
    return insert.getOutputSequence().getType();
  auto getLoopState = [](LoopOp op, unsigned index) -> Type {
    std::string why;
    std::optional<IteratedBody> body = getBody(op, why);
    return body ? body->getStateArguments()[index].getType() : Type();
  };
  if (auto loop = dyn_cast<LoopOp>(user))
    return getLoopState(loop, use.getOperandNumber() -
                                  loop.getVInitial().getBeginOperandIndex());
  if (isa<YieldOp>(user)) {
    unsigned index = use.getOperandNumber();
    if (auto loop = dyn_cast<LoopOp>(user->getParentOp()))
      return getLoopState(loop, index - 1);
    return user->getParentOp()->getResult(index).getType();
  }
  return {};
}

/// Gives each use of an empty sequence one of its own, of the rank that the use
/// is about.
static void separateEmptySequences(ModuleOp module) {
  SmallVector<SequenceEmptyOp> ops;
  module.walk([&](SequenceEmptyOp op) { ops.push_back(op); });
  for (SequenceEmptyOp op : ops) {
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      Type type = getUsedType(use);
      auto sequence = dyn_cast_if_present<SeqType>(type);
      if (!sequence || !isa<RankedTensorType>(sequence.getElementType()))
        // It has no elements; any rank is theirs.
        type = SeqType::get(RankedTensorType::get(
            {}, cast<TensorType>(
                    cast<SeqType>(op.getOutput().getType()).getElementType())
                    .getElementType()));
      OpBuilder builder(op);
      Operation *clone = builder.clone(*op);
      clone->getResult(0).setType(type);
      use.set(clone->getResult(0));
    }
    op.erase();
  }
}

//===----------------------------------------------------------------------===//
// Splitting and joining, tensor by tensor
//===----------------------------------------------------------------------===//

/// A Loop of `count` iterations (a vector of one element) that carries
/// `states`. `build` gets the iteration, a vector too, and the states, and
/// gives the next ones.
static ValueRange createLoop(
    OpBuilder &builder, Location loc, Value count, ValueRange states,
    function_ref<SmallVector<Value>(TensorGraph &, Value, ValueRange)> build) {
  auto scalar = RankedTensorType::get({}, builder.getI64Type());
  TensorGraph graph(builder, loc);
  Value number = graph.reshape(count, graph.constant({}), scalar);
  auto loop =
      LoopOp::create(builder, loc, states.getTypes(), number, Value(), states);
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(&loop.getBody());
  body->addArgument(scalar, loc);
  body->addArgument(RankedTensorType::get({}, builder.getI1Type()), loc);
  for (Value state : states)
    body->addArgument(state.getType(), loc);
  Value iteration = graph.reshape(body->getArgument(0), graph.constant({1}));
  SmallVector<Value> yielded{body->getArgument(1)};
  llvm::append_range(
      yielded, build(graph, iteration, body->getArguments().drop_front(2)));
  YieldOp::create(builder, loc, yielded);
  return loop.getResults();
}

/// `axis` of a tensor of `type`, counted from the front; nullopt where the rank
/// isn't known or it is out of range.
static std::optional<int64_t> getAxis(int64_t axis, Type type) {
  auto ranked = dyn_cast<RankedTensorType>(type);
  return ranked ? normalizeAxis(axis, ranked.getRank()) : std::nullopt;
}

/// All dimensions, `axis` first.
static SmallVector<int64_t> getOrderFrom(int64_t axis, int64_t rank) {
  SmallVector<int64_t> order{axis};
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dim != axis)
      order.push_back(dim);
  return order;
}

/// Whether a part's elements follow one another when the axis of the split
/// comes first: parts of size 1.
static bool hasSinglePositions(SplitToSequenceOp op) { return !op.getSplit(); }

/// Inserts the parts one by one.
static void expandSplit(SplitToSequenceOp op, int64_t axis) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  TensorGraph graph(builder, loc);
  Value whole = graph.shape(op.getInput(), axis, axis + 1);
  Value sizes = graph.toInt64(op.getSplit());
  bool isScalar =
      cast<RankedTensorType>(op.getSplit().getType()).getRank() == 0;
  if (isScalar)
    sizes = graph.reshape(sizes, graph.constant({1}));
  Value count = isScalar ? graph.ceilDiv(whole, sizes) : graph.shape(sizes);
  Type type = op.getOutputSequence().getType();
  Value empty =
      SequenceEmptyOp::create(builder, loc, TypeRange{type}, ValueRange{});
  Value begin = graph.constant({0});
  ValueRange results = createLoop(
      builder, loc, count, {empty, begin},
      [&](TensorGraph &graph, Value iteration, ValueRange states) {
        Value size =
            isScalar ? sizes
                     : graph.slice(sizes, iteration,
                                   graph.add(iteration, graph.constant({1})));
        Value end = graph.add(states[1], size);
        Value part = graph.slice(op.getInput(), states[1], end, axis);
        Value next = SequenceInsertOp::create(builder, loc, type, states[0],
                                              part, Value());
        return SmallVector<Value>{next, end};
      });
  if (!isScalar)
    graph.requireInRange(graph.sub(results[1], whole), graph.constant({1}),
                         "the sizes of the parts don't make the dimension's");
  op.replaceAllUsesWith(results[0]);
  op.erase();
}

/// Moves the axis of each tensor to the front, where their values follow one
/// another, and back again once they are one.
static void expandConcat(ConcatFromSequenceOp op, RankedTensorType element,
                         int64_t axis) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  TensorGraph graph(builder, loc);
  Value sequence = op.getInputSequence();
  SmallVector<int64_t> order = getOrderFrom(axis, element.getRank());
  Type type =
      SeqType::get(element.clone(applyPermutation(element.getShape(), order)));
  Value length = SequenceLengthOp::create(
      builder, loc, RankedTensorType::get({}, builder.getI64Type()), sequence);
  Value empty =
      SequenceEmptyOp::create(builder, loc, TypeRange{type}, ValueRange{});
  ValueRange results = createLoop(
      builder, loc, graph.reshape(length, graph.constant({1})), {empty},
      [&](TensorGraph &graph, Value iteration, ValueRange states) {
        Value tensor =
            SequenceAtOp::create(builder, loc, element, sequence, iteration);
        Value next =
            SequenceInsertOp::create(builder, loc, type, states[0],
                                     graph.transpose(tensor, order), Value());
        return SmallVector<Value>{next};
      });
  auto unranked = UnrankedTensorType::get(element.getElementType());
  Value whole = ConcatFromSequenceOp::create(builder, loc, unranked, results[0],
                                             builder.getI64IntegerAttr(0),
                                             builder.getI64IntegerAttr(0));
  Value result = graph.transpose(whole, invertPermutationVector(order));
  result.setType(op.getConcatResult().getType());
  op.replaceAllUsesWith(result);
  op.erase();
}

static void expandIntoLoops(ModuleOp module) {
  module.walk([](SplitToSequenceOp op) {
    std::optional<int64_t> axis =
        getAxis(op.getAxis(), op.getInput().getType());
    if (!hasSinglePositions(op) && axis &&
        isa<RankedTensorType>(op.getSplit().getType()))
      expandSplit(op, *axis);
  });
  module.walk([](ConcatFromSequenceOp op) {
    auto sequence = cast<SeqType>(op.getInputSequence().getType());
    std::optional<int64_t> axis =
        getAxis(op.getAxis(), sequence.getElementType());
    if (op.getNewAxis() == 0 && axis.value_or(0) != 0)
      expandConcat(op, cast<RankedTensorType>(sequence.getElementType()),
                   *axis);
  });
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

template <typename OpT> struct Decompose : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;
  using Adaptor = typename OpConversionPattern<OpT>::OneToNOpAdaptor;

  LogicalResult
  matchAndRewrite(OpT op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorGraph graph(rewriter, op.getLoc());
    SmallVector<Value> parts;
    SmallVector<Type> types;
    if (failed(this->getTypeConverter()->convertType(op->getResult(0).getType(),
                                                     types)) ||
        failed(decompose(op, adaptor, graph, rewriter, parts)))
      return failure();
    for (auto [part, type] : llvm::zip_equal(parts, types))
      if (part.getType() != type)
        part = IdentityOp::create(rewriter, op.getLoc(), type, part);
    rewriter.replaceOpWithMultiple(op, {parts});
    return success();
  }

  /// Sets `parts`, what the result becomes.
  LogicalResult decompose(OpT op, Adaptor adaptor, TensorGraph &graph,
                          ConversionPatternRewriter &rewriter,
                          SmallVector<Value> &parts) const;
};

} // namespace

/// An operand that is one tensor; null for an absent one.
static Value getTensor(ValueRange parts) {
  return parts.empty() ? Value() : parts.front();
}

template <>
LogicalResult Decompose<SequenceEmptyOp>::decompose(
    SequenceEmptyOp op, Adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  parts =
      RaggedSequence::construct(graph, {}, getElement(op.getType())).parts();
  return success();
}

template <>
LogicalResult Decompose<SequenceConstructOp>::decompose(
    SequenceConstructOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  SmallVector<Value> tensors;
  for (ValueRange input : adaptor.getInputs())
    tensors.push_back(getTensor(input));
  parts = RaggedSequence::construct(graph, tensors, getElement(op.getType()))
              .parts();
  return success();
}

template <>
LogicalResult Decompose<SequenceAtOp>::decompose(
    SequenceAtOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  RaggedSequence sequence = RaggedSequence::get(adaptor.getInputSequence());
  Value position =
      sequence.position(graph, getTensor(adaptor.getPosition()), /*past=*/0);
  parts = {sequence.at(graph, position, op.getTensor().getType())};
  return success();
}

template <>
LogicalResult Decompose<SequenceInsertOp>::decompose(
    SequenceInsertOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  RaggedSequence sequence = RaggedSequence::get(adaptor.getInputSequence());
  Value position = getTensor(adaptor.getPosition());
  if (position)
    position = sequence.position(graph, position, /*past=*/1);
  parts =
      sequence.insert(graph, getTensor(adaptor.getTensor()), position).parts();
  return success();
}

template <>
LogicalResult Decompose<SequenceEraseOp>::decompose(
    SequenceEraseOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  RaggedSequence sequence = RaggedSequence::get(adaptor.getInputSequence());
  Value position =
      sequence.position(graph, getTensor(adaptor.getPosition()), /*past=*/0);
  parts = sequence.erase(graph, position).parts();
  return success();
}

template <>
LogicalResult Decompose<SequenceLengthOp>::decompose(
    SequenceLengthOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  RaggedSequence sequence = RaggedSequence::get(adaptor.getInputSequence());
  parts = {
      graph.reshape(sequence.length(graph), graph.constant({}), op.getType())};
  return success();
}

template <>
LogicalResult Decompose<SplitToSequenceOp>::decompose(
    SplitToSequenceOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &rewriter, SmallVector<Value> &parts) const {
  Value input = getTensor(adaptor.getInput());
  std::optional<int64_t> axis = getAxis(op.getAxis(), input.getType());
  if (!hasSinglePositions(op) || !axis)
    return rewriter.notifyMatchFailure(
        op, "the rank of its input is unknown, or its axis is out of range");
  int64_t inputRank = cast<RankedTensorType>(input.getType()).getRank();
  SmallVector<Value> row;
  for (int64_t dim = 0; dim < inputRank; ++dim) {
    if (dim != *axis)
      row.push_back(graph.shape(input, dim, dim + 1));
    else if (op.getKeepdims() != 0)
      row.push_back(graph.constant({1}));
  }
  SmallVector<Type> types =
      RaggedSequence::getTypes(getElement(op.getOutputSequence().getType()));
  Value values =
      graph.flatten(graph.transpose(input, getOrderFrom(*axis, inputRank)));
  Value sizes = row.empty() ? graph.constant({}) : graph.concat(row, 0);
  Value count = graph.shape(input, *axis, *axis + 1);
  Value rank = graph.constant({int64_t(row.size())});
  Value shapes = ExpandOp::create(rewriter, op.getLoc(), types[1], sizes,
                                  graph.concat({count, rank}, 0));
  parts = {graph.reshape(values, graph.constant({-1}), types[0]), shapes};
  return success();
}

template <>
LogicalResult Decompose<ConcatFromSequenceOp>::decompose(
    ConcatFromSequenceOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &rewriter, SmallVector<Value> &parts) const {
  RaggedSequence sequence = RaggedSequence::get(adaptor.getInputSequence());
  int64_t rank = getElement(op.getInputSequence().getType()).getRank();
  bool isStacked = op.getNewAxis() != 0;
  std::optional<int64_t> axis = normalizeAxis(op.getAxis(), rank + isStacked);
  if (!axis)
    return rewriter.notifyMatchFailure(op, "its axis is out of range");
  Value zero = graph.constant({0});
  Value one = graph.constant({1});
  Value count = sequence.length(graph);
  graph.requireInRange(zero, count, "the sequence to concatenate is empty");
  Value row = graph.reshape(graph.slice(sequence.shapes, zero, one),
                            graph.constant({rank}));
  if (!isStacked) {
    Value rest = graph.slice(row, one, graph.constant({rank}));
    parts = {graph.reshape(sequence.values,
                           graph.concat({graph.constant({-1}), rest}, 0),
                           op.getType())};
    return success();
  }
  SmallVector<int64_t> order =
      invertPermutationVector(getOrderFrom(*axis, rank + 1));
  Value stacked = graph.reshape(sequence.values, graph.concat({count, row}, 0));
  parts = {graph.transpose(stacked, order)};
  return success();
}

template <>
LogicalResult Decompose<OptionalOp>::decompose(
    OptionalOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  parts = {graph.boolean(op.getInput() != nullptr)};
  if (op.getInput()) {
    llvm::append_range(parts, adaptor.getInput());
    return success();
  }
  // What stands in for an absent value is never looked at.
  SmallVector<Type> types;
  if (failed(getParts(op.getOutput().getType(), types)))
    return failure();
  for (Type type : llvm::drop_begin(types))
    parts.push_back(graph.zeros(cast<RankedTensorType>(type), 0));
  return success();
}

template <>
LogicalResult Decompose<OptionalGetElementOp>::decompose(
    OptionalGetElementOp op, Adaptor adaptor, TensorGraph &,
    ConversionPatternRewriter &rewriter, SmallVector<Value> &parts) const {
  parts.assign(adaptor.getInput().begin(), adaptor.getInput().end());
  if (!isa<OptionalType>(op.getInput().getType()))
    return success();
  Value hasElement =
      tensor::ExtractOp::create(rewriter, op.getLoc(), parts.front());
  omb::createAssert(rewriter, op.getLoc(), hasElement,
                    "the optional value is absent");
  parts.erase(parts.begin());
  return success();
}

template <>
LogicalResult Decompose<OptionalHasElementOp>::decompose(
    OptionalHasElementOp op, Adaptor adaptor, TensorGraph &graph,
    ConversionPatternRewriter &, SmallVector<Value> &parts) const {
  bool isOptional = op.getInput() && isa<OptionalType>(op.getInput().getType());
  parts = {isOptional ? adaptor.getInput().front()
                      : graph.boolean(op.getInput() != nullptr)};
  return success();
}

template <>
LogicalResult
Decompose<IdentityOp>::decompose(IdentityOp op, Adaptor adaptor, TensorGraph &,
                                 ConversionPatternRewriter &,
                                 SmallVector<Value> &parts) const {
  parts.assign(adaptor.getInput().begin(), adaptor.getInput().end());
  return success();
}

static SmallVector<Value> flatten(ArrayRef<ValueRange> groups) {
  SmallVector<Value> values;
  for (ValueRange group : groups)
    llvm::append_range(values, group);
  return values;
}

namespace {

/// Of If and Loop: operands, results and what the regions take and yield.
template <typename OpT> struct DecomposeControlFlow : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;
  using Adaptor = typename OpConversionPattern<OpT>::OneToNOpAdaptor;

  LogicalResult
  matchAndRewrite(OpT op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const TypeConverter &converter = *this->getTypeConverter();
    SmallVector<Type> types;
    SmallVector<unsigned> numParts;
    for (Type type : op->getResultTypes()) {
      unsigned before = types.size();
      if (failed(converter.convertType(type, types)))
        return rewriter.notifyMatchFailure(op, "a result's rank isn't known");
      numParts.push_back(types.size() - before);
    }
    OpT replacement = create(op, adaptor, types, rewriter);
    for (auto [from, to] :
         llvm::zip(op->getRegions(), replacement->getRegions())) {
      rewriter.inlineRegionBefore(from, to, to.end());
      if (failed(rewriter.convertRegionTypes(&to, converter)))
        return failure();
    }
    SmallVector<ValueRange> groups;
    ValueRange results = replacement->getResults();
    for (unsigned count : numParts) {
      groups.push_back(results.take_front(count));
      results = results.drop_front(count);
    }
    rewriter.replaceOpWithMultiple(op, groups);
    return success();
  }

  static OpT create(OpT op, Adaptor adaptor, TypeRange types,
                    ConversionPatternRewriter &rewriter);
};

struct DecomposeYield : OpConversionPattern<YieldOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(YieldOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<YieldOp>(op, flatten(adaptor.getOperands()));
    return success();
  }
};

} // namespace

template <>
IfOp DecomposeControlFlow<IfOp>::create(IfOp op, Adaptor adaptor,
                                        TypeRange types,
                                        ConversionPatternRewriter &rewriter) {
  return IfOp::create(rewriter, op.getLoc(), types,
                      getTensor(adaptor.getCond()));
}

template <>
LoopOp
DecomposeControlFlow<LoopOp>::create(LoopOp op, Adaptor adaptor,
                                     TypeRange types,
                                     ConversionPatternRewriter &rewriter) {
  return LoopOp::create(rewriter, op.getLoc(), types, getTensor(adaptor.getM()),
                        getTensor(adaptor.getCond()),
                        flatten(adaptor.getVInitial()));
}

void omb::onnx::populateDecomposeSequencesPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<Decompose<ConcatFromSequenceOp>, Decompose<IdentityOp>,
               Decompose<OptionalGetElementOp>, Decompose<OptionalHasElementOp>,
               Decompose<OptionalOp>, Decompose<SequenceAtOp>,
               Decompose<SequenceConstructOp>, Decompose<SequenceEmptyOp>,
               Decompose<SequenceEraseOp>, Decompose<SequenceInsertOp>,
               Decompose<SequenceLengthOp>, Decompose<SplitToSequenceOp>,
               DecomposeControlFlow<IfOp>, DecomposeControlFlow<LoopOp>,
               DecomposeYield>(converter, patterns.getContext());
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Whether `op`, or a block in it, takes or gives a sequence or an optional.
static bool handlesSequences(Operation *op) {
  auto isAny = [](TypeRange types) {
    return llvm::any_of(types, isDecomposed);
  };
  if (isAny(op->getOperandTypes()) || isAny(op->getResultTypes()))
    return true;
  for (Region &region : op->getRegions())
    for (Block &block : region)
      if (isAny(block.getArgumentTypes()))
        return true;
  return isa<OptionalHasElementOp, OptionalGetElementOp>(op);
}

/// Whether all sequences have a form as tensors. Reports those that don't.
static bool areRanksKnown(ModuleOp module, const TypeConverter &converter) {
  bool isKnown = true;
  auto check = [&](Location loc, TypeRange types) {
    for (Type type : types) {
      SmallVector<Type> parts;
      if (!isDecomposed(type) || succeeded(converter.convertType(type, parts)))
        continue;
      emitError(loc) << "a sequence or optional holds something else than "
                        "tensors of one rank that is known before the run";
      isKnown = false;
      return;
    }
  };
  module.walk([&](Operation *op) {
    check(op->getLoc(), op->getResultTypes());
    for (Region &region : op->getRegions())
      for (Block &block : region)
        check(op->getLoc(), block.getArgumentTypes());
  });
  return isKnown;
}

/// Gives the parts of arguments and results the attributes of the whole ones.
static void repeatAttributes(func::FuncOp function,
                             const TypeConverter &converter) {
  auto repeat = [&](ArrayAttr attributes, TypeRange types) -> ArrayAttr {
    if (!attributes)
      return {};
    SmallVector<Attribute> repeated;
    for (auto [attribute, type] : llvm::zip(attributes, types)) {
      SmallVector<Type> parts;
      (void)converter.convertType(type, parts);
      repeated.append(parts.size(), attribute);
    }
    return ArrayAttr::get(function.getContext(), repeated);
  };
  ArrayAttr arguments =
      repeat(function.getArgAttrsAttr(), function.getArgumentTypes());
  ArrayAttr results =
      repeat(function.getResAttrsAttr(), function.getResultTypes());
  if (arguments)
    function.setArgAttrsAttr(arguments);
  if (results)
    function.setResAttrsAttr(results);
}

namespace {

struct DecomposeSequences
    : omb::onnx::impl::DecomposeSequencesBase<DecomposeSequences> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!module
             .walk([](Operation *op) {
               return handlesSequences(op) ? WalkResult::interrupt()
                                           : WalkResult::advance();
             })
             .wasInterrupted())
      return;
    expandIntoLoops(module);
    separateEmptySequences(module);
    SequenceTypeConverter converter;
    if (!areRanksKnown(module, converter) || failed(convert(converter)))
      return signalPassFailure();
    OpPassManager simplify(ModuleOp::getOperationName());
    simplify.addPass(createInferShapes());
    simplify.addPass(createCanonicalizerPass());
    simplify.addPass(createCSEPass());
    if (failed(runPipeline(simplify, module)))
      signalPassFailure();
  }

  LogicalResult convert(const TypeConverter &converter) {
    for (auto function : getOperation().getOps<func::FuncOp>())
      repeatAttributes(function, converter);
    RewritePatternSet patterns(&getContext());
    populateDecomposeSequencesPatterns(converter, patterns);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal(
        [](Operation *op) { return !handlesSequences(op); });
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return converter.isSignatureLegal(op.getFunctionType());
    });
    return applyPartialConversion(getOperation(), target, std::move(patterns));
  }
};

} // namespace
