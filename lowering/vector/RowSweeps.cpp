//===- RowSweeps.cpp - What is computed in which sweep --------------------===//

#include "lowering/vector/RowSweeps.h"

#include "lowering/vector/Elementwise.h"

using namespace mlir;
using namespace omb::kernels;

RowSweeps::RowSweeps(const RowKernel &kernel) : kernel(kernel) {
  Type element = kernel.getType().getElementType();
  for (Operation *op : llvm::reverse(kernel.getOps())) {
    if (!kernel.isWide(op) ||
        getElementTypeOrSelf(op->getResult(0).getType()) != element ||
        !callsFunctions(*cast<linalg::GenericOp>(op).getBody()))
      continue;
    SmallVector<unsigned> needing;
    for (unsigned sweep = 0; sweep < getCount(); ++sweep)
      if (getWideOps(sweep).contains(op))
        needing.push_back(sweep);
    if (needing.size() < 2)
      continue;
    kept = op;
    keptBy = needing.front();
    return;
  }
}

SmallVector<RowReduction> RowSweeps::getReductions(unsigned sweep) const {
  SmallVector<RowReduction> reductions;
  for (const auto &[op, reduction] : kernel.getReductions())
    if (kernel.getSweep(op) == sweep)
      reductions.push_back(reduction);
  return reductions;
}

llvm::SetVector<Operation *> RowSweeps::getWideOps(unsigned sweep) const {
  SmallVector<Operation *> work;
  for (const RowReduction &reduction : getReductions(sweep))
    work.push_back(reduction.op);
  llvm::SetVector<Operation *> wide;
  if (isLast(sweep)) {
    work.push_back(kernel.getRoot());
    wide.insert(kernel.getRoot());
  }
  while (!work.empty())
    for (Value operand : work.pop_back_val()->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (kernel.isMember(operand) && kernel.isWide(producer) &&
          !finds(producer, sweep) && wide.insert(producer))
        work.push_back(producer);
    }
  return wide;
}

bool RowSweeps::keeps(Operation *op, unsigned sweep) const {
  return op == kept && sweep == keptBy;
}

bool RowSweeps::finds(Operation *op, unsigned sweep) const {
  return op == kept && sweep > keptBy;
}

bool RowSweeps::isLong(unsigned sweep) const {
  auto callsIt = [](Operation *op) {
    return callsFunctions(*cast<linalg::GenericOp>(op).getBody());
  };
  return llvm::any_of(getWideOps(sweep), callsIt) ||
         llvm::any_of(getReductions(sweep), [&](const RowReduction &reduction) {
           return callsIt(reduction.op);
         });
}

double RowSweeps::getMicroseconds() const {
  constexpr double perOperation = 0.0005, perCall = 0.01;
  double time = 0;
  auto add = [&](Operation *op) {
    auto generic = cast<linalg::GenericOp>(op);
    time += perOperation * (generic.getNumDpsInputs() +
                            generic.getBody()->getOperations().size());
    if (callsFunctions(*generic.getBody()))
      time += perCall;
  };
  for (unsigned sweep = 0; sweep < getCount(); ++sweep) {
    for (Operation *op : getWideOps(sweep))
      add(op);
    for (const RowReduction &reduction : getReductions(sweep))
      add(reduction.op);
  }
  return time;
}
