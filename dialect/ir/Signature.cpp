//===- Signature.cpp - Assembly format and type check of all ops ----------===//

#include "dialect/ir/Signature.h"

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/QuantizedTypes.h"
#include "dialect/ir/SparseTypes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static uint32_t getIntegerKind(IntegerType type) {
  bool isUnsigned = type.isUnsigned();
  if (type.isSigned() || (isUnsigned && type.getWidth() == 1))
    return 0;
  switch (type.getWidth()) {
  case 1:
    return kBool;
  case 2:
    return isUnsigned ? kU2 : kI2;
  case 4:
    return isUnsigned ? kU4 : kI4;
  case 8:
    return isUnsigned ? kU8 : kI8;
  case 16:
    return isUnsigned ? kU16 : kI16;
  case 32:
    return isUnsigned ? kU32 : kI32;
  case 64:
    return isUnsigned ? kU64 : kI64;
  default:
    return 0;
  }
}

/// What the elements of a tensor stand for.
static Type getExpressedType(Type elementType) {
  auto quantized = dyn_cast<quant::QuantizedType>(elementType);
  return quantized ? quantized.getExpressedType() : elementType;
}

uint32_t omb::onnx::getElementKind(Type type) {
  return llvm::TypeSwitch<Type, uint32_t>(getExpressedType(type))
      .Case([](IntegerType t) { return getIntegerKind(t); })
      .Case([](Float16Type) { return kF16; })
      .Case([](BFloat16Type) { return kBF16; })
      .Case([](Float32Type) { return kF32; })
      .Case([](Float64Type) { return kF64; })
      .Case([](Float4E2M1FNType) { return kF4E2M1; })
      .Case([](Float6E2M3FNType) { return kF6E2M3; })
      .Case([](Float6E3M2FNType) { return kF6E3M2; })
      .Case([](Float8E4M3FNType) { return kF8E4M3FN; })
      .Case([](Float8E4M3FNUZType) { return kF8E4M3FNUZ; })
      .Case([](Float8E5M2Type) { return kF8E5M2; })
      .Case([](Float8E5M2FNUZType) { return kF8E5M2FNUZ; })
      .Case([](Float8E8M0FNUType) { return kF8E8M0; })
      .Case([](ComplexType t) -> uint32_t {
        if (t.getElementType().isF32())
          return kC64;
        if (t.getElementType().isF64())
          return kC128;
        return 0;
      })
      .Case([](StringType) { return kString; })
      .Default([](Type) { return 0; });
}

static uint32_t getTensorKind(Type type) {
  auto tensor = dyn_cast<TensorType>(type);
  return tensor ? getElementKind(tensor.getElementType()) : 0;
}

static bool holdsMap(Type type) {
  if (auto seq = dyn_cast<SeqType>(type))
    type = seq.getElementType();
  return isa<MapType>(type);
}

bool omb::onnx::contains(TypeSet set, Type type) {
  if (isa<NoneType>(type))
    return true;
  if (isa<TensorType>(type))
    return set.tensor & getTensorKind(type);
  if (set.maps && holdsMap(type))
    return true;
  if (auto seq = dyn_cast<SeqType>(type))
    return set.seq & getTensorKind(seq.getElementType());
  auto optional = dyn_cast<OptionalType>(type);
  if (!optional)
    return false;
  if (auto seq = dyn_cast<SeqType>(optional.getElementType()))
    return set.optionalSeq & getTensorKind(seq.getElementType());
  return set.optionalTensor & getTensorKind(optional.getElementType());
}

/// `type` without its shape: what a type variable stands for.
static Type withoutShape(Type type) {
  return llvm::TypeSwitch<Type, Type>(type)
      .Case([](TensorType t) {
        return UnrankedTensorType::get(getExpressedType(t.getElementType()));
      })
      .Case([](SeqType t) {
        return SeqType::get(withoutShape(t.getElementType()));
      })
      .Case([](OptionalType t) {
        return OptionalType::get(withoutShape(t.getElementType()));
      })
      .Default([](Type t) { return t; });
}

//===----------------------------------------------------------------------===//
// Groups of operands and results
//===----------------------------------------------------------------------===//

static unsigned countVariableLength(ArrayRef<Parameter> parameters) {
  return llvm::count_if(parameters, [](const Parameter &p) {
    return p.option != Parameter::Single;
  });
}

