//===- KernelSignature.cpp - What a kernel takes and gives ----------------===//

#include "lowering/vector/KernelSignature.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb::kernels;

KernelSignature::KernelSignature(func::FuncOp kernel)
    : kernel(kernel),
      result(cast<RankedTensorType>(kernel.getFunctionType().getResult(0))) {
  sizeCount = result.getNumDynamicDims();
  ValueRange arguments = kernel.getArguments();
  // The sizes of the result are the last ones.
  for (Value argument : arguments.drop_back(sizeCount)) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    (type ? tensors : indices).push_back(argument);
    if (type)
      sizeCount += type.getNumDynamicDims();
  }
}

Executable KernelSignature::createExecutable(OpBuilder &builder) const {
  auto function = kernel;
  return Executable::create(builder, function.getLoc(), function.getName(),
                            indices.size() + sizeCount, tensors.size() + 1);
}

SmallVector<OpFoldResult> KernelSignature::getSizes(OpBuilder &builder,
                                                    Block *block,
                                                    Value tensor) const {
  unsigned next = indices.size();
  RankedTensorType type = result;
  for (Value other : tensors) {
    auto otherType = cast<RankedTensorType>(other.getType());
    if (other == tensor) {
      type = otherType;
      break;
    }
    next += otherType.getNumDynamicDims();
  }
  SmallVector<OpFoldResult> sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(ShapedType::isDynamic(size)
                        ? OpFoldResult(block->getArgument(next++))
                        : OpFoldResult(builder.getIndexAttr(size)));
  return sizes;
}

DenseMap<Value, Value> KernelSignature::createMemory(
    OpBuilder &builder, Block *entry,
    const llvm::SmallDenseMap<Value, RankedTensorType> &views) const {
  auto function = kernel;
  ValueRange arguments = entry->getArguments().drop_front(indices.size());
  ValueRange sizes = arguments.take_front(sizeCount);
  ValueRange bindings = arguments.drop_front(sizeCount);
  DenseMap<Value, Value> memory;
  auto add = [&](Value tensor, RankedTensorType type) {
    if (type.getElementType().isBF16())
      type = type.clone(builder.getI16Type());
    unsigned count = type.getNumDynamicDims();
    memory[tensor] =
        Executable::createSubspan(builder, function.getLoc(), bindings.front(),
                                  type, sizes.take_front(count));
    sizes = sizes.drop_front(count);
    bindings = bindings.drop_front();
  };
  for (Value tensor : tensors) {
    auto view = views.find(tensor);
    add(tensor, view == views.end() ? cast<RankedTensorType>(tensor.getType())
                                    : view->second);
  }
  add(Value(), result);
  return memory;
}

void KernelSignature::replaceCall(func::CallOp call,
                                  const Executable &executable) {
  OpBuilder builder(call);
  auto result = cast<RankedTensorType>(call.getResult(0).getType());
  ValueRange operands = call.getOperands();
  ValueRange resultSizes = operands.take_back(result.getNumDynamicDims());
  SmallVector<Value> indices, sizes, tensors;
  for (Value operand : operands.drop_back(resultSizes.size())) {
    if (!isa<RankedTensorType>(operand.getType())) {
      indices.push_back(operand);
      continue;
    }
    tensors.push_back(operand);
    for (OpFoldResult size :
         tensor::getMixedSizes(builder, call.getLoc(), operand))
      if (auto value = dyn_cast<Value>(size))
        sizes.push_back(value);
  }
  llvm::append_range(sizes, resultSizes);
  Value value = executable.createDispatch(builder, call.getLoc(), indices,
                                          sizes, tensors, result);
  call.getResult(0).replaceAllUsesWith(value);
  call.erase();
}
