//===- OnnxDialect.cpp - Registration, types and attributes ---------------===//

#include "dialect/ir/OnnxDialect.h"

#include "dialect/ir/QuantCasts.h"
#include "dialect/ir/Yield.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/shape/ShapeInference.h"

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace omb::onnx;

#include "dialect/ir/OnnxDialect.cpp.inc"

#include "dialect/ir/OnnxInterfaces.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/ir/OnnxTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/ir/OnnxAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/ir/Yield.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/ir/QuantCasts.cpp.inc"

void OnnxDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/ir/OnnxTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/ir/OnnxAttributes.cpp.inc"
      >();
  addOperations<YieldOp, QuantizeCastOp, DequantizeCastOp, StorageCastOp>();
#define OMB_OP_FAMILY(NAME) register##NAME##Ops();
#include "dialect/ir/OpFamilies.def"
#undef OMB_OP_FAMILY
  attachShapeInference(*getContext());
}

Operation *OnnxDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements)
    return nullptr;
  StringRef name = isa<SparseElementsAttr>(elements) ? "sparse_value" : "value";
  return ConstantOp::create(builder, loc, TypeRange{type}, ValueRange{},
                            builder.getNamedAttr(name, elements));
}

//===----------------------------------------------------------------------===//
// DimsAttr
//===----------------------------------------------------------------------===//

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> names;
  auto parseName = [&]() -> ParseResult {
    if (succeeded(parser.parseOptionalQuestion())) {
      names.push_back(StringAttr::get(parser.getContext()));
      return success();
    }
    std::string name;
    if (parser.parseString(&name))
      return failure();
    names.push_back(StringAttr::get(parser.getContext(), name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseName))
    return {};
  return get(parser.getContext(), names);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << "<";
  llvm::interleaveComma(getNames(), printer, [&](StringAttr name) {
    if (name.empty())
      printer << "?";
    else
      printer << name;
  });
  printer << ">";
}

LogicalResult
DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType,
                         function_ref<InFlightDiagnostic()> emitError) const {
  if (getNames().size() != shape.size())
    return emitError() << "#onnx.dims names " << getNames().size()
                       << " dimensions, but the tensor has " << shape.size();
  for (auto [index, name] : llvm::enumerate(getNames()))
    if (!name.empty() && !ShapedType::isDynamic(shape[index]))
      return emitError() << "#onnx.dims names dimension " << index
                         << ", whose size is static";
  return success();
}
