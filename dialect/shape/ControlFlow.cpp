//===- ControlFlow.cpp - Shapes of control flow ---------------------------===//

#include "dialect/ir/ops/ControlFlow.h"
#include "dialect/ir/GraphBody.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Contents.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace omb::onnx;

/// Infers a region that not every run enters. Whether shapes can be is no
/// question of such a region.
static LogicalResult inferConditionally(Region &region,
                                        ShapeAnalysis &analysis) {
  LogicalResult result = inferRegion(region, analysis);
  return success(succeeded(result) || analysis.isTrial());
}

/// `shape` with unknown sizes in the place of those that the regions since
/// `numSymbols` brought up.
static Shape leaveRegion(Shape shape, unsigned numSymbols,
                         ShapeAnalysis &analysis) {
  for (DimExpr &dim : shape)
    if (!analysis.isOlder(dim, numSymbols))
      dim = analysis.getUnknown();
  return shape;
}

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

static std::optional<bool> getCondition(IfOp op, ShapeAnalysis &analysis) {
  if (std::optional<bool> assumed = analysis.getAssumption(op))
    return assumed;
  std::optional<SmallVector<int64_t>> known =
      analysis.getIntegers(op.getCond());
  if (!known || known->size() != 1)
    return std::nullopt;
  return known->front() != 0;
}

static LogicalResult inferTaken(IfOp op, GraphBody taken,
                                ShapeAnalysis &analysis) {
  if (failed(inferRegion(*taken.block->getParent(), analysis)))
    return failure();
  for (auto [result, value] : llvm::zip(op.getResults(), taken.getOutputs())) {
    std::optional<Shape> shape = analysis.getShape(value);
    if (shape && failed(analysis.setShape(result, *shape)))
      return failure();
    if (std::optional<Shape> contents = analysis.getContents(value))
      analysis.setContents(result, *contents);
    if (analysis.isEmptySequence(value))
      analysis.setEmptySequence(result);
  }
  return success();
}

