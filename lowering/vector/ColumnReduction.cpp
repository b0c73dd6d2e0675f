//===- ColumnReduction.cpp - Reductions with the channels last ------------===//

#include "lowering/vector/ColumnReduction.h"

#include "lowering/vector/ChannelsLast.h"
#include "lowering/vector/Elementwise.h"
#include "lowering/vector/EpilogueEmitter.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace omb::kernels;

/// Fewer values than this are as fast to reduce in any other way.
static constexpr int64_t kLeastReduced = 4;

/// What alone uses the reduction, if it can be done to vectors of channels.
static linalg::GenericOp findEpilogue(linalg::GenericOp op) {
  if (!op->hasOneUse())
    return nullptr;
  auto user = dyn_cast<linalg::GenericOp>(*op->user_begin());
  return user && isEpilogue(user, op.getResult(0)) ? user : linalg::GenericOp();
}

bool omb::kernels::keepsLast(linalg::GenericOp op) {
  if (op.getNumDpsInputs() == 0)
    return false;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  if (map.getNumResults() == 0)
    return false;
  auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
  return last && op.getIteratorTypesArray()[last.getPosition()] ==
                     utils::IteratorType::parallel;
}

FailureOr<ColumnReduction>
ColumnReduction::match(linalg::GenericOp op,
                       function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0 ||
      !op.hasPureTensorSemantics())
    return fail("isn't one reduction of tensors");
  ColumnReduction found;
  found.op = op;
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (output.getNumResults() == 0 || !output.isProjectedPermutation())
    return fail("has an output that isn't a permutation of its loops");
  found.channel = output.getDimPosition(output.getNumResults() - 1);
  for (unsigned dim = 0; dim + 1 < output.getNumResults(); ++dim)
    found.positions.push_back(output.getDimPosition(dim));
  op.getReductionDims(found.reductions);
  if (llvm::any_of(op->getUsers(),
                   [](Operation *user) { return isa<linalg::UnPackOp>(user); }))
    return fail("is a packed product");
  bool hasVectors = false;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    auto type = dyn_cast<RankedTensorType>(operand->get().getType());
    if (!type || !isVectorElement(type.getElementType()) ||
        (map.isFunctionOfDim(found.channel) &&
         !hasChannelsLast(map, found.channel)))
      return fail("doesn't keep the last dimension of what it reads");
    if (found.sharesValues(map))
      return fail("reads the same values for several positions");
    hasVectors |= map.isFunctionOfDim(found.channel);
  }
  if (!hasVectors)
    return fail("doesn't keep the last dimension of what it reads");
  FailureOr<Combiner> combiner = Combiner::match(*op.getBody());
  if (failed(combiner) ||
      !isVectorizable(*op.getBody(), [](Value) { return false; }))
    return fail("is neither a sum, a product, a maximum nor a minimum");
  found.combiner = *combiner;
  Type type = found.getSumType();
  if (!type.isF32() && !type.isF64() && !type.isInteger(32))
    return fail("isn't of f32, f64 or i32");
  found.fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!found.fill || !matchPattern(found.fill.value(), m_Constant()))
    return fail("starts with something that isn't a constant");
  int64_t count = 1;
  for (unsigned loop : found.reductions)
    if (!ShapedType::isDynamic(count))
      count = ShapedType::isDynamic(found.getSize(loop))
                  ? ShapedType::kDynamic
                  : count * found.getSize(loop);
  if (!ShapedType::isDynamic(count) && count < kLeastReduced)
    return fail("reduces too few values");
  int64_t channels = found.getSize(found.channel);
  if (!ShapedType::isDynamic(channels) && channels < kLeastReduced)
    return fail("keeps too few values for a vector");
  found.epilogue = findEpilogue(op);
  return found;
}

bool ColumnReduction::sharesValues(AffineMap map) const {
  auto reads = [&](unsigned loop) { return map.isFunctionOfDim(loop); };
  return llvm::any_of(reductions, reads) &&
         llvm::any_of(positions, [&](unsigned loop) {
           return !reads(loop) && getSize(loop) != 1;
         });
}

Value ColumnReduction::getResult() const {
  auto last = epilogue ? epilogue : op;
  return last.getResult(0);
}

RankedTensorType ColumnReduction::getResultType() const {
  return cast<RankedTensorType>(getResult().getType());
}

Type ColumnReduction::getSumType() const {
  auto generic = op;
  return getElementTypeOrSelf(generic.getResult(0).getType());
}

SmallVector<Value> ColumnReduction::getTensors() const {
  auto generic = op, last = epilogue;
  llvm::SetVector<Value> tensors;
  tensors.insert_range(generic.getDpsInputs());
  if (last)
    for (Value operand : last.getDpsInputs())
      if (operand != generic.getResult(0))
        tensors.insert(operand);
  return tensors.takeVector();
}

int64_t ColumnReduction::getSize(unsigned loop) const {
  auto generic = op;
  return generic.getStaticLoopRanges()[loop];
}

unsigned ColumnReduction::getLanes(const VectorUnit &unit) const {
  return unit.getLanes(getSumType().getIntOrFloatBitWidth() / 8,
                       getSize(channel));
}

unsigned ColumnReduction::getVectors(const VectorUnit &unit) const {
  TileDemand demand{1, getSize(channel), /*isDepthwise=*/true, false};
  return selectVectors(unit, getLanes(unit), demand);
}

double ColumnReduction::getMicroseconds(const VectorUnit &unit,
                                        int64_t usual) const {
  constexpr double bytesPerMicrosecond = 10'000; // from beyond the caches
  double bytes = getSumType().getIntOrFloatBitWidth() / 8. * getLanes(unit) *
                 getVectors(unit);
  for (unsigned loop : reductions)
    bytes *= ShapedType::isDynamic(getSize(loop)) ? usual : getSize(loop);
  return bytes / bytesPerMicrosecond;
}
