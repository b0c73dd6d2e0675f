//===- Barrier.cpp - What IREE must not see through -----------------------===//

#include "lowering/iree/Barrier.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

bool omb::isReshape(Operation *op) {
  return isa_and_nonnull<tensor::CastOp, tensor::ExpandShapeOp,
                         tensor::CollapseShapeOp>(op);
}

Value omb::createBarrier(OpBuilder &builder, Location loc, Value value) {
  OperationState state(loc, "util.optimization_barrier", value,
                       value.getType());
  return builder.create(state)->getResult(0);
}

Value omb::isolateTensor(OpBuilder &builder, Location loc, Value tensor,
                         bool distinct) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> operands{nullptr};
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim))
      continue;
    Value size = builder.createOrFold<tensor::DimOp>(loc, tensor, dim);
    operands.push_back(distinct ? createBarrier(builder, loc, size) : size);
  }
  operands[0] = createBarrier(builder, loc, tensor);
  if (type.hasStaticShape())
    return operands[0];
  return tieShape(builder, loc, operands[0], ArrayRef(operands).drop_front());
}

Value omb::tieShape(OpBuilder &builder, Location loc, Value tensor,
                    ValueRange sizes) {
  OperationState state(loc, "flow.tensor.tie_shape");
  state.addTypes(tensor.getType());
  state.addOperands(tensor);
  state.addOperands(sizes);
  return builder.create(state)->getResult(0);
}
