//===- Contents.cpp - Arithmetic on the contents of tensors ---------------===//

#include "dialect/shape/Contents.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::onnx;

int64_t omb::onnx::getLowerBound(const ShapeAnalysis &analysis, DimExpr expr) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::min();
  if (std::optional<int64_t> constant = getConstantSize(expr))
    return *constant;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return analysis.isAnonymous(expr) ? kNone : 0;
  int64_t lhs = getLowerBound(analysis, binary.getLHS());
  int64_t rhs = getLowerBound(analysis, binary.getRHS());
  int64_t bound;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs == kNone || rhs == kNone || llvm::AddOverflow(lhs, rhs, bound)
               ? kNone
               : bound;
  case AffineExprKind::Mul:
    return lhs < 0 || rhs < 0 || llvm::MulOverflow(lhs, rhs, bound) ? kNone
                                                                    : bound;
  case AffineExprKind::FloorDiv:
  case AffineExprKind::CeilDiv:
    return lhs >= 0 && rhs > 0 ? 0 : kNone;
  case AffineExprKind::Mod:
    return 0;
  default:
    return kNone;
  }
}

DimExpr ContentsArithmetic::constant(int64_t number) const {
  APInt wrapped(type.getWidth(), number, /*isSigned=*/true,
                /*implicitTrunc=*/true);
  bool isUnsigned = type.isUnsigned() || type.getWidth() == 1;
  return analysis.getConstant(isUnsigned ? int64_t(wrapped.getZExtValue())
                                         : wrapped.getSExtValue());
}

DimExpr ContentsArithmetic::boolean(std::optional<bool> value) const {
  return value ? analysis.getConstant(*value) : DimExpr();
}

DimExpr ContentsArithmetic::symbolic(DimExpr expr) const {
  if (std::optional<int64_t> number = getConstantSize(expr))
    return constant(*number);
  return type.isSignless() && type.getWidth() >= 32 ? expr : DimExpr();
}

/// The numbers of a pair, where both are.
static std::optional<std::pair<int64_t, int64_t>> getNumbers(DimExpr lhs,
                                                             DimExpr rhs) {
  std::optional<int64_t> left = getConstantSize(lhs);
  std::optional<int64_t> right = getConstantSize(rhs);
  if (!left || !right)
    return std::nullopt;
  return std::make_pair(*left, *right);
}

DimExpr ContentsArithmetic::add(DimExpr lhs, DimExpr rhs) const {
  if (auto numbers = getNumbers(lhs, rhs))
    return constant(uint64_t(numbers->first) + uint64_t(numbers->second));
  return symbolic(lhs + rhs);
}

DimExpr ContentsArithmetic::sub(DimExpr lhs, DimExpr rhs) const {
  if (auto numbers = getNumbers(lhs, rhs))
    return constant(uint64_t(numbers->first) - uint64_t(numbers->second));
  return symbolic(lhs - rhs);
}

DimExpr ContentsArithmetic::mul(DimExpr lhs, DimExpr rhs) const {
  if (auto numbers = getNumbers(lhs, rhs))
    return constant(uint64_t(numbers->first) * uint64_t(numbers->second));
  return symbolic(lhs * rhs);
}

DimExpr ContentsArithmetic::div(DimExpr lhs, DimExpr rhs) const {
  std::optional<int64_t> divisor = getConstantSize(rhs);
  if (!divisor || *divisor == 0)
    return {};
  if (std::optional<int64_t> dividend = getConstantSize(lhs))
    return constant(*divisor == -1 ? int64_t(0 - uint64_t(*dividend))
                                   : *dividend / *divisor);
  if (*divisor < 0 || getLowerBound(lhs) < 0)
    return {};
  return symbolic(lhs.floorDiv(*divisor));
}

DimExpr ContentsArithmetic::mod(DimExpr lhs, DimExpr rhs,
                                bool truncated) const {
  std::optional<int64_t> divisor = getConstantSize(rhs);
  if (!divisor || *divisor == 0)
    return {};
  if (std::optional<int64_t> dividend = getConstantSize(lhs)) {
    int64_t remainder = *divisor == -1 ? 0 : *dividend % *divisor;
    bool differs = remainder != 0 && (remainder < 0) != (*divisor < 0);
    return constant(!truncated && differs ? remainder + *divisor : remainder);
  }
  if (*divisor < 0 || (truncated && getLowerBound(lhs) < 0))
    return {};
  return symbolic(lhs % *divisor);
}

