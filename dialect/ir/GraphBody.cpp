//===- GraphBody.cpp - The graph attributes of control flow ---------------===//

#include "dialect/ir/GraphBody.h"

#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/DataMovement.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace omb::onnx;

static std::optional<GraphBody> getGraph(Region &region, StringRef name,
                                         std::string &why) {
  if (!region.hasOneBlock()) {
    why = (name + " is not a graph").str();
    return std::nullopt;
  }
  Block &block = region.front();
  if (!block.mightHaveTerminator() || !isa<YieldOp>(block.back())) {
    why = (name + " doesn't end in onnx.Yield").str();
    return std::nullopt;
  }
  return GraphBody{&block};
}

/// Whether the types are equal, but for the shapes of tensors.
static bool isSameButShape(Type lhs, Type rhs) {
  auto left = dyn_cast<TensorType>(lhs), right = dyn_cast<TensorType>(rhs);
  if (left && right)
    return left.getElementType() == right.getElementType();
  if (auto sequence = dyn_cast<SeqType>(lhs); sequence && isa<SeqType>(rhs))
    return isSameButShape(sequence.getElementType(),
                          cast<SeqType>(rhs).getElementType());
  if (auto optional = dyn_cast<OptionalType>(lhs);
      optional && isa<OptionalType>(rhs))
    return isSameButShape(optional.getElementType(),
                          cast<OptionalType>(rhs).getElementType());
  return lhs == rhs;
}

static bool areTypesAlike(TypeRange lhs, TypeRange rhs) {
  return llvm::all_of(llvm::zip_equal(lhs, rhs), [](auto pair) {
    return isSameButShape(std::get<0>(pair), std::get<1>(pair));
  });
}

std::optional<IfBranches> omb::onnx::getBranches(IfOp op, std::string &why) {
  std::optional<GraphBody> thenBranch =
      getGraph(op.getThenBranch(), "then_branch", why);
  std::optional<GraphBody> elseBranch =
      getGraph(op.getElseBranch(), "else_branch", why);
  if (!thenBranch || !elseBranch)
    return std::nullopt;
  for (const GraphBody *branch : {&*thenBranch, &*elseBranch}) {
    if (branch->block->getNumArguments() != 0)
      why = "a branch takes inputs";
    else if (branch->getOutputs().size() != op.getNumResults())
      why = "a branch gives " + std::to_string(branch->getOutputs().size()) +
            " values for " + std::to_string(op.getNumResults()) + " results";
    else if (!areTypesAlike(branch->getOutputs().getTypes(),
                            op.getResultTypes()))
      why = "a branch gives a value of another type than the result's";
    else
      continue;
    return std::nullopt;
  }
  return IfBranches{*thenBranch, *elseBranch};
}

/// Checks the numbers and types of what goes into `body` and comes out.
static bool isConsistent(Operation *op, const IteratedBody &body,
                         ValueRange states, std::string &why) {
  Block *block = body.graph.block;
  unsigned inputs = body.numLeading + body.numStates + body.numScanInputs;
  if (block->getNumArguments() != inputs)
    why = "the body takes " + std::to_string(block->getNumArguments()) +
          " inputs, not " + std::to_string(inputs);
  else if (op->getNumResults() != body.numStates + body.numScanOutputs)
    why = "the body gives values for " +
          std::to_string(body.numStates + body.numScanOutputs) +
          " results, not for " + std::to_string(op->getNumResults());
  else if (!areTypesAlike(body.getStateArguments().getTypes(),
                          states.getTypes()) ||
           !areTypesAlike(body.getYieldedStates().getTypes(),
                          states.getTypes()) ||
           !areTypesAlike(
               TypeRange(op->getResultTypes()).take_front(body.numStates),
               states.getTypes()))
    why = "a value changes its type from one iteration to the next";
  else if (!areTypesAlike(
               TypeRange(op->getResultTypes()).take_back(body.numScanOutputs),
               body.getYieldedElements().getTypes()))
    why = "the body gives an element of another type than the result's";
  else
    return true;
  return false;
}

