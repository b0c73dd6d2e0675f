//===- ShapeInference.cpp - Symbolic shapes of ONNX values ----------------===//

#include "dialect/shape/ShapeInference.h"

#include "dialect/ir/OnnxDialect.h"
#include "dialect/shape/Families.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace omb::onnx;

#include "dialect/shape/ShapeInference.cpp.inc"

void omb::onnx::attachShapeInference(MLIRContext &context) {
  attachActivationShapes(context);
  attachConstantShapes(context);
  attachControlFlowShapes(context);
  attachConvolutionShapes(context);
  attachDataMovementShapes(context);
  attachElementwiseShapes(context);
  attachIndexingShapes(context);
  attachLogicalShapes(context);
  attachMatmulShapes(context);
  attachNormalizationShapes(context);
  attachPoolingShapes(context);
  attachQuantizationShapes(context);
  attachRandomShapes(context);
  attachRecurrentShapes(context);
  attachReductionShapes(context);
  attachReshapingShapes(context);
  attachResizeShapes(context);
  attachSequenceShapes(context);
  attachSignalShapes(context);
}

//===----------------------------------------------------------------------===//
// Dimensions
//===----------------------------------------------------------------------===//

std::optional<int64_t> omb::onnx::getConstantSize(DimExpr dim) {
  if (auto constant = dyn_cast<AffineConstantExpr>(dim))
    return constant.getValue();
  return std::nullopt;
}

std::optional<int64_t> omb::onnx::normalizeAxis(int64_t axis, int64_t rank) {
  int64_t normalized = axis < 0 ? axis + rank : axis;
  if (normalized < 0 || normalized >= rank)
    return std::nullopt;
  return normalized;
}

DimExpr omb::onnx::getProduct(ArrayRef<DimExpr> dims, MLIRContext *context) {
  DimExpr product = getAffineConstantExpr(1, context);
  for (DimExpr dim : dims)
    product = product * dim;
  return product;
}

DimExpr ShapeAnalysis::getConstant(int64_t size) const {
  return getAffineConstantExpr(size, context);
}

DimExpr ShapeAnalysis::getSymbol(StringRef name) {
  auto [it, isNew] = symbols.try_emplace(name, names.size());
  if (isNew)
    names.push_back(name.str());
  return getAffineSymbolExpr(it->second, context);
}

DimExpr ShapeAnalysis::getUnknown() {
  return getSymbol(("?" + Twine(unknowns++)).str());
}

/// Names with a '?' were made by getUnknown(); the importer gives no such name.
static bool isAnonymousName(StringRef name) { return name.contains('?'); }

bool ShapeAnalysis::isOlder(DimExpr dim, unsigned numSymbols) const {
  bool isOlder = true;
  dim.walk([&](AffineExpr expr) {
    auto symbol = dyn_cast<AffineSymbolExpr>(expr);
    isOlder &= !symbol || symbol.getPosition() < numSymbols;
  });
  return isOlder;
}

bool ShapeAnalysis::isAnonymous(DimExpr dim) const {
  auto symbol = dyn_cast<AffineSymbolExpr>(dim);
  return symbol && isAnonymousName(names[symbol.getPosition()]);
}

DimExpr ShapeAnalysis::getDeclared(StringRef name) {
  if (!isAnonymousName(name))
    return getSymbol(name);
  // An unknown of an earlier analysis must not meet one of this one.
  DimExpr &dim = earlierUnknowns[name];
  if (!dim)
    dim = getUnknown();
  return dim;
}

std::string ShapeAnalysis::getName(DimExpr dim) const {
  if (auto symbol = dyn_cast<AffineSymbolExpr>(dim))
    return names[symbol.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(dim))
    return std::to_string(constant.getValue());
  auto binary = cast<AffineBinaryOpExpr>(dim);
  auto operand = [&](DimExpr expr) {
    std::string name = getName(expr);
    return isa<AffineBinaryOpExpr>(expr) ? "(" + name + ")" : name;
  };
  StringRef infix;
  switch (dim.getKind()) {
  case AffineExprKind::Add:
    infix = " + ";
    break;
  case AffineExprKind::Mul:
    infix = " * ";
    break;
  case AffineExprKind::Mod:
    infix = " mod ";
    break;
  case AffineExprKind::FloorDiv:
    infix = " floordiv ";
    break;
  case AffineExprKind::CeilDiv:
    infix = " ceildiv ";
    break;
  default:
    llvm_unreachable("not a binary expression");
  }
  return operand(binary.getLHS()) + infix.str() + operand(binary.getRHS());
}

