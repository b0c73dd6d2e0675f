//===- Einsum.cpp - Lowering of sums of products by equation --------------===//

#include "dialect/ir/ops/Matmul.h"
#include "dialect/shape/EinsumEquation.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Contraction.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

using Labels = ArrayRef<int64_t>;

static Factor dropDim(const Factor &factor, int64_t dim) {
  Factor result = factor;
  result.labels.erase(result.labels.begin() + dim);
  result.names.erase(result.names.begin() + dim);
  return result;
}

/// Replaces dimensions of one label by their diagonal.
static Factor takeDiagonals(OpBuilder &builder, Location loc, Factor factor) {
  IndexArithmetic index(builder, loc);
  for (int64_t dim = 0; dim < int64_t(factor.labels.size()); ++dim) {
    int64_t first = factor.getDim(factor.labels[dim]);
    if (first == dim)
      continue;
    SmallVector<Value> sizes = index.sizes(factor.tensor);
    index.require(index.isEqual(sizes[first], sizes[dim]),
                  "dimensions of one label have different sizes");
    SmallVector<int64_t> shape(factor.getType().getShape());
    // Either may be the one that is static.
    if (ShapedType::isDynamic(shape[first]))
      shape[first] = shape[dim];
    shape.erase(shape.begin() + dim);
    sizes.erase(sizes.begin() + dim);
    Value source = factor.tensor;
    factor = dropDim(factor, dim);
    factor.tensor = buildFromIndices(
        builder, loc,
        RankedTensorType::get(
            shape, cast<RankedTensorType>(source.getType()).getElementType()),
        sizes, [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
          SmallVector<Value> position(at);
          position.insert(position.begin() + dim, at[first]);
          return tensor::ExtractOp::create(b, bodyLoc, source, position);
        });
    --dim;
  }
  return factor;
}

static AffineMap getMap(OpBuilder &builder, Labels loops, Labels labels) {
  SmallVector<AffineExpr> exprs;
  for (int64_t label : labels)
    exprs.push_back(
        builder.getAffineDimExpr(llvm::find(loops, label) - loops.begin()));
  return AffineMap::get(loops.size(), 0, exprs, builder.getContext());
}

/// The sums over all labels that `result` hasn't, with dimensions in its order.
/// Floats narrower than f32 give f32.
static Factor sumTo(OpBuilder &builder, Location loc, const Factor &factor,
                    Labels result) {
  if (Labels(factor.labels) == result)
    return factor;
  Factor sum{{}, SmallVector<int64_t>(result), {}};
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> loops(result);
  for (int64_t label : result) {
    int64_t dim = factor.getDim(label);
    sizes.push_back(tensor::getMixedSize(builder, loc, factor.tensor, dim));
    sum.names.push_back(factor.names[dim]);
  }
  SmallVector<utils::IteratorType> iterators(result.size(),
                                             utils::IteratorType::parallel);
  for (int64_t label : factor.labels) {
    if (sum.getDim(label) >= 0)
      continue;
    loops.push_back(label);
    iterators.push_back(utils::IteratorType::reduction);
  }
  Type elementType = getAccumulatorType(factor.getType().getElementType());
  Value init = tensor::EmptyOp::create(builder, loc, sizes, elementType);
  bool isTransposition = loops.size() == result.size();
  if (!isTransposition)
    init = linalg::FillOp::create(builder, loc,
                                  createZero(builder, loc, elementType), init)
               .getResult(0);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), factor.tensor, init,
      {getMap(builder, loops, factor.labels), getMap(builder, loops, result)},
      iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        Scalars s(b, bodyLoc, elementType);
        Value element = s.widen(arguments[0]);
        if (!isTransposition)
          element = s.add(arguments[1], element);
        linalg::YieldOp::create(b, bodyLoc, element);
      });
  sum.tensor = generic.getResult(0);
  return sum;
}

/// Sums over the labels of `factor` that neither `result` nor one of `others`
/// has.
static Factor sumOwnLabels(OpBuilder &builder, Location loc,
                           const Factor &factor, Labels result,
                           ArrayRef<Factor> others) {
  SmallVector<int64_t> kept;
  for (int64_t label : factor.labels)
    if (llvm::is_contained(result, label) ||
        llvm::any_of(others, [&](const Factor &other) {
          return other.getDim(label) >= 0;
        }))
      kept.push_back(label);
  return sumTo(builder, loc, factor, kept);
}

/// Multiplies the factors from left to right.
static Factor multiplyAll(OpBuilder &builder, Location loc,
                          ArrayRef<Factor> factors, Labels result) {
  Factor product =
      sumOwnLabels(builder, loc, factors[0], result, factors.drop_front());
  for (size_t next = 1; next < factors.size(); ++next) {
    ArrayRef<Factor> later = factors.drop_front(next + 1);
    SmallVector<Factor> others(later);
    others.push_back(product);
    Factor factor = sumOwnLabels(builder, loc, factors[next], result, others);
    // What is needed later, in the order of the result where it is complete.
    SmallVector<int64_t> labels(result);
    if (!later.empty()) {
      labels.clear();
      for (Labels own : {Labels(product.labels), Labels(factor.labels)})
        for (int64_t label : own) {
          bool isNeeded = llvm::is_contained(result, label) ||
                          llvm::any_of(later, [&](const Factor &other) {
                            return other.getDim(label) >= 0;
                          });
          if (isNeeded && !llvm::is_contained(labels, label))
            labels.push_back(label);
        }
    }
    product = buildContraction(builder, loc, product, factor, labels);
    if (!later.empty())
      product = sumOwnLabels(builder, loc, product, result, later);
  }
  return sumTo(builder, loc, product, result);
}

namespace {

struct EinsumToLinalg : OpConversionPattern<EinsumOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(EinsumOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto result = dyn_cast<RankedTensorType>(op.getType());
    SmallVector<int64_t> ranks;
    SmallVector<RankedTensorType> types;
    for (Type type : op.getInputs().getTypes()) {
      types.push_back(dyn_cast<RankedTensorType>(type));
      if (!types.back() || !result)
        return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
      ranks.push_back(types.back().getRank());
    }
    FailureOr<EinsumEquation> equation =
        parseEinsum(op, op.getEquation(), ranks);
    if (failed(equation))
      return failure();

    Location loc = op.getLoc();
    SmallVector<Factor> factors;
    for (auto [input, type, labels] :
         llvm::zip(adaptor.getInputs(), types, equation->operands))
      factors.push_back(
          takeDiagonals(rewriter, loc, Factor::get(input, type, labels)));
    alignFactors(rewriter, loc, factors, [](int64_t) { return true; });
    Value sum = multiplyAll(rewriter, loc, factors, equation->result).tensor;
    rewriter.replaceOp(op, roundProduct(rewriter, loc, sum, result));
    return success();
  }
};

} // namespace

void omb::populateEinsumToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<EinsumToLinalg>(converter, patterns.getContext());
}
