//===- ChannelShuffle.cpp - Groups of channels interleaved ----------------===//

#include "lowering/vector/ChannelShuffle.h"

using namespace mlir;
using namespace omb::kernels;

/// Of more groups, a vector has elements of too many others; fewer channels
/// aren't a vector.
static constexpr int64_t kMostGroups = 8, kFewestChannels = 16;

/// Whether `permutation` exchanges the last two dimensions.
static bool exchangesLast(ArrayRef<int64_t> permutation) {
  int64_t rank = permutation.size();
  if (rank < 2 || permutation[rank - 2] != rank - 1 ||
      permutation[rank - 1] != rank - 2)
    return false;
  for (int64_t dim = 0; dim < rank - 2; ++dim)
    if (permutation[dim] != dim)
      return false;
  return true;
}

static bool isElementwise(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  return generic && linalg::isElementwise(generic);
}

/// Whether IREE would make one op of the copy and what is around it.
static bool isPartOfOthers(tensor::CollapseShapeOp collapse, Value source) {
  if (auto expand = source.getDefiningOp<tensor::ExpandShapeOp>())
    source = expand.getSrc();
  return isElementwise(source.getDefiningOp()) ||
         llvm::any_of(collapse->getUsers(), isElementwise);
}

FailureOr<ChannelShuffle>
ChannelShuffle::match(tensor::CollapseShapeOp collapse) {
  auto transpose = collapse.getSrc().getDefiningOp<linalg::TransposeOp>();
  if (!transpose || !transpose->hasOneUse() ||
      !exchangesLast(transpose.getPermutation()))
    return failure();
  ChannelShuffle found{transpose, collapse};
  SmallVector<ReassociationIndices> joined = collapse.getReassociationIndices();
  RankedTensorType type = found.getSourceType();
  if (int64_t(joined.size()) != type.getRank() - 1 ||
      joined.back().size() != 2 || !type.getElementType().isF32())
    return failure();
  int64_t groups = found.getGroups(), channels = found.getChannels();
  if (ShapedType::isDynamic(groups) || groups < 2 || groups > kMostGroups ||
      ShapedType::isDynamic(channels) || channels < kFewestChannels ||
      isPartOfOthers(collapse, found.getSource()))
    return failure();
  return found;
}

Value ChannelShuffle::getSource() const {
  auto op = transpose;
  return op.getInput();
}

RankedTensorType ChannelShuffle::getSourceType() const {
  return cast<RankedTensorType>(getSource().getType());
}

int64_t ChannelShuffle::getGroups() const {
  return getSourceType().getShape().drop_back().back();
}

int64_t ChannelShuffle::getChannels() const {
  return getSourceType().getShape().back();
}
