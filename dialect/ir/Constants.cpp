//===- Constants.cpp - Making onnx.Constant -------------------------------===//

#include "dialect/ir/Constants.h"

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/Constant.h"

using namespace mlir;
using namespace omb::onnx;

Value omb::onnx::createConstant(OpBuilder &builder, Location loc,
                                ElementsAttr value) {
  StringRef name = isa<SparseElementsAttr>(value) ? "sparse_value" : "value";
  return ConstantOp::create(builder, loc, TypeRange{value.getType()},
                            ValueRange{}, builder.getNamedAttr(name, value));
}

Value omb::onnx::createConstant(OpBuilder &builder, Location loc,
                                ArrayRef<int64_t> vector) {
  return createConstant(builder, loc,
                        ElementsAttr(builder.getI64TensorAttr(vector)));
}

Value omb::onnx::createBoolean(OpBuilder &builder, Location loc, bool value) {
  auto type = RankedTensorType::get({}, builder.getI1Type());
  return createConstant(builder, loc,
                        ElementsAttr(DenseElementsAttr::get(type, value)));
}
