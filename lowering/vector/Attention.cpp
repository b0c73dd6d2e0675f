//===- Attention.cpp - What a kernel of attention computes ----------------===//

#include "lowering/vector/Attention.h"

#include "lowering/vector/ChannelContraction.h"
#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// Of more elements of queries, a tile doesn't stay in a cache.
static constexpr int64_t kLongestSum = 512;

using Exprs = SmallVector<AffineExpr>;

/// A product of two tensors of f32 or f64 with one sum, which starts with zero.
static bool isProduct(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() != 1 || !op.hasPureTensorSemantics() ||
      !llvm::all_of(op.getDpsInputs(), [](Value input) {
        return isa<RankedTensorType>(input.getType());
      }))
    return false;
  Type element = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  bool areAlike = llvm::all_of(op.getDpsInputs(), [&](Value input) {
    return getElementTypeOrSelf(input.getType()) == element;
  });
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  return (element.isF32() || element.isF64()) && areAlike && fill &&
         matchPattern(fill.value(), m_AnyZeroFloat()) &&
         output.isProjectedPermutation() && multipliesAndAdds(op);
}

/// The loops of a product whose output is accessed at `at`; `sum` is the other.
static Exprs getProductLoops(linalg::LinalgOp product, ArrayRef<AffineExpr> at,
                             AffineExpr sum) {
  AffineMap output =
      product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  Exprs loops(product.getNumLoops(), sum);
  for (auto [dim, expr] : llvm::enumerate(at))
    loops[output.getDimPosition(dim)] = expr;
  return loops;
}

/// Goes back through views that don't change how many elements there are.
static TensorAccess traceReshapes(AccessSpace &space, TensorAccess access) {
  while (!access.tensor.getDefiningOp<tensor::ExtractSliceOp>()) {
    std::optional<TensorAccess> source = getViewSource(space, access);
    if (!source)
      break;
    access = *source;
  }
  return access;
}

static bool isStepOp(linalg::GenericOp op) {
  return op && isElementwiseOfInputs(op) &&
         isVectorizable(*op.getBody(), [](Value) { return false; });
}

RankedTensorType Attention::getType() const {
  return cast<RankedTensorType>(root.getType());
}

FloatType Attention::getElementType() const {
  return cast<FloatType>(getType().getElementType());
}

SmallVector<unsigned> Attention::getBatches() const {
  SmallVector<unsigned> batches;
  for (unsigned loop = 0; loop < getValueLoop(); ++loop)
    if (loop != query)
      batches.push_back(loop);
  return batches;
}

SmallVector<unsigned> Attention::getTileLoops() const {
  return {query, getValueLoop(), getKeyLoop(), getSumLoop()};
}

std::optional<unsigned> Attention::getDim(const TensorAccess &access,
                                          unsigned loop) const {
  return access.getDim(loop, getTileLoops());
}

FailureOr<Attention> Attention::match(linalg::LinalgOp product, Reason why) {
  Attention found;
  if (!isProduct(product) || failed(found.matchValues(product, why)))
    return failure();
  return found;
}

bool Attention::setRoot(linalg::LinalgOp product, Value last) {
  root = last;
  space = AccessSpace{product.getContext(), {}, {}};
  RankedTensorType type = getType();
  llvm::append_range(space.sizes, type.getShape());
  space.sizes.append(2, ShapedType::kDynamic);
  TensorAccess access{root, {}};
  for (unsigned loop = 0; loop < type.getRank(); ++loop)
    access.at.push_back(space.getLoop(loop));
  while (access.tensor != product->getResult(0)) {
    std::optional<TensorAccess> source = getViewSource(space, access);
    if (!source)
      return false;
    access = *source;
  }
  productLoops =
      getProductLoops(product, access.at, space.getLoop(getKeyLoop()));
  return true;
}

LogicalResult Attention::matchValues(linalg::LinalgOp product, Reason why) {
  valuesProduct = product;
  // The result is left where the last of the views would have it.
  SmallVector<Value> results{product->getResult(0)};
  while (results.back().hasOneUse()) {
    Operation *user = *results.back().user_begin();
    if (!isa<tensor::ExpandShapeOp, linalg::TransposeOp>(user) ||
        user->getOperand(0) != results.back() ||
        user->getBlock() != product->getBlock())
      break;
    results.push_back(user->getResult(0));
  }
  for (Value last : llvm::reverse(results)) {
    if (!setRoot(product, last) || getType().getRank() < 2)
      continue;
    for (unsigned number : {0, 1}) {
      auto getAccess = [&](unsigned operand) {
        return getOperandAccess(*product.getDpsInputOperand(operand),
                                productLoops);
      };
      TensorAccess probabilities = getAccess(number);
      values = getAccess(1 - number);
      if (probabilities.isFunctionOf(getValueLoop()) ||
          !values.isFunctionOf(getValueLoop()) ||
          !values.isFunctionOf(getKeyLoop()))
        continue;
      if (succeeded(matchSoftmax(probabilities, why)))
        return success();
      if (scoresProduct) // and there is a reason
        return failure();
    }
  }
  return failure();
}