/// Sizes of the groups that `parameters` split `total` values into. Where more
/// than one group has no fixed size, the op keeps the sizes in `attrName`.
static SmallVector<int32_t> getGroupSizes(Operation *op, StringRef attrName,
                                          ArrayRef<Parameter> parameters,
                                          unsigned total) {
  if (countVariableLength(parameters) > 1) {
    auto sizes = op->getAttrOfType<DenseI32ArrayAttr>(attrName);
    return SmallVector<int32_t>(sizes.asArrayRef());
  }
  SmallVector<int32_t> sizes;
  for (const Parameter &parameter : parameters)
    sizes.push_back(parameter.option == Parameter::Single
                        ? 1
                        : int32_t(total + 1 - parameters.size()));
  return sizes;
}

static constexpr StringLiteral kOperandSegments = "operandSegmentSizes";
static constexpr StringLiteral kResultSegments = "resultSegmentSizes";

static SmallVector<int32_t> getOperandSizes(Operation *op,
                                            const OpSignature &signature) {
  return getGroupSizes(op, kOperandSegments, signature.operands,
                       op->getNumOperands());
}

static SmallVector<int32_t> getResultSizes(Operation *op,
                                           const OpSignature &signature) {
  return getGroupSizes(op, kResultSegments, signature.results,
                       op->getNumResults());
}

ValueRange omb::onnx::getOperandGroup(Operation *op,
                                      const OpSignature &signature,
                                      unsigned index) {
  SmallVector<int32_t> sizes = getOperandSizes(op, signature);
  unsigned start = 0;
  for (int32_t size : ArrayRef(sizes).take_front(index))
    start += size;
  return op->getOperands().slice(start, sizes[index]);
}

ValueRange omb::onnx::getResultGroup(Operation *op,
                                     const OpSignature &signature,
                                     unsigned index) {
  SmallVector<int32_t> sizes = getResultSizes(op, signature);
  unsigned start = 0;
  for (int32_t size : ArrayRef(sizes).take_front(index))
    start += size;
  return op->getResults().slice(start, sizes[index]);
}

//===----------------------------------------------------------------------===//
// Assembly format
//===----------------------------------------------------------------------===//

/// Distributes `count` entries, of which those in `absent` stand for nothing,
/// over the groups of `parameters`.
static FailureOr<SmallVector<int32_t>>
distribute(OpAsmParser &parser, SMLoc loc, ArrayRef<Parameter> parameters,
           ArrayRef<bool> absent, StringRef what) {
  SmallVector<int32_t> sizes;
  unsigned next = 0;
  for (const Parameter &parameter : parameters) {
    if (parameter.option == Parameter::Variadic) {
      int32_t size = absent.size() - std::min<size_t>(next, absent.size());
      if (llvm::is_contained(absent.drop_front(absent.size() - size), true))
        return parser.emitError(loc, "'none' in the variadic ")
               << what << " '" << parameter.name << "'";
      sizes.push_back(size);
      next += size;
      continue;
    }
    bool isAbsent = next >= absent.size() || absent[next];
    ++next;
    if (isAbsent && parameter.option == Parameter::Single)
      return parser.emitError(loc, "expected the ")
             << what << " '" << parameter.name << "'";
    sizes.push_back(isAbsent ? 0 : 1);
  }
  if (next < absent.size())
    return parser.emitError(loc, "expected at most ")
           << parameters.size() << " " << what << "s, but got "
           << absent.size();
  return sizes;
}

static void addSegments(OpAsmParser &parser, OperationState &result,
                        StringRef attrName, ArrayRef<Parameter> parameters,
                        ArrayRef<int32_t> sizes) {
  if (countVariableLength(parameters) > 1)
    result.addAttribute(attrName,
                        parser.getBuilder().getDenseI32ArrayAttr(sizes));
}

static ParseResult
parseOperands(OpAsmParser &parser,
              SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands,
              SmallVectorImpl<bool> &absent) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, [&] {
    if (succeeded(parser.parseOptionalKeyword("none"))) {
      absent.push_back(true);
      return ParseResult(success());
    }
    absent.push_back(false);
    return parser.parseOperand(operands.emplace_back());
  });
}

static ParseResult parseRegions(OpAsmParser &parser, OperationState &result,
                                const OpSignature &signature) {
  for (StringRef name : signature.regions) {
    Region *region = result.addRegion();
    if (succeeded(parser.parseOptionalKeyword(name)) &&
        parser.parseRegion(*region))
      return failure();
  }
  return success();
}

