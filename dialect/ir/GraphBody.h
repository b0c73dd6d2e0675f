//===- GraphBody.h - The graph attributes of control flow -------*- C++ -*-===//

#ifndef OMB_DIALECT_IR_GRAPHBODY_H
#define OMB_DIALECT_IR_GRAPHBODY_H

#include "dialect/ir/Yield.h"
#include "dialect/ir/ops/ControlFlow.h"

namespace omb::onnx {

/// A region as the graph that it was: one block that ends in a Yield.
struct GraphBody {
  mlir::Block *block;

  mlir::Operation *getYield() const { return block->getTerminator(); }
  mlir::ValueRange getOutputs() const { return getYield()->getOperands(); }
};

/// The two graphs of an If.
struct IfBranches {
  GraphBody thenBranch;
  GraphBody elseBranch;
};

/// The graph that a Loop or Scan runs again and again. Its block takes
/// `numLeading` values of the loop's own (the iteration number and the
/// condition), the states, then one element of each scan input. It yields the
/// condition (Loop only), the states, then one element of each scan output.
struct IteratedBody {
  GraphBody graph;
  unsigned numLeading;
  unsigned numStates;
  unsigned numScanInputs;
  unsigned numScanOutputs;

  mlir::ValueRange getStateArguments() const {
    return mlir::ValueRange(graph.block->getArguments())
        .slice(numLeading, numStates);
  }
  mlir::ValueRange getScannedArguments() const {
    return mlir::ValueRange(graph.block->getArguments())
        .take_back(numScanInputs);
  }
  mlir::ValueRange getYieldedStates() const {
    return graph.getOutputs().drop_back(numScanOutputs).take_back(numStates);
  }
  mlir::ValueRange getYieldedElements() const {
    return graph.getOutputs().take_back(numScanOutputs);
  }
};

// Each sets `why` where the regions don't have the form that the op needs.
std::optional<IfBranches> getBranches(IfOp op, std::string &why);
std::optional<IteratedBody> getBody(LoopOp op, std::string &why);
std::optional<IteratedBody> getBody(ScanOp op, std::string &why);

/// The condition that a Loop's body yields is the one it got, or constant true.
bool keepsCondition(const IteratedBody &body);

/// Puts the branch that runs under `condition` in the place of `op`; its
/// results become what the branch yields.
mlir::LogicalResult inlineBranch(mlir::RewriterBase &rewriter, IfOp op,
                                 bool condition);

} // namespace omb::onnx

#endif // OMB_DIALECT_IR_GRAPHBODY_H
