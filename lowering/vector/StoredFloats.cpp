//===- StoredFloats.cpp - Floats that memory holds narrow -----------------===//

#include "lowering/vector/StoredFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

FailureOr<FloatType> omb::kernels::parseNarrow(Operation *op,
                                               StringRef narrow) {
  MLIRContext *context = op->getContext();
  if (narrow.empty())
    return FloatType();
  if (narrow == "bf16")
    return FloatType(BFloat16Type::get(context));
  if (narrow == "f16")
    return FloatType(Float16Type::get(context));
  return op->emitError() << "narrow is bf16, f16 or empty, not " << narrow;
}

/// A constant of an integer or of all elements of a vector.
static TypedAttr getScalarOrSplat(Type type, const APInt &number) {
  if (auto vector = dyn_cast<VectorType>(type))
    return DenseElementsAttr::get(vector, number);
  return IntegerAttr::get(type, number);
}

Value omb::kernels::widenStored(OpBuilder &builder, Location loc, Value stored,
                                bool isBFloat) {
  Type from = stored.getType();
  auto as = [&](Type element) -> Type {
    auto vector = dyn_cast<VectorType>(from);
    return vector ? vector.clone(element) : element;
  };
  Type to = as(builder.getF32Type());
  if (from == to)
    return stored;
  if (isa<FloatType>(getElementTypeOrSelf(from)))
    return arith::ExtFOp::create(builder, loc, to, stored);
  if (!isBFloat)
    return arith::SIToFPOp::create(builder, loc, to, stored);
  // A bf16 is the upper half of an f32.
  Type words = as(builder.getI32Type());
  Value upper = arith::ConstantOp::create(
      builder, loc, getScalarOrSplat(words, APInt(32, 16)));
  Value bits = arith::ShLIOp::create(
      builder, loc, arith::ExtUIOp::create(builder, loc, words, stored), upper);
  return arith::BitcastOp::create(builder, loc, to, bits);
}