LogicalResult Attention::matchSoftmax(TensorAccess probabilities, Reason why) {
  resultSteps.clear();
  do
    probabilities = traceReshapes(space, probabilities);
  while (takeResultStep(probabilities));
  auto last = probabilities.tensor.getDefiningOp<linalg::GenericOp>();
  FailureOr<SoftmaxRows> rows =
      last ? SoftmaxRows::match(last) : FailureOr<SoftmaxRows>(failure());
  if (failed(rows) ||
      getElementTypeOrSelf(rows->x.getType()) != getElementType())
    return failure();
  softmax = *rows;
  AffineExpr key = space.getLoop(getKeyLoop());
  if (probabilities.at.back() != key || !probabilities.getDim(getKeyLoop(), {}))
    return failure();
  TensorAccess scores{softmax.x, probabilities.at};
  TensorAccess product;
  if (!collectScores(scores, product))
    return failure();
  auto refuse = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  // The number of keys, which no view between changed.
  std::optional<unsigned> dim = product.getDim(getKeyLoop(), {});
  auto type = cast<RankedTensorType>(product.tensor.getType());
  if (!dim || product.at[*dim] != key)
    return refuse("has scores that aren't in the order of keys");
  space.sizes[getKeyLoop()] = type.getDimSize(*dim);
  keyCount = OpBuilder(type.getContext()).getIndexAttr(type.getDimSize(*dim));
  if (type.isDynamicDim(*dim)) {
    auto fill = scoresProduct.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
    auto empty = fill.output().getDefiningOp<tensor::EmptyOp>();
    if (!empty)
      return refuse("has an unknown number of keys");
    keyCount = empty.getDynamicSize(*dim);
  }
  if (failed(matchKeys(product, why)) || failed(matchReads(why)))
    return failure();
  return collectOps(why);
}

/// Whether all elements that an argument of the body of `op` stands for are
/// zero.
static bool isZero(linalg::GenericOp op, Value value) {
  while (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() != op.getBody() ||
        argument.getArgNumber() >= op.getNumDpsInputs())
      return false;
    auto producer = op.getDpsInputs()[argument.getArgNumber()]
                        .getDefiningOp<linalg::GenericOp>();
    if (!producer || producer->getNumResults() != 1)
      return false;
    op = producer;
    value = op.getBody()->getTerminator()->getOperand(0);
  }
  return matchPattern(value, m_AnyZeroFloat());
}

bool Attention::takeResultStep(TensorAccess &probabilities) {
  auto op = probabilities.tensor.getDefiningOp<linalg::GenericOp>();
  if (!isStepOp(op))
    return false;
  auto select = op.getBody()
                    ->getTerminator()
                    ->getOperand(0)
                    .getDefiningOp<arith::SelectOp>();
  if (!select || !select.getFalseValue().hasOneUse() ||
      !isZero(op, select.getTrueValue()))
    return false;
  AttentionStep step{op, {}, {}};
  std::optional<TensorAccess> next;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    TensorAccess access = getOperandAccess(*operand, probabilities.at);
    if (op.getMatchingBlockArgument(operand) == select.getFalseValue()) {
      next = access;
      step.computed.push_back(operand);
    } else if (access.isFunctionOf(getKeyLoop())) {
      return false;
    } else if (!op.getMatchingBlockArgument(operand).use_empty()) {
      step.reads.push_back({operand, access});
    }
  }
  if (!next)
    return false;
  resultSteps.insert(resultSteps.begin(), step);
  probabilities = *next;
  return true;
}

SmallVector<OpOperand *> Attention::getBits() const {
  SmallVector<OpOperand *> bits;
  for (const auto &steps : {querySteps, scoreSteps, resultSteps})
    for (const AttentionStep &step : steps)
      for (const auto &[operand, read] : step.reads)
        if (getElementTypeOrSelf(read.tensor.getType()).isInteger(1))
          bits.push_back(operand);
  return bits;
}

