//===- Elements.cpp - Tensors element by element --------------------------===//

#include "lowering/to_linalg/Elements.h"

#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

Value omb::createFilled(OpBuilder &builder, Location loc, RankedTensorType type,
                        ValueRange sizes, Value element) {
  Value init = createEmpty(builder, loc, type, sizes);
  if (llvm::is_contained(type.getShape(), 0))
    return init;
  return linalg::FillOp::create(builder, loc, element, init).getResult(0);
}

Value omb::mapElements(OpBuilder &builder, Location loc, Value tensor,
                       Type elementType,
                       function_ref<Value(OpBuilder &, Location, Value)> body) {
  auto type = cast<RankedTensorType>(tensor.getType()).clone(elementType);
  Value init = createEmpty(builder, loc, type,
                           IndexArithmetic(builder, loc).sizes(tensor));
  if (llvm::is_contained(type.getShape(), 0))
    return init;
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  SmallVector<AffineMap> maps(2,
                              builder.getMultiDimIdentityMap(type.getRank()));
  auto generic = linalg::GenericOp::create(
      builder, loc, type, tensor, init, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        linalg::YieldOp::create(b, bodyLoc, body(b, bodyLoc, elements.front()));
      });
  return generic.getResult(0);
}

Value omb::convertFloats(OpBuilder &builder, Location loc, Value tensor,
                         Type elementType) {
  Type from = cast<RankedTensorType>(tensor.getType()).getElementType();
  if (from == elementType)
    return tensor;
  return mapElements(builder, loc, tensor, elementType,
                     [&](OpBuilder &b, Location bodyLoc, Value element) {
                       Scalars scalars(b, bodyLoc, from);
                       return scalars.narrow(scalars.widen(element),
                                             elementType);
                     });
}

Value omb::extractScalar(OpBuilder &builder, Location loc, Value tensor) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  return tensor::ExtractOp::create(builder, loc, tensor,
                                   SmallVector<Value>(rank, zero));
}

Value omb::flatten(OpBuilder &builder, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t rank = type.getRank();
  if (rank == 1)
    return tensor;
  if (rank == 0)
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(1, type.getElementType()), tensor,
        ArrayRef<ReassociationIndices>());
  ReassociationIndices all = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank));
  return tensor::CollapseShapeOp::create(builder, loc, tensor,
                                         ArrayRef<ReassociationIndices>{all});
}
