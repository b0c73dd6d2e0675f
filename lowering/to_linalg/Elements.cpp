//===- Elements.cpp - Tensors element by element --------------------------===//

#include "lowering/to_linalg/Elements.h"

#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

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
