//===- TypeConversion.cpp - Types of onnx as types of linalg --------------===//

#include "lowering/to_linalg/TypeConversion.h"

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/QuantizedTypes.h"
#include "lowering/to_linalg/SubByte.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

Type omb::getLoweredType(Type elementType) {
  if (auto quantized = dyn_cast<quant::QuantizedType>(elementType))
    elementType = onnx::getStorageType(quantized);
  if (isSubByte(elementType))
    return IntegerType::get(elementType.getContext(), 8);
  auto integer = dyn_cast<IntegerType>(elementType);
  if (!integer || integer.isSignless())
    return elementType;
  return IntegerType::get(elementType.getContext(), integer.getWidth());
}

Type omb::getAccumulatorType(Type elementType) {
  auto type = dyn_cast<FloatType>(elementType);
  if (type && type.getWidth() < 32)
    return Float32Type::get(elementType.getContext());
  return elementType;
}

omb::OnnxTypeConverter::OnnxTypeConverter() {
  addConversion([](Type type) -> std::optional<Type> {
    if (isa<onnx::OnnxDialect>(type.getDialect()))
      return std::nullopt;
    return type;
  });
  addConversion([](RankedTensorType type) -> std::optional<Type> {
    Type elementType = getLoweredType(type.getElementType());
    if (isa<onnx::OnnxDialect>(elementType.getDialect()))
      return std::nullopt;
    Attribute encoding = type.getEncoding();
    if (isa_and_nonnull<onnx::DimsAttr>(encoding))
      encoding = nullptr;
    return RankedTensorType::get(type.getShape(), elementType, encoding);
  });
  auto cast = [](OpBuilder &builder, Type type, ValueRange inputs,
                 Location loc) -> Value {
    return UnrealizedConversionCastOp::create(builder, loc, type, inputs)
        .getResult(0);
  };
  addSourceMaterialization(cast);
  addTargetMaterialization(cast);
}
