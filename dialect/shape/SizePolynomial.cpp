//===- SizePolynomial.cpp - Arithmetic on symbolic sizes ------------------===//

#include "dialect/shape/SizePolynomial.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <map>

using namespace mlir;
using namespace omb::onnx;

/// A total order that doesn't depend on addresses.
static int compare(AffineExpr lhs, AffineExpr rhs) {
  if (lhs == rhs)
    return 0;
  if (lhs.getKind() != rhs.getKind()) {
    // Symbols first, then what is computed from them.
    bool lhsIsSymbol = isa<AffineSymbolExpr>(lhs);
    if (lhsIsSymbol != isa<AffineSymbolExpr>(rhs))
      return lhsIsSymbol ? -1 : 1;
    return lhs.getKind() < rhs.getKind() ? -1 : 1;
  }
  if (auto symbol = dyn_cast<AffineSymbolExpr>(lhs))
    return symbol.getPosition() < cast<AffineSymbolExpr>(rhs).getPosition() ? -1
                                                                            : 1;
  if (auto constant = dyn_cast<AffineConstantExpr>(lhs))
    return constant.getValue() < cast<AffineConstantExpr>(rhs).getValue() ? -1
                                                                          : 1;
  auto lhsBinary = cast<AffineBinaryOpExpr>(lhs);
  auto rhsBinary = cast<AffineBinaryOpExpr>(rhs);
  if (int order = compare(lhsBinary.getLHS(), rhsBinary.getLHS()))
    return order;
  return compare(lhsBinary.getRHS(), rhsBinary.getRHS());
}

namespace {

/// Factors that are no sums or products, in order.
using Monomial = SmallVector<AffineExpr, 4>;

struct MonomialOrder {
  bool operator()(const Monomial &lhs, const Monomial &rhs) const {
    // Products before their factors, the constant last.
    if (lhs.size() != rhs.size())
      return lhs.size() > rhs.size();
    for (auto [left, right] : llvm::zip(lhs, rhs))
      if (int order = compare(left, right))
        return order < 0;
    return false;
  }
};

/// The coefficient of each monomial; none is 0.
using Polynomial = std::map<Monomial, int64_t, MonomialOrder>;

} // namespace

/// Sums of more terms than this aren't worth the comparison.
static constexpr size_t kMaxTerms = 64;

static bool addTerm(Polynomial &sum, const Monomial &monomial,
                    int64_t coefficient) {
  int64_t &total = sum[monomial];
  if (llvm::AddOverflow(total, coefficient, total))
    return false;
  if (total == 0)
    sum.erase(monomial);
  return sum.size() <= kMaxTerms;
}

static std::optional<Polynomial> multiply(const Polynomial &lhs,
                                          const Polynomial &rhs) {
  Polynomial product;
  for (const auto &[left, leftCoefficient] : lhs) {
    for (const auto &[right, rightCoefficient] : rhs) {
      Monomial monomial(left);
      llvm::append_range(monomial, right);
      llvm::sort(monomial,
                 [](AffineExpr a, AffineExpr b) { return compare(a, b) < 0; });
      int64_t coefficient;
      if (llvm::MulOverflow(leftCoefficient, rightCoefficient, coefficient) ||
          !addTerm(product, monomial, coefficient))
        return std::nullopt;
    }
  }
  return product;
}

/// nullopt where a coefficient doesn't fit 64 bits.
static std::optional<Polynomial> parse(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    Polynomial result;
    if (constant.getValue() != 0)
      result[{}] = constant.getValue();
    return result;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return Polynomial{{{expr}, 1}};
  AffineExprKind kind = expr.getKind();
  if (kind != AffineExprKind::Add && kind != AffineExprKind::Mul)
    return Polynomial{
        {{getAffineBinaryOpExpr(kind, normalizeSize(binary.getLHS()),
                                normalizeSize(binary.getRHS()))},
         1}};
  std::optional<Polynomial> lhs = parse(binary.getLHS());
  std::optional<Polynomial> rhs = parse(binary.getRHS());
  if (!lhs || !rhs)
    return std::nullopt;
  if (kind == AffineExprKind::Mul)
    return multiply(*lhs, *rhs);
  for (const auto &[monomial, coefficient] : *rhs)
    if (!addTerm(*lhs, monomial, coefficient))
      return std::nullopt;
  return lhs;
}