std::optional<IteratedBody> omb::onnx::getBody(LoopOp op, std::string &why) {
  std::optional<GraphBody> graph = getGraph(op.getBody(), "the body", why);
  if (!graph)
    return std::nullopt;
  unsigned numStates = op.getVInitial().size();
  unsigned numYielded = graph->getOutputs().size();
  if (numYielded < 1 + numStates) {
    why = "the body gives " + std::to_string(numYielded) +
          " values, fewer than the condition and what it carries";
    return std::nullopt;
  }
  IteratedBody body{*graph, 2, numStates, 0, numYielded - 1 - numStates};
  if (!isConsistent(op, body, op.getVInitial(), why))
    return std::nullopt;
  return body;
}

std::optional<IteratedBody> omb::onnx::getBody(ScanOp op, std::string &why) {
  std::optional<GraphBody> graph = getGraph(op.getBody(), "the body", why);
  if (!graph)
    return std::nullopt;
  OperandRange operands = op.getInitialStateAndScanInputs();
  int64_t numScanInputs = op.getNumScanInputs();
  if (numScanInputs < 1 || numScanInputs > int64_t(operands.size())) {
    why = "num_scan_inputs is " + std::to_string(numScanInputs) + ", of " +
          std::to_string(operands.size()) + " inputs";
    return std::nullopt;
  }
  unsigned numStates = operands.size() - numScanInputs;
  unsigned numYielded = graph->getOutputs().size();
  if (numYielded < numStates) {
    why = "the body gives " + std::to_string(numYielded) + " values for " +
          std::to_string(numStates) + " states";
    return std::nullopt;
  }
  IteratedBody body{*graph, 0, numStates, unsigned(numScanInputs),
                    numYielded - numStates};
  if (!isConsistent(op, body, operands.take_front(numStates), why))
    return std::nullopt;
  if (!areTypesAlike(body.getScannedArguments().getTypes(),
                     operands.take_back(numScanInputs).getTypes())) {
    why = "the body takes an element of another type than the scan input's";
    return std::nullopt;
  }
  return body;
}

bool omb::onnx::keepsCondition(const IteratedBody &body) {
  Value condition = body.graph.getOutputs()[0];
  while (auto identity = condition.getDefiningOp<IdentityOp>())
    condition = identity.getInput();
  if (condition == body.graph.block->getArgument(1))
    return true;
  DenseIntElementsAttr value;
  return matchPattern(condition, m_Constant(&value)) &&
         llvm::all_of(value.getValues<bool>(), [](bool b) { return b; });
}

LogicalResult omb::onnx::inlineBranch(RewriterBase &rewriter, IfOp op,
                                      bool condition) {
  std::string why;
  std::optional<IfBranches> branches = getBranches(op, why);
  if (!branches)
    return rewriter.notifyMatchFailure(op, why);
  GraphBody taken = condition ? branches->thenBranch : branches->elseBranch;
  SmallVector<Value> results(taken.getOutputs());
  Operation *yield = taken.getYield();
  rewriter.inlineBlockBefore(taken.block, op);
  rewriter.setInsertionPoint(op);
  // The result's type may know more than the value's.
  for (auto [result, value] : llvm::zip(op.getResults(), results))
    if (result.getType() != value.getType())
      value =
          IdentityOp::create(rewriter, op.getLoc(), result.getType(), value);
  rewriter.eraseOp(yield);
  rewriter.replaceOp(op, results);
  return success();
}

namespace {

struct InlineConstantIf : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(IfOp op,
                                PatternRewriter &rewriter) const override {
    DenseIntElementsAttr condition;
    if (!matchPattern(op.getCond(), m_Constant(&condition)) ||
        condition.getNumElements() != 1)
      return rewriter.notifyMatchFailure(op, "the condition isn't constant");
    return inlineBranch(rewriter, op, *condition.value_begin<bool>());
  }
};

} // namespace

void IfOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                       MLIRContext *context) {
  patterns.add<InlineConstantIf>(context);
}