DimExpr ShapeAnalysis::merge(DimExpr lhs, DimExpr rhs) {
  std::optional<int64_t> lhsSize = getConstantSize(lhs);
  std::optional<int64_t> rhsSize = getConstantSize(rhs);
  if (lhsSize && rhsSize)
    return *lhsSize == *rhsSize ? lhs : DimExpr();
  if (lhsSize)
    return lhs;
  if (rhsSize)
    return rhs;
  return isAnonymous(lhs) ? rhs : lhs;
}

DimExpr ShapeAnalysis::broadcast(DimExpr lhs, DimExpr rhs) {
  if (lhs == rhs)
    return lhs;
  std::optional<int64_t> lhsSize = getConstantSize(lhs);
  std::optional<int64_t> rhsSize = getConstantSize(rhs);
  if (lhsSize == 1)
    return rhs;
  if (rhsSize == 1)
    return lhs;
  if (lhsSize && rhsSize)
    return DimExpr();
  // A size other than 1 wins: the other is 1 or the same.
  if (lhsSize)
    return lhs;
  if (rhsSize)
    return rhs;
  return getUnknown();
}

FailureOr<Shape> ShapeAnalysis::broadcast(Operation *op,
                                          ArrayRef<Shape> operands) {
  size_t rank = 0;
  for (const Shape &shape : operands)
    rank = std::max(rank, shape.size());
  Shape result(rank, getConstant(1));
  for (const Shape &shape : operands) {
    size_t offset = rank - shape.size();
    for (auto [index, dim] : llvm::enumerate(shape)) {
      DimExpr &size = result[offset + index];
      DimExpr both = broadcast(size, dim);
      if (!both)
        return op->emitOpError("can't broadcast dimension ")
               << offset + index << ": its sizes are " << getName(size)
               << " and " << getName(dim);
      size = both;
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// The tensor that a value of `type` is or holds; null for other types.
static TensorType getHeldTensor(Type type) {
  if (auto optional = dyn_cast<OptionalType>(type))
    type = optional.getElementType();
  if (auto sequence = dyn_cast<SeqType>(type))
    type = sequence.getElementType();
  return dyn_cast<TensorType>(type);
}

/// `type` with `tensor` for the tensor that it is or holds.
static Type replaceHeldTensor(Type type, TensorType tensor) {
  if (auto optional = dyn_cast<OptionalType>(type))
    return OptionalType::get(
        replaceHeldTensor(optional.getElementType(), tensor));
  if (isa<SeqType>(type))
    return SeqType::get(tensor);
  return tensor;
}

std::optional<Shape> ShapeAnalysis::getShape(Value value) {
  if (auto it = shapes.find(value); it != shapes.end())
    return it->second;
  if (unranked.contains(value))
    return std::nullopt;
  auto type =
      dyn_cast_if_present<RankedTensorType>(getHeldTensor(value.getType()));
  if (!type)
    return std::nullopt;
  // A name in a sequence's type may stand for another size in each element.
  auto dims = type == value.getType()
                  ? dyn_cast_if_present<DimsAttr>(type.getEncoding())
                  : nullptr;
  Shape shape;
  for (auto [index, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size))
      shape.push_back(getConstant(size));
    else if (dims && !dims.getNames()[index].empty())
      shape.push_back(getDeclared(dims.getNames()[index]));
    else
      shape.push_back(getUnknown());
  }
  // Kept, so that an unknown size stays the same one.
  shapes[value] = shape;
  return shape;
}

std::optional<Shape> ShapeAnalysis::getContents(Value value) {
  if (auto it = contents.find(value); it != contents.end())
    return it->second;
  DenseIntElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) ||
      elements.getNumElements() > kMaxContents)
    return std::nullopt;
  bool isUnsigned = elements.getElementType().isUnsignedInteger() ||
                    elements.getElementType().isInteger(1);
  Shape result;
  for (const APInt &element : elements) {
    // Numbers of 64 bits without a sign may be too large for a size.
    if (isUnsigned && element.getActiveBits() > 63)
      return std::nullopt;
    result.push_back(getConstant(isUnsigned ? element.getZExtValue()
                                            : element.getSExtValue()));
  }
  return result;
}

