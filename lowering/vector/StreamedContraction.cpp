//===- StreamedContraction.cpp - Two products, row by row -----------------===//

#include "lowering/vector/StreamedContraction.h"

#include "mlir/Analysis/FlatLinearValueConstraints.h"
#include <numeric>

using namespace mlir;
using namespace omb::kernels;

/// The product whose result is `image`; fails if that is none.
static FailureOr<PackedContraction> matchProducer(Value image) {
  SmallVector<Value> candidates{image};
  if (auto epilogue = image.getDefiningOp<linalg::GenericOp>())
    llvm::append_range(candidates, epilogue.getDpsInputs());
  for (Value candidate : candidates) {
    auto unpack = candidate.getDefiningOp<linalg::UnPackOp>();
    if (!unpack)
      continue;
    FailureOr<PackedContraction> producer = PackedContraction::match(unpack);
    if (succeeded(producer) && producer->getResult() == image)
      return producer;
  }
  return failure();
}

/// How windows move along a dimension of the input, without padding; none where
/// they don't.
static std::optional<SlidingWindow>
getWindow(linalg::GenericOp product, AffineExpr expr, unsigned position) {
  SmallVector<int64_t> factors, ranges = product.getStaticLoopRanges();
  unsigned loops = product.getNumLoops();
  if (failed(getFlattenedAffineExpr(expr, loops, 0, &factors)) ||
      factors.size() != loops + 1 || factors.back() != 0)
    return std::nullopt;
  SlidingWindow window{factors[position], 1, 1, 0};
  for (unsigned loop = 0; loop < loops; ++loop) {
    if (loop == position || factors[loop] == 0)
      continue;
    if (window.taps != 1 || ShapedType::isDynamic(ranges[loop]))
      return std::nullopt;
    window.taps = ranges[loop];
    window.dilation = factors[loop];
  }
  bool isForward = window.stride > 0 && window.dilation > 0 && window.taps > 0;
  return isForward ? std::optional(window) : std::nullopt;
}

/// Whether this computes images of known sizes, of which there may be any
/// number, and rows of those can be computed one by one.
static bool makesRows(const PackedContraction &contraction) {
  RankedTensorType image = contraction.getResultType();
  return image.getRank() == 4 &&
         !ShapedType::isDynamicShape(image.getShape().drop_front()) &&
         contraction.getRowDims() == SmallVector<unsigned>{0, 1} &&
         contraction.getColumnDim() == 2u && contraction.getBatches().empty() &&
         !contraction.decode;
}

FailureOr<StreamedContraction>
StreamedContraction::match(linalg::UnPackOp unpack) {
  // A worker's stack has that, and more.
  constexpr int64_t mostBytes = 128 << 10;
  FailureOr<PackedContraction> consumer = PackedContraction::match(unpack);
  if (failed(consumer) || !consumer->pack || !makesRows(*consumer))
    return failure();
  Value image = consumer->getInput();
  FailureOr<PackedContraction> producer = matchProducer(image);
  if (failed(producer) || !image.hasOneUse() || producer->pack ||
      !makesRows(*producer))
    return failure();
  SmallVector<AffineExpr> exprs = consumer->getInputExprs();
  SmallVector<unsigned> positions = consumer->getPositions();
  auto product = consumer->product;
  std::optional<SlidingWindow> rows =
      getWindow(product, exprs[1], positions[1]);
  if (!rows)
    return failure();
  for (const PaddedWindow &padded : consumer->getWindows())
    if (padded.dim == 1)
      rows->low = padded.low;
  StreamedContraction found{
      *producer, *consumer, *rows,
      std::lcm(producer->getPanelChannels(), consumer->getPanelChannels())};
  int64_t bits = found.getImageType().getElementTypeBitWidth();
  if (llvm::product_of(found.getRingShape()) * bits / 8 > mostBytes)
    return failure();
  return found;
}

SmallVector<int64_t> StreamedContraction::getRingShape() const {
  return {rows.getSpan(), getImageType().getDimSize(2), channels};
}