bool Attention::collectScores(TensorAccess access, TensorAccess &product) {
  access = traceReshapes(space, access);
  Operation *op = access.tensor.getDefiningOp();
  if (!op || op->getBlock() != valuesProduct->getBlock())
    return false;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (linalgOp && isProduct(linalgOp)) {
    if (!access.isFunctionOf(getKeyLoop()))
      return false;
    scoresProduct = linalgOp;
    product = access;
    return true;
  }
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!isStepOp(generic))
    return false;
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    TensorAccess computed = getOperandAccess(*operand, access.at);
    if (!collectScores(computed, product))
      continue;
    AttentionStep step{generic, {}, {}};
    for (OpOperand *other : generic.getDpsInputOperands()) {
      TensorAccess read = getOperandAccess(*other, access.at);
      if (read.tensor == computed.tensor && read.at == computed.at)
        step.computed.push_back(other);
      else
        step.reads.push_back({other, read});
    }
    scoreSteps.push_back(step);
    return true;
  }
  return false;
}

LogicalResult Attention::setQuery(const TensorAccess &keyOperand,
                                  const TensorAccess &valueOperand) {
  std::optional<unsigned> found;
  for (unsigned loop = 0; loop < getValueLoop(); ++loop) {
    if (keyOperand.isFunctionOf(loop) || valueOperand.isFunctionOf(loop))
      continue;
    // The innermost of several, of size 1 only where all are.
    if (!found || space.sizes[loop] != 1)
      found = loop;
  }
  if (!found)
    return failure();
  query = *found;
  return success();
}

void Attention::traceOperand(TensorAccess &access,
                             SmallVectorImpl<AttentionStep> *steps,
                             bool isLinear,
                             function_ref<bool(const TensorAccess &)> isGood) {
  TensorAccess next = access;
  SmallVector<AttentionStep> taken;
  std::optional<TensorAccess> best;
  size_t bestSteps = 0;
  while (true) {
    if (isGood(next)) {
      best = next;
      bestSteps = taken.size();
    }
    if (std::optional<TensorAccess> source = getViewSource(space, next)) {
      next = *source;
      continue;
    }
    auto op = next.tensor.getDefiningOp<linalg::GenericOp>();
    if (!steps || !isStepOp(op) ||
        getElementTypeOrSelf(op.getResult(0).getType()) != getElementType())
      break;
    AttentionStep step{op, {}, {}};
    for (OpOperand *operand : op.getDpsInputOperands()) {
      TensorAccess read = getOperandAccess(*operand, next.at);
      bool isUniform = llvm::none_of(getTileLoops(), [&](unsigned loop) {
        return read.isFunctionOf(loop);
      });
      if (isUniform)
        step.reads.push_back({operand, read});
      else
        step.computed.push_back(operand);
    }
    if (step.computed.size() != 1)
      break;
    if (isLinear) {
      Value argument = op.getMatchingBlockArgument(step.computed[0]);
      Operation *factor =
          op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
      bool isFactor =
          factor && op.getBody()->getOperations().size() == 2 &&
          ((isa<arith::MulFOp>(factor) &&
            factor->getOperand(0) != factor->getOperand(1)) ||
           isa<arith::DivFOp>(factor)) &&
          (factor->getOperand(0) == argument ||
           (isa<arith::MulFOp>(factor) && factor->getOperand(1) == argument));
      if (!isFactor)
        break;
    }
    next = getOperandAccess(*step.computed[0], next.at);
    if (getElementTypeOrSelf(next.tensor.getType()) != getElementType())
      break;
    taken.push_back(step);
  }
  if (best)
    access = *best;
  if (steps)
    steps->append(taken.rend() - bestSteps, taken.rend());
}