std::optional<SmallVector<int64_t>> ShapeAnalysis::getIntegers(Value value) {
  std::optional<Shape> known = getContents(value);
  if (!known)
    return std::nullopt;
  SmallVector<int64_t> integers;
  for (DimExpr element : *known) {
    std::optional<int64_t> integer = getConstantSize(element);
    if (!integer)
      return std::nullopt;
    integers.push_back(*integer);
  }
  return integers;
}

LogicalResult ShapeAnalysis::setShape(Value result, ArrayRef<DimExpr> shape) {
  if (!result)
    return success();
  std::optional<Shape> declared = getShape(result);
  if (!declared) {
    shapes[result] = Shape(shape);
    return success();
  }
  Operation *op = result.getDefiningOp();
  if (declared->size() != shape.size())
    return op->emitOpError("has a result of rank ")
           << declared->size() << ", but its operands give rank "
           << shape.size();
  Shape merged;
  for (auto [index, dims] : llvm::enumerate(llvm::zip(*declared, shape))) {
    auto [was, is] = dims;
    merged.push_back(merge(is, was));
    if (!merged.back())
      return op->emitOpError("has a result whose dimension ")
             << index << " is " << getName(was) << ", but its operands give "
             << getName(is);
  }
  shapes[result] = merged;
  return success();
}

void ShapeAnalysis::setContents(Value result, ArrayRef<DimExpr> elements) {
  if (result && int64_t(elements.size()) <= kMaxContents)
    contents[result] = Shape(elements);
}

void ShapeAnalysis::setArgumentShape(Value argument,
                                     std::optional<Shape> shape) {
  forget(argument);
  if (shape)
    shapes[argument] = *shape;
  else
    unranked.insert(argument);
}

void ShapeAnalysis::forget(ValueRange values) {
  for (Value value : values) {
    shapes.erase(value);
    contents.erase(value);
    unranked.erase(value);
    emptySequences.erase(value);
  }
}

void ShapeAnalysis::forget(Region &region) {
  region.walk([&](Block *block) {
    forget(block->getArguments());
    for (Operation &op : *block) {
      forget(op.getResults());
      assumptions.erase(&op);
    }
  });
}

std::optional<bool> ShapeAnalysis::getAssumption(Operation *op) const {
  auto it = assumptions.find(op);
  return it == assumptions.end() ? std::nullopt : std::optional(it->second);
}

std::optional<Shape> ShapeAnalysis::join(const std::optional<Shape> &lhs,
                                         const std::optional<Shape> &rhs) {
  if (!lhs || !rhs || lhs->size() != rhs->size())
    return std::nullopt;
  Shape result;
  for (auto [left, right] : llvm::zip(*lhs, *rhs))
    result.push_back(left == right ? left : getUnknown());
  return result;
}

Type ShapeAnalysis::refine(Value value) {
  TensorType type = getHeldTensor(value.getType());
  if (type && unranked.contains(value))
    return replaceHeldTensor(value.getType(),
                             UnrankedTensorType::get(type.getElementType()));
  std::optional<Shape> shape = type ? getShape(value) : std::nullopt;
  if (!shape)
    return value.getType();
  Attribute encoding;
  if (auto ranked = dyn_cast<RankedTensorType>(type))
    encoding = ranked.getEncoding();
  if (encoding && !isa<DimsAttr>(encoding))
    return value.getType();
  SmallVector<int64_t> sizes;
  SmallVector<StringAttr> dimNames;
  bool isNamed = false;
  for (DimExpr dim : *shape) {
    std::optional<int64_t> size = getConstantSize(dim);
    sizes.push_back(size.value_or(ShapedType::kDynamic));
    std::string name = size ? "" : getName(dim);
    isNamed |= !name.empty();
    dimNames.push_back(StringAttr::get(context, name));
  }
  encoding = isNamed && type == value.getType()
                 ? DimsAttr::get(context, dimNames)
                 : nullptr;
  return replaceHeldTensor(
      value.getType(),
      RankedTensorType::get(sizes, type.getElementType(), encoding));
}
