//===- EpilogueEmitter.cpp - What is done to a kernel's vectors -----------===//

#include "lowering/vector/EpilogueEmitter.h"

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

/// Whether kernels read and write such values.
static bool isStored(Type type) {
  return isVectorElement(type) || type.isBF16();
}

/// Whether the last dimension of an operand can be read as a vector of
/// channels, or as one value for all.
static bool isReadable(AffineMap map, Type type) {
  if (!isa<RankedTensorType>(type) || !isStored(getElementTypeOrSelf(type)))
    return false;
  if (map.isConstant())
    return true;
  if (!map.isProjectedPermutation())
    return false;
  unsigned channel = map.getNumDims() - 1;
  std::optional<unsigned> at =
      map.getResultPosition(getAffineDimExpr(channel, map.getContext()));
  return !at || *at + 1 == map.getNumResults();
}

bool omb::kernels::isEpilogue(linalg::GenericOp op, Value product) {
  if (!isElementwiseOfInputs(op) ||
      !isStored(getElementTypeOrSelf(op.getResultTypes()[0])) ||
      cast<RankedTensorType>(op.getResultTypes()[0]).getShape() !=
          cast<RankedTensorType>(product.getType()).getShape())
    return false;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    if (operand->get() == product ? !map.isIdentity()
                                  : !isReadable(map, operand->get().getType()))
      return false;
  }
  return isVectorizable(*op.getBody(), [](Value) { return false; });
}

Value EpilogueEmitter::toVector(Value value) {
  return vec::BroadcastOp::create(
      builder, loc, VectorType::get(lanes, value.getType()), value);
}

Value EpilogueEmitter::asElements(Value values, Type element) {
  if (getElementTypeOrSelf(values) == element)
    return values;
  return arith::BitcastOp::create(
      builder, loc, cast<VectorType>(values.getType()).clone(element), values);
}

Value EpilogueEmitter::readVector(Value source, ArrayRef<Value> at,
                                  Value mask) {
  auto type = VectorType::get(lanes, getElementTypeOrSelf(source));
  if (!mask)
    return vec::LoadOp::create(builder, loc, type, source, at);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return vec::MaskedLoadOp::create(builder, loc, type, source, at, mask, zero);
}

Value EpilogueEmitter::readOperand(OpOperand &operand, ArrayRef<Value> at,
                                   Value mask) {
  AffineMap map = epilogue.getMatchingIndexingMap(&operand);
  Value source = memory.at(operand.get());
  Type element = getElementTypeOrSelf(operand.get().getType());
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults()) {
    auto fixed = dyn_cast<AffineConstantExpr>(expr);
    indices.push_back(
        fixed ? arith::ConstantIndexOp::create(builder, loc, fixed.getValue())
              : at[cast<AffineDimExpr>(expr).getPosition()]);
  }
  if (!map.isFunctionOfDim(at.size() - 1))
    return asElements(
        toVector(memref::LoadOp::create(builder, loc, source, indices)),
        element);
  return asElements(readVector(source, indices, mask), element);
}

Value EpilogueEmitter::apply(Value values, ArrayRef<Value> at, Value mask) {
  if (!epilogue)
    return values;
  LaneEmitter emitter(builder, lanes);
  emitter.setConvertsBFloats(convertsBFloats);
  for (OpOperand *operand : epilogue.getDpsInputOperands())
    emitter.map(epilogue.getMatchingBlockArgument(operand),
                operand->get() == product ? values
                                          : readOperand(*operand, at, mask));
  return emitter.toVector(emitter.emitAll(*epilogue.getBody()));
}

void EpilogueEmitter::emit(Value values, ArrayRef<Value> at, Value mask) {
  Value result = ring ? ring->memory : memory.at(Value());
  Value stored =
      asElements(apply(values, at, mask), getElementTypeOrSelf(result));
  SmallVector<Value> place(at);
  if (ring)
    place = ring->locate(builder, loc, at);
  if (mask)
    vec::MaskedStoreOp::create(builder, loc, result, place, mask, stored);
  else
    vec::StoreOp::create(builder, loc, stored, result, place);
}