std::optional<bool> ContentsArithmetic::less(DimExpr lhs, DimExpr rhs) const {
  if (auto numbers = getNumbers(lhs, rhs))
    return numbers->first < numbers->second;
  if (getLowerBound(rhs - lhs) > 0)
    return true;
  if (getLowerBound(lhs - rhs) >= 0)
    return false;
  return std::nullopt;
}

std::optional<bool> ContentsArithmetic::equal(DimExpr lhs, DimExpr rhs) const {
  if (lhs == rhs)
    return true;
  if (getNumbers(lhs, rhs) || less(lhs, rhs) == true || less(rhs, lhs) == true)
    return false;
  return std::nullopt;
}

DimExpr ContentsArithmetic::max(DimExpr lhs, DimExpr rhs) const {
  std::optional<bool> isLess = less(lhs, rhs);
  if (!isLess)
    return {};
  return *isLess ? rhs : lhs;
}

DimExpr ContentsArithmetic::min(DimExpr lhs, DimExpr rhs) const {
  std::optional<bool> isLess = less(lhs, rhs);
  if (!isLess)
    return {};
  return *isLess ? lhs : rhs;
}

DimExpr ContentsArithmetic::cast(DimExpr element) const {
  // To bool is a comparison with zero.
  if (type.getWidth() != 1)
    return symbolic(element);
  if (std::optional<int64_t> number = getConstantSize(element))
    return boolean(*number != 0);
  return boolean(getLowerBound(element) > 0 ? std::optional(true)
                                            : std::nullopt);
}

//===----------------------------------------------------------------------===//
// Whole tensors
//===----------------------------------------------------------------------===//

/// The sizes as numbers; nullopt where one is not.
static std::optional<SmallVector<int64_t>> getSizes(const Shape &shape) {
  SmallVector<int64_t> sizes;
  for (DimExpr dim : shape) {
    std::optional<int64_t> size = getConstantSize(dim);
    if (!size)
      return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

/// Where the element of an operand of sizes `sizes` lies that meets element
/// `position` of a result of sizes `resultSizes`.
static int64_t getOperandPosition(int64_t position,
                                  ArrayRef<int64_t> resultSizes,
                                  ArrayRef<int64_t> sizes) {
  int64_t operandPosition = 0;
  int64_t stride = 1;
  for (size_t back = 1; back <= resultSizes.size(); ++back) {
    int64_t size = resultSizes[resultSizes.size() - back];
    int64_t at = position % size;
    position /= size;
    if (back > sizes.size())
      break;
    int64_t operandSize = sizes[sizes.size() - back];
    operandPosition += operandSize == 1 ? 0 : at * stride;
    stride *= operandSize;
  }
  return operandPosition;
}

void omb::onnx::propagateContents(
    Operation *op, ShapeAnalysis &analysis,
    function_ref<DimExpr(const ContentsArithmetic &, ArrayRef<DimExpr>)>
        evaluate) {
  Value result = op->getResult(0);
  auto type = dyn_cast<IntegerType>(getElementTypeOrSelf(result.getType()));
  std::optional<Shape> resultShape = analysis.getShape(result);
  if (!type || (type.isUnsigned() && type.getWidth() == 64) || !resultShape)
    return;
  std::optional<SmallVector<int64_t>> resultSizes = getSizes(*resultShape);
  if (!resultSizes)
    return;
  SmallVector<Shape> contents;
  SmallVector<SmallVector<int64_t>> sizes;
  for (Value operand : op->getOperands()) {
    std::optional<Shape> elements = analysis.getContents(operand);
    std::optional<Shape> shape = analysis.getShape(operand);
    std::optional<SmallVector<int64_t>> operandSizes =
        shape ? getSizes(*shape) : std::nullopt;
    if (!elements || !operandSizes ||
        ShapedType::getNumElements(*operandSizes) != int64_t(elements->size()))
      return;
    contents.push_back(*elements);
    sizes.push_back(*operandSizes);
  }
  ContentsArithmetic arithmetic(analysis, type);
  Shape known;
  int64_t count = ShapedType::getNumElements(*resultSizes);
  for (int64_t position = 0; position < count; ++position) {
    SmallVector<DimExpr> elements;
    for (auto [operand, operandSizes] : llvm::zip(contents, sizes))
      elements.push_back(
          operand[getOperandPosition(position, *resultSizes, operandSizes)]);
    DimExpr element = evaluate(arithmetic, elements);
    known.push_back(element ? element : analysis.getUnknown());
  }
  analysis.setContents(result, known);
}