LogicalResult Attention::matchKeys(const TensorAccess &scores, Reason why) {
  auto refuse = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  Exprs loops =
      getProductLoops(scoresProduct, scores.at, space.getLoop(getSumLoop()));
  queries = getOperandAccess(*scoresProduct.getDpsInputOperand(0), loops);
  keys = getOperandAccess(*scoresProduct.getDpsInputOperand(1), loops);
  if (queries.isFunctionOf(getKeyLoop()))
    std::swap(queries, keys);
  if (queries.isFunctionOf(getKeyLoop()) || !keys.isFunctionOf(getKeyLoop()))
    return refuse("has keys that aren't one operand of the scores");
  SmallVector<unsigned> sums;
  scoresProduct.getReductionDims(sums);
  int64_t length = scoresProduct.getStaticLoopRanges()[sums.front()];
  space.sizes[getSumLoop()] = length;
  if (ShapedType::isDynamic(length) ||
      ShapedType::isDynamic(getSize(getValueLoop())))
    return refuse("has heads of unknown size");
  if (length > kLongestSum || getSize(getValueLoop()) > kLongestSum)
    return refuse("has heads that are very large");
  if (llvm::is_contained(space.sizes, 0))
    return refuse("has no elements");
  if (failed(setQuery(keys, values)))
    return refuse("has no dimension of queries, which share keys and values");

  auto hasDim = [&](const TensorAccess &access, unsigned loop) {
    return !access.isFunctionOf(loop) || getDim(access, loop);
  };
  auto isScalar = [&](unsigned outer) {
    return [&, outer](const TensorAccess &access) {
      return hasDim(access, outer) && hasDim(access, getSumLoop());
    };
  };
  SmallVector<AttentionStep> keySteps;
  traceOperand(queries, &querySteps, /*isLinear=*/false, isScalar(query));
  traceOperand(keys, &keySteps, /*isLinear=*/true, isScalar(getKeyLoop()));
  querySteps.append(keySteps);
  if (!isScalar(query)(queries) || !isScalar(getKeyLoop())(keys))
    return refuse("has queries or keys in an order that can't be read");
  auto isVector = [&](const TensorAccess &access) {
    return hasDim(access, getKeyLoop()) &&
           getDim(access, getValueLoop()) == access.at.size() - 1;
  };
  traceOperand(values, nullptr, /*isLinear=*/false, isVector);
  if (!isVector(values))
    return refuse("has values whose elements aren't next to each other");
  return success();
}

LogicalResult Attention::matchReads(Reason why) {
  auto isGood = [&](const TensorAccess &access) {
    auto isPlain = [&](unsigned loop) {
      return !access.isFunctionOf(loop) || getDim(access, loop);
    };
    bool isTransposed =
        access.isFunctionOf(query) && access.isFunctionOf(getKeyLoop());
    return isPlain(query) && isPlain(getKeyLoop()) &&
           (!isTransposed ||
            getDim(access, getKeyLoop()) == access.at.size() - 1);
  };
  for (SmallVectorImpl<AttentionStep> *steps :
       {&querySteps, &scoreSteps, &resultSteps})
    for (AttentionStep &step : *steps)
      for (auto &[operand, read] : step.reads) {
        traceOperand(read, nullptr, /*isLinear=*/false, isGood);
        Type element = getElementTypeOrSelf(read.tensor.getType());
        if (!isVectorElement(element) && !element.isInteger(1)) {
          why("reads elements of a type that isn't one of vectors");
          return failure();
        }
        if (!isGood(read)) {
          why("reads a mask in another order than that of the keys");
          return failure();
        }
      }
  return success();
}

LogicalResult Attention::collectOps(Reason why) {
  SmallVector<Value> tensors = getTensors();
  llvm::SetVector<Operation *> found;
  DenseSet<Operation *> ofScores;
  std::function<bool(Value)> visit = [&](Value value) {
    if (value.getType().isIndex()) {
      if (!matchPattern(value, m_Constant()))
        indices.insert(value);
      return true;
    }
    Operation *op = value.getDefiningOp();
    if (llvm::is_contained(tensors, value) ||
        (op && op->hasTrait<OpTrait::ConstantLike>()))
      return true;
    if (!op || op->getBlock() != valuesProduct->getBlock())
      return false;
    if (found.contains(op))
      return true;
    bool isOk = true, isOfScores = op == scoresProduct.getOperation();
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands()) {
        if (op->isAncestor(operand.getParentRegion()->getParentOp()))
          continue; // of a body
        isOk = isOk && visit(operand);
        isOfScores |= ofScores.contains(operand.getDefiningOp());
      }
    });
    found.insert(op);
    if (isOfScores)
      ofScores.insert(op);
    return isOk;
  };
  if (!visit(root)) {
    why("reads values of other blocks");
    return failure();
  }
  for (Operation *op : ofScores)
    if (op != root.getDefiningOp() &&
        !llvm::all_of(op->getUsers(), [&](Operation *user) {
          return found.contains(
              user->getBlock() == op->getBlock() ? user : user->getParentOp());
        })) {
      why("has scores or probabilities that others read, too");
      return failure();
    }
  ops = found.takeVector();
  return success();
}

SmallVector<Value> Attention::getTensors() const {
  llvm::SetVector<Value> tensors;
  for (const TensorAccess *access : {&queries, &keys, &values})
    tensors.insert(access->tensor);
  for (const auto &steps : {querySteps, scoreSteps, resultSteps})
    for (const AttentionStep &step : steps)
      for (const auto &[operand, read] : step.reads)
        tensors.insert(read.tensor);
  return tensors.takeVector();
}

SmallVector<Value> Attention::getIndices() const {
  return SmallVector<Value>(indices.begin(), indices.end());
}
