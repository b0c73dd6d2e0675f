//===- Regions.cpp - Shapes of all that a region computes -----------------===//
//
// Exporters write `x.squeeze(axis)` as an If on the size of the axis, whose
// branches give different ranks. Where the size is known at run time only, the
// ops that follow often take one of the ranks only; the If then takes the
// branch that gives it, or the run ends with an error.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/GraphBody.h"
#include "dialect/shape/ShapeInference.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace omb::onnx;

static LogicalResult inferOp(Operation &op, ShapeAnalysis &analysis) {
  if (auto inference = dyn_cast<ShapeInferenceOpInterface>(&op))
    return inference.inferShapes(analysis);
  for (Region &nested : op.getRegions())
    if (failed(inferRegion(nested, analysis)))
      return failure();
  return success();
}

static LogicalResult inferFrom(Block::iterator first, ShapeAnalysis &analysis);

/// Whether the rest of the block fits what `op` gives under `condition`.
static bool isPossible(IfOp op, bool condition, ShapeAnalysis analysis) {
  ScopedDiagnosticHandler silence(op.getContext(),
                                  [](Diagnostic &) { return success(); });
  analysis.setTrial();
  analysis.assume(op, condition);
  return succeeded(inferFrom(Block::iterator(op), analysis));
}

/// Whether `op` has a result whose rank depends on the branch.
static bool isRankOpen(IfOp op, ShapeAnalysis &analysis) {
  std::string why;
  std::optional<IfBranches> branches = getBranches(op, why);
  if (!branches)
    return false;
  for (auto [result, yes, no] :
       llvm::zip(op.getResults(), branches->thenBranch.getOutputs(),
                 branches->elseBranch.getOutputs())) {
    std::optional<Shape> ifTrue = analysis.getShape(yes);
    std::optional<Shape> ifFalse = analysis.getShape(no);
    if (!analysis.getShape(result) && ifTrue && ifFalse &&
        ifTrue->size() != ifFalse->size())
      return true;
  }
  return false;
}

/// Infers what follows from `first` on in its block.
static LogicalResult inferFrom(Block::iterator first, ShapeAnalysis &analysis) {
  for (Operation &op : llvm::make_range(first, first->getBlock()->end())) {
    if (failed(inferOp(op, analysis)))
      return failure();
    auto ifOp = dyn_cast<IfOp>(&op);
    // A trial within a trial could take forever.
    if (!ifOp || analysis.isTrial() || !isRankOpen(ifOp, analysis))
      continue;
    bool canBeTrue = isPossible(ifOp, true, analysis);
    bool canBeFalse = isPossible(ifOp, false, analysis);
    if (canBeTrue == canBeFalse)
      continue;
    analysis.assume(ifOp, canBeTrue);
    if (failed(inferOp(op, analysis)))
      return failure();
  }
  return success();
}

LogicalResult omb::onnx::inferRegion(Region &region, ShapeAnalysis &analysis) {
  for (Block &block : region) {
    // The names of their sizes are known in all regions inside.
    for (Value argument : block.getArguments())
      (void)analysis.getShape(argument);
    if (!block.empty() && failed(inferFrom(block.begin(), analysis)))
      return failure();
  }
  return success();
}