static LogicalResult inferIf(IfOp op, ShapeAnalysis &analysis) {
  std::string why;
  std::optional<IfBranches> branches = getBranches(op, why);
  if (!branches)
    return op.emitOpError("is malformed: ") << why;
  std::optional<Shape> shape = analysis.getShape(op.getCond());
  if (shape && llvm::any_of(*shape, [](DimExpr dim) {
        return getConstantSize(dim).value_or(1) != 1;
      }))
    return op.emitOpError("has a condition of more or less than one element");
  if (std::optional<bool> condition = getCondition(op, analysis)) {
    analysis.assume(op, *condition);
    return inferTaken(
        op, *condition ? branches->thenBranch : branches->elseBranch, analysis);
  }
  unsigned numSymbols = analysis.getNumSymbols();
  if (failed(inferConditionally(op.getThenBranch(), analysis)) ||
      failed(inferConditionally(op.getElseBranch(), analysis)))
    return failure();
  for (auto [result, yes, no] :
       llvm::zip(op.getResults(), branches->thenBranch.getOutputs(),
                 branches->elseBranch.getOutputs())) {
    bool isEmpty = analysis.isEmptySequence(yes);
    if (isEmpty && analysis.isEmptySequence(no)) {
      analysis.setEmptySequence(result);
      continue;
    }
    // An empty sequence has elements of any shape.
    std::optional<Shape> both = analysis.join(
        analysis.getShape(isEmpty ? no : yes),
        analysis.getShape(analysis.isEmptySequence(no) ? yes : no));
    if (both && failed(analysis.setShape(
                    result, leaveRegion(*both, numSymbols, analysis))))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Loop and Scan
//===----------------------------------------------------------------------===//

/// The shape of the state before the first iteration, and what the body
/// declares where that isn't known. Declarations of exporters are not reliable:
/// a contradiction makes a size unknown.
static std::optional<Shape> getInitialShape(Value initial, Value argument,
                                            ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(initial);
  auto declared = dyn_cast<RankedTensorType>(argument.getType());
  if (!declared)
    return shape;
  if (!shape)
    shape = Shape(declared.getRank(), analysis.getUnknown());
  if (int64_t(shape->size()) != declared.getRank())
    return std::nullopt;
  for (auto [dim, size] : llvm::zip(*shape, declared.getShape())) {
    if (ShapedType::isDynamic(size))
      continue;
    bool differs = getConstantSize(dim).value_or(size) != size;
    dim = differs ? analysis.getUnknown() : analysis.getConstant(size);
  }
  return shape;
}

/// `shape` with all that `next` says differently unknown; sizes that are
/// younger than `numSymbols` are unknown already.
static std::optional<Shape> widen(const std::optional<Shape> &shape,
                                  const std::optional<Shape> &next,
                                  unsigned numSymbols,
                                  ShapeAnalysis &analysis) {
  if (!shape || !next || shape->size() != next->size())
    return std::nullopt;
  Shape result;
  for (auto [was, is] : llvm::zip(*shape, *next)) {
    bool isKept = was == is || !analysis.isOlder(was, numSymbols);
    result.push_back(isKept ? was : analysis.getUnknown());
  }
  return result;
}

namespace {

/// What is known of a state before every iteration.
struct State {
  std::optional<Shape> shape;
  /// A sequence without elements until now.
  bool isEmpty;

  bool operator==(const State &other) const {
    return shape == other.shape && isEmpty == other.isEmpty;
  }
};

} // namespace

/// What holds for the state before and after an iteration.
static State widen(const State &state, Value next, unsigned numSymbols,
                   ShapeAnalysis &analysis) {
  if (analysis.isEmptySequence(next))
    return state;
  if (state.isEmpty)
    return {analysis.getShape(next), false};
  return {widen(state.shape, analysis.getShape(next), numSymbols, analysis),
          false};
}

/// Infers the body of `op` for states whose shapes are the same before and
/// after every iteration, and records the shapes of the final states.
static LogicalResult inferIterations(Operation *op, const IteratedBody &body,
                                     ValueRange initialStates,
                                     function_ref<void()> setOtherArguments,
                                     ShapeAnalysis &analysis) {
  constexpr int kMaxRounds = 8;
  unsigned numSymbols = analysis.getNumSymbols();
  Region &region = *body.graph.block->getParent();
  SmallVector<State> states;
  for (auto [initial, argument] :
       llvm::zip(initialStates, body.getStateArguments()))
    states.push_back({getInitialShape(initial, argument, analysis),
                      analysis.isEmptySequence(initial)});
  for (int round = 0;; ++round) {
    analysis.forget(region);
    setOtherArguments();
    for (auto [argument, state] : llvm::zip(body.getStateArguments(), states)) {
      analysis.setArgumentShape(argument, state.shape);
      if (state.isEmpty)
        analysis.setEmptySequence(argument);
    }
    if (failed(inferConditionally(region, analysis)))
      return failure();
    bool isStable = true;
    for (auto [state, value] : llvm::zip(states, body.getYieldedStates())) {
      State both = widen(state, value, numSymbols, analysis);
      isStable &= both == state;
      state = round < kMaxRounds ? both : State{std::nullopt, false};
    }
    if (isStable)
      break;
  }
  for (auto [result, state] : llvm::zip(op->getResults(), states)) {
    if (state.isEmpty)
      analysis.setEmptySequence(result);
    else if (state.shape &&
             failed(analysis.setShape(
                 result, leaveRegion(*state.shape, numSymbols, analysis))))
      return failure();
  }
  return success();
}

/// Records the shape of scan output `index`: the iterations along `axis`.
static LogicalResult setScanOutput(Operation *op, const IteratedBody &body,
                                   unsigned index, int64_t axis, DimExpr length,
                                   unsigned numSymbols,
                                   ShapeAnalysis &analysis) {
  std::optional<Shape> element =
      analysis.getShape(body.getYieldedElements()[index]);
  if (!element)
    return success();
  FailureOr<int64_t> position = normalizeAxis(op, axis, element->size() + 1);
  if (failed(position))
    return failure();
  Shape shape = leaveRegion(*element, numSymbols, analysis);
  shape.insert(shape.begin() + *position, length);
  return analysis.setShape(op->getResult(body.numStates + index), shape);
}

static bool isKnownTrue(Value condition, ShapeAnalysis &analysis) {
  if (!condition)
    return true;
  std::optional<SmallVector<int64_t>> known = analysis.getIntegers(condition);
  return known && known->size() == 1 && known->front() != 0;
}

/// How often the body runs.
static DimExpr getTripCount(LoopOp op, const IteratedBody &body,
                            ShapeAnalysis &analysis) {
  std::optional<Shape> count;
  if (op.getM() && isKnownTrue(op.getCond(), analysis) &&
      (keepsCondition(body) ||
       isKnownTrue(body.graph.getOutputs()[0], analysis)))
    count = analysis.getContents(op.getM());
  if (!count || count->size() != 1)
    return analysis.getUnknown();
  if (std::optional<int64_t> number = getConstantSize(count->front()))
    return analysis.getConstant(std::max<int64_t>(*number, 0));
  return getLowerBound(analysis, count->front()) >= 0 ? count->front()
                                                      : analysis.getUnknown();
}

static LogicalResult inferLoop(LoopOp op, ShapeAnalysis &analysis) {
  std::string why;
  std::optional<IteratedBody> body = getBody(op, why);
  if (!body)
    return op.emitOpError("is malformed: ") << why;
  unsigned numSymbols = analysis.getNumSymbols();
  auto setOtherArguments = [&] {
    for (Value argument : body->graph.block->getArguments().take_front(2))
      if (!isa<RankedTensorType>(argument.getType()))
        analysis.setArgumentShape(argument, Shape());
  };
  if (failed(inferIterations(op, *body, op.getVInitial(), setOtherArguments,
                             analysis)))
    return failure();
  DimExpr length = getTripCount(op, *body, analysis);
  for (unsigned index = 0; index < body->numScanOutputs; ++index)
    if (failed(setScanOutput(op, *body, index, /*axis=*/0, length, numSymbols,
                             analysis)))
      return failure();
  return success();
}

/// Entry `index` of an attribute with one entry an input or output.
static int64_t getEntry(std::optional<ArrayRef<int64_t>> list, unsigned index) {
  return list ? (*list)[index] : 0;
}

static LogicalResult checkAttributes(ScanOp op, const IteratedBody &body) {
  auto check = [&](StringRef name, std::optional<ArrayRef<int64_t>> list,
                   unsigned size, bool isDirection) -> LogicalResult {
    if (list && list->size() != size)
      return op.emitOpError("has ")
             << list->size() << " " << name << " for " << size << " tensors";
    if (list && isDirection)
      for (int64_t direction : *list)
        if (direction != 0 && direction != 1)
          return op.emitOpError("has ")
                 << direction << " in " << name << ", which is neither 0 nor 1";
    return success();
  };
  return success(
      succeeded(check("scan_input_axes", op.getScanInputAxes(),
                      body.numScanInputs, false)) &&
      succeeded(check("scan_input_directions", op.getScanInputDirections(),
                      body.numScanInputs, true)) &&
      succeeded(check("scan_output_axes", op.getScanOutputAxes(),
                      body.numScanOutputs, false)) &&
      succeeded(check("scan_output_directions", op.getScanOutputDirections(),
                      body.numScanOutputs, true)));
}

static LogicalResult inferScan(ScanOp op, ShapeAnalysis &analysis) {
  std::string why;
  std::optional<IteratedBody> body = getBody(op, why);
  if (!body)
    return op.emitOpError("is malformed: ") << why;
  if (failed(checkAttributes(op, *body)))
    return failure();
  OperandRange operands = op.getInitialStateAndScanInputs();
  DimExpr length = analysis.getUnknown();
  SmallVector<std::optional<Shape>> elements;
  for (auto [index, input] :
       llvm::enumerate(operands.take_back(body->numScanInputs))) {
    std::optional<Shape> shape = analysis.getShape(input);
    if (shape) {
      FailureOr<int64_t> axis = normalizeAxis(
          op, getEntry(op.getScanInputAxes(), index), shape->size());
      if (failed(axis))
        return failure();
      DimExpr both = analysis.merge(length, (*shape)[*axis]);
      if (!both)
        return op.emitOpError("has scan inputs of ")
               << analysis.getName(length) << " and "
               << analysis.getName((*shape)[*axis]) << " elements";
      length = both;
      shape->erase(shape->begin() + *axis);
    }
    elements.push_back(shape);
  }
  unsigned numSymbols = analysis.getNumSymbols();
  auto setOtherArguments = [&] {
    for (auto [argument, shape] :
         llvm::zip(body->getScannedArguments(), elements))
      analysis.setArgumentShape(argument, shape);
  };
  if (failed(inferIterations(op, *body, operands.take_front(body->numStates),
                             setOtherArguments, analysis)))
    return failure();
  for (unsigned index = 0; index < body->numScanOutputs; ++index)
    if (failed(setScanOutput(op, *body, index,
                             getEntry(op.getScanOutputAxes(), index), length,
                             numSymbols, analysis)))
      return failure();
  return success();
}

void omb::onnx::attachControlFlowShapes(MLIRContext &context) {
  attachShapeFunction<inferIf, IfOp>(context);
  attachShapeFunction<inferLoop, LoopOp>(context);
  attachShapeFunction<inferScan, ScanOp>(context);
}