static AffineExpr build(const Polynomial &polynomial, MLIRContext *context) {
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (const auto &[monomial, coefficient] : polynomial) {
    AffineExpr product = getAffineConstantExpr(1, context);
    for (AffineExpr factor : monomial)
      product = product * factor;
    sum = sum + product * coefficient;
  }
  return sum;
}

DimExpr omb::onnx::normalizeSize(DimExpr expr) {
  std::optional<Polynomial> polynomial = parse(expr);
  return polynomial ? build(*polynomial, expr.getContext()) : expr;
}

//===----------------------------------------------------------------------===//
// Division
//===----------------------------------------------------------------------===//

/// The greatest common divisor of all coefficients.
static int64_t getContent(const Polynomial &polynomial) {
  uint64_t divisor = 0;
  for (const auto &[monomial, coefficient] : polynomial)
    divisor = std::gcd(divisor, static_cast<uint64_t>(std::abs(coefficient)));
  return divisor;
}

static bool isDivisible(const Polynomial &polynomial, AffineExpr factor) {
  return llvm::all_of(polynomial, [&](const auto &term) {
    return llvm::is_contained(term.first, factor);
  });
}

/// Divides by `factor`, which is in every term.
static Polynomial withoutFactor(const Polynomial &polynomial,
                                AffineExpr factor) {
  Polynomial result;
  for (const auto &[monomial, coefficient] : polynomial) {
    Monomial rest(monomial);
    rest.erase(llvm::find(rest, factor));
    result[rest] = coefficient;
  }
  return result;
}

DimExpr omb::onnx::divideExactly(DimExpr numerator, DimExpr denominator) {
  std::optional<Polynomial> top = parse(numerator);
  std::optional<Polynomial> bottom = parse(denominator);
  if (!top || !bottom)
    return numerator.floorDiv(denominator);
  if (bottom->empty())
    return DimExpr();
  if (top->empty())
    return getAffineConstantExpr(0, numerator.getContext());
  if (*top == *bottom)
    return getAffineConstantExpr(1, numerator.getContext());
  Monomial factors = bottom->begin()->first;
  for (AffineExpr factor : factors) {
    if (!isDivisible(*top, factor) || !isDivisible(*bottom, factor))
      continue;
    top = withoutFactor(*top, factor);
    bottom = withoutFactor(*bottom, factor);
  }
  if (int64_t divisor = std::gcd(getContent(*top), getContent(*bottom));
      divisor > 1) {
    for (auto &term : *top)
      term.second /= divisor;
    for (auto &term : *bottom)
      term.second /= divisor;
  }
  AffineExpr quotient = build(*top, numerator.getContext());
  AffineExpr rest = build(*bottom, numerator.getContext());
  if (quotient == rest)
    return getAffineConstantExpr(1, numerator.getContext());
  return rest == 1 ? quotient : quotient.floorDiv(rest);
}

//===----------------------------------------------------------------------===//
// Signs
//===----------------------------------------------------------------------===//

static bool isNonNegativeFactor(AffineExpr factor,
                                const ShapeAnalysis &analysis) {
  if (isa<AffineSymbolExpr>(factor))
    return !analysis.isAnonymous(factor);
  auto binary = dyn_cast<AffineBinaryOpExpr>(factor);
  return binary && isNonNegative(binary.getLHS(), analysis) &&
         isNonNegative(binary.getRHS(), analysis);
}

bool omb::onnx::isNonNegative(DimExpr expr, const ShapeAnalysis &analysis) {
  std::optional<Polynomial> polynomial = parse(expr);
  return polynomial && llvm::all_of(*polynomial, [&](const auto &term) {
           return term.second > 0 &&
                  llvm::all_of(term.first, [&](AffineExpr factor) {
                    return isNonNegativeFactor(factor, analysis);
                  });
         });
}
