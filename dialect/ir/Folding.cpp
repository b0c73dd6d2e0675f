//===- Folding.cpp - Folds of single ops ----------------------------------===//

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/DataMovement.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace omb::onnx;

/// The value that an attribute other than `value` gives; null if there is none.
static Attribute getPlainValue(ConstantOp op) {
  Builder builder(op.getContext());
  auto getType = [](ArrayRef<int64_t> shape, Type elementType) {
    return RankedTensorType::get(shape, elementType);
  };
  if (IntegerAttr value = op.getValueIntAttr())
    return DenseElementsAttr::get(getType({}, builder.getI64Type()), value);
  if (std::optional<ArrayRef<int64_t>> values = op.getValueInts())
    return DenseElementsAttr::get(
        getType(int64_t(values->size()), builder.getI64Type()), *values);
  if (FloatAttr value = op.getValueFloatAttr())
    return DenseElementsAttr::get(getType({}, builder.getF32Type()), value);
  if (std::optional<ArrayRef<float>> values = op.getValueFloats())
    return DenseElementsAttr::get(
        getType(int64_t(values->size()), builder.getF32Type()), *values);
  Type string = StringType::get(op.getContext());
  if (std::optional<StringRef> value = op.getValueString())
    return DenseStringElementsAttr::get(getType({}, string), *value);
  if (std::optional<ArrayAttr> values = op.getValueStrings())
    return DenseStringElementsAttr::get(
        getType(int64_t(values->size()), string),
        llvm::to_vector(values->getAsValueRange<StringAttr>()));
  return {};
}

OpFoldResult ConstantOp::fold(FoldAdaptor adaptor) {
  if (ElementsAttr value = adaptor.getValueAttr())
    return value;
  if (ElementsAttr value = adaptor.getSparseValueAttr())
    return value;
  if (Attribute value = getPlainValue(*this))
    return value;
  // Not valid, and reported elsewhere; a constant has to fold.
  return UnitAttr::get(getContext());
}

OpFoldResult IdentityOp::fold(FoldAdaptor) {
  if (getInput().getType() == getOutput().getType())
    return getInput();
  return {};
}