ParseResult omb::onnx::parseOp(OpAsmParser &parser, OperationState &result,
                               const OpSignature &signature) {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<bool> absent;
  SMLoc operandsLoc = parser.getCurrentLocation();
  if (parseOperands(parser, operands, absent))
    return failure();
  FailureOr<SmallVector<int32_t>> sizes =
      distribute(parser, operandsLoc, signature.operands, absent, "operand");
  FunctionType type;
  SMLoc typeLoc;
  SMLoc attributesLoc = parser.getCurrentLocation();
  if (failed(sizes) || parser.parseOptionalAttrDict(result.attributes) ||
      failed(result.name.verifyInherentAttrs(
          result.attributes,
          [&] { return parser.emitError(attributesLoc); })) ||
      parser.parseColon() || parser.getCurrentLocation(&typeLoc) ||
      parser.parseType(type))
    return failure();
  addSegments(parser, result, kOperandSegments, signature.operands, *sizes);
  SmallVector<bool> absentResults = llvm::map_to_vector(
      type.getResults(), [](Type t) { return isa<NoneType>(t); });
  sizes =
      distribute(parser, typeLoc, signature.results, absentResults, "result");
  if (failed(sizes))
    return failure();
  addSegments(parser, result, kResultSegments, signature.results, *sizes);
  for (Type resultType : type.getResults())
    if (!isa<NoneType>(resultType))
      result.addTypes(resultType);
  return failure(parser.resolveOperands(operands, type.getInputs(), operandsLoc,
                                        result.operands) ||
                 parseRegions(parser, result, signature));
}

/// One entry per operand or result that is there, a null for each absent one
/// before the last that is.
template <typename Range>
static SmallVector<Value> withGaps(Range values, ArrayRef<int32_t> sizes) {
  SmallVector<Value> entries;
  auto next = values.begin();
  for (int32_t size : sizes) {
    if (size == 0)
      entries.push_back(Value());
    for (int32_t i = 0; i < size; ++i)
      entries.push_back(*next++);
  }
  while (!entries.empty() && !entries.back())
    entries.pop_back();
  return entries;
}

static void printResultTypes(OpAsmPrinter &printer, ArrayRef<Value> results) {
  bool parens = results.size() != 1 || isa<FunctionType>(results[0].getType());
  if (parens)
    printer << "(";
  llvm::interleaveComma(results, printer, [&](Value value) {
    if (value)
      printer << value.getType();
    else
      printer << "none";
  });
  if (parens)
    printer << ")";
}

void omb::onnx::printOp(OpAsmPrinter &printer, Operation *op,
                        const OpSignature &signature) {
  printer << "(";
  llvm::interleaveComma(
      withGaps(op->getOperands(), getOperandSizes(op, signature)), printer,
      [&](Value value) {
        if (value)
          printer << value;
        else
          printer << "none";
      });
  printer << ")";
  printer.printOptionalAttrDict(op->getAttrs(),
                                {kOperandSegments, kResultSegments});
  printer << " : (" << op->getOperandTypes() << ") -> ";
  printResultTypes(printer,
                   withGaps(op->getResults(), getResultSizes(op, signature)));
  for (auto [region, name] : llvm::zip(op->getRegions(), signature.regions)) {
    if (region.empty())
      continue;
    printer << " " << name << " ";
    printer.printRegion(region);
  }
}

//===----------------------------------------------------------------------===//
// Type variables
//===----------------------------------------------------------------------===//

LogicalResult omb::onnx::verifyTypeVariables(Operation *op,
                                             const OpSignature &signature) {
  llvm::SmallDenseMap<StringRef, std::pair<Type, StringRef>> bound;
  auto bind = [&](const Parameter &parameter,
                  ValueRange values) -> LogicalResult {
    if (parameter.typeVariable.empty())
      return success();
    for (Value value : values) {
      Type type = withoutShape(value.getType());
      auto [it, isNew] = bound.try_emplace(parameter.typeVariable, type,
                                           StringRef(parameter.name));
      if (!isNew && it->second.first != type)
        return op->emitOpError("type constraint ")
               << parameter.typeVariable << " is one type, but "
               << it->second.second << " has " << it->second.first << " and "
               << parameter.name << " has " << type;
    }
    return success();
  };
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                SmallVector<Type>(op->getResultTypes())))
    if (std::string why = findQuantizationObstacle(type); !why.empty())
      return op->emitOpError("has the type ") << type << ", which " << why;
  if (std::string why = findSparsityObstacle(op); !why.empty())
    return op->emitOpError("can't be sparse: ") << why;
  for (auto [index, parameter] : llvm::enumerate(signature.operands))
    if (failed(bind(parameter, getOperandGroup(op, signature, index))))
      return failure();
  for (auto [index, parameter] : llvm::enumerate(signature.results))
    if (failed(bind(parameter, getResultGroup(op, signature, index))))
      return failure();
  return success();
}
