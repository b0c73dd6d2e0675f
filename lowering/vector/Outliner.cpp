//===- Outliner.cpp - Functions of kernels --------------------------------===//

#include "lowering/vector/Outliner.h"

#include "lowering/vector/Kernels.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb::kernels;

void Outliner::outline(const KernelSource &source) {
  Value result = source.result;
  OpBuilder builder(result.getDefiningOp());
  SmallVector<Value> operands = source.tensors;
  operands.append(source.indices);
  operands.append(source.sizes);
  auto call = func::CallOp::create(builder, result.getLoc(),
                                   getKernel(source, operands), operands);
  result.replaceAllUsesWith(call.getResult(0));
}

func::FuncOp Outliner::getKernel(const KernelSource &source,
                                 ValueRange operands) {
  auto type = FunctionType::get(context, operands.getTypes(),
                                {source.result.getType()});
  OpBuilder builder(context);
  auto kernel = func::FuncOp::create(source.loc, "kernel", type);
  kernel.setPrivate();
  kernel->setAttr(kKernelAttrName, builder.getUnitAttr());
  builder.setInsertionPointToStart(kernel.addEntryBlock());
  size_t read = operands.size() - source.sizes.size();
  IRMapping map;
  map.map(operands.take_front(read), kernel.getArguments().take_front(read));
  source.clone(builder, map, kernel.getArguments().drop_front(read));
  func::ReturnOp::create(builder, source.loc, map.lookup(source.result));
  for (func::FuncOp other : kernels) {
    if (kernel.getFunctionType() == other.getFunctionType() &&
        OperationEquivalence::isRegionEquivalentTo(
            &kernel.getBody(), &other.getBody(),
            OperationEquivalence::IgnoreLocations)) {
      kernel.erase();
      return other;
    }
  }
  symbols.insert(kernel);
  kernels.push_back(kernel);
  return kernel;
}

bool omb::kernels::isInKernel(Operation *op) {
  auto function = op->getParentOfType<func::FuncOp>();
  return function && function->hasAttr(kKernelAttrName);
}

void omb::kernels::mapEmpty(OpBuilder &builder, Value destination,
                            ValueRange sizes, IRMapping &map) {
  auto type = cast<RankedTensorType>(destination.getType());
  map.map(destination,
          tensor::EmptyOp::create(builder, destination.getLoc(), type, sizes)
              .getResult());
}

void omb::kernels::cloneConstants(OpBuilder &builder, Operation *op,
                                  IRMapping &map) {
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!map.contains(operand) && operand.getDefiningOp() &&
          operand.getDefiningOp()->hasTrait<OpTrait::ConstantLike>())
        builder.clone(*operand.getDefiningOp(), map);
  });
}

SmallVector<Value> omb::kernels::getSizes(Operation *op, Value destination) {
  if (auto empty = destination.getDefiningOp<tensor::EmptyOp>())
    return SmallVector<Value>(empty.getDynamicSizes());
  OpBuilder builder(op);
  SmallVector<Value> sizes;
  for (OpFoldResult size :
       tensor::getMixedSizes(builder, op->getLoc(), destination))
    if (auto value = dyn_cast<Value>(size))
      sizes.push_back(value);
  return sizes;
}
