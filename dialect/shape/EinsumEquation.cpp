//===- EinsumEquation.cpp - The equation of an Einsum ---------------------===//

#include "dialect/shape/EinsumEquation.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// The letters of one operand or of the result, and where its ellipsis is.
struct Term {
  SmallVector<int64_t> letters;
  std::optional<size_t> ellipsis;

  /// The labels, with `count` dimensions for the ellipsis.
  SmallVector<int64_t> getLabels(int64_t count) const {
    SmallVector<int64_t> labels(letters);
    SmallVector<int64_t> batch;
    for (int64_t label = -count; label < 0; ++label)
      batch.push_back(label);
    if (ellipsis)
      labels.insert(labels.begin() + *ellipsis, batch.begin(), batch.end());
    return labels;
  }
};

} // namespace

static FailureOr<Term> parseTerm(Operation *op, StringRef text) {
  Term term;
  while (!text.empty()) {
    if (text.consume_front("...")) {
      if (term.ellipsis)
        return op->emitOpError("has an equation with two ellipses in a term");
      term.ellipsis = term.letters.size();
      continue;
    }
    if (!llvm::isAlpha(text.front()))
      return op->emitOpError("has an equation with '")
             << text.take_front() << "', which is no letter";
    term.letters.push_back(text.front());
    text = text.drop_front();
  }
  return term;
}

/// Without "->", the result has the ellipsis and the letters that occur once.
static Term getImplicitResult(ArrayRef<Term> operands) {
  std::map<int64_t, int64_t> counts;
  for (const Term &term : operands)
    for (int64_t letter : term.letters)
      ++counts[letter];
  Term result;
  result.ellipsis = 0;
  for (auto [letter, count] : counts)
    if (count == 1)
      result.letters.push_back(letter);
  return result;
}

static LogicalResult checkResult(Operation *op, const Term &result,
                                 ArrayRef<Term> operands) {
  for (size_t i = 0; i < result.letters.size(); ++i) {
    int64_t letter = result.letters[i];
    std::string name(1, char(letter));
    if (llvm::is_contained(ArrayRef(result.letters).take_front(i), letter))
      return op->emitOpError("has an equation with '")
             << name << "' twice in the result";
    if (llvm::none_of(operands, [&](const Term &term) {
          return llvm::is_contained(term.letters, letter);
        }))
      return op->emitOpError("has an equation with '")
             << name << "' in the result, but in no operand";
  }
  return success();
}

FailureOr<EinsumEquation> omb::onnx::parseEinsum(Operation *op,
                                                 StringRef equation,
                                                 ArrayRef<int64_t> ranks) {
  std::string text;
  llvm::copy_if(equation, std::back_inserter(text),
                [](char c) { return c != ' '; });
  auto [left, right] = StringRef(text).split("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  if (parts.size() != ranks.size())
    return op->emitOpError("has an equation of ")
           << parts.size() << " operands, but " << ranks.size() << " operands";

  SmallVector<Term> terms;
  int64_t batchRank = 0;
  for (auto [index, part] : llvm::enumerate(parts)) {
    FailureOr<Term> term = parseTerm(op, part);
    if (failed(term))
      return failure();
    int64_t batch = ranks[index] - int64_t(term->letters.size());
    if (batch < 0 || (batch > 0 && !term->ellipsis))
      return op->emitOpError("has an operand ")
             << index << " of rank " << ranks[index]
             << ", but an equation of rank " << term->letters.size()
             << " for it";
    batchRank = std::max(batchRank, batch);
    terms.push_back(*term);
  }

  EinsumEquation labels;
  for (auto [term, rank] : llvm::zip(terms, ranks))
    labels.operands.push_back(
        term.getLabels(rank - int64_t(term.letters.size())));
  bool isExplicit = StringRef(text).contains("->");
  FailureOr<Term> result =
      isExplicit ? parseTerm(op, right) : getImplicitResult(terms);
  if (failed(result) || failed(checkResult(op, *result, terms)))
    return failure();
  labels.result = result->getLabels(batchRank);
  return labels;
}
