//===- StreamedContraction.cpp - Products that are made row by row --------===//

#include "lowering/vector/StreamedContraction.h"

#include "lowering/vector/LoopFactors.h"
#include "lowering/vector/Outliner.h"

#include "llvm/Support/MathExtras.h"
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
  SmallVector<int64_t> ranges = product.getStaticLoopRanges();
  auto factors = getLoopFactors(expr, ranges.size());
  if (!factors || factors->back() != 0)
    return std::nullopt;
  SlidingWindow window{(*factors)[position], 1, 1, 0};
  for (unsigned loop = 0; loop < ranges.size(); ++loop) {
    if (loop == position || (*factors)[loop] == 0)
      continue;
    if (window.taps != 1 || ShapedType::isDynamic(ranges[loop]))
      return std::nullopt;
    window.taps = ranges[loop];
    window.dilation = (*factors)[loop];
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

/// The 1x1 convolution that alone reads `image`, row by row; none where there
/// is something else.
static std::optional<PackedContraction> matchLast(Value image) {
  if (!image.hasOneUse())
    return std::nullopt;
  auto product = dyn_cast<linalg::GenericOp>(*image.user_begin());
  if (!product || !product->hasOneUse())
    return std::nullopt;
  auto unpack = dyn_cast<linalg::UnPackOp>(*product->user_begin());
  FailureOr<PackedContraction> last =
      unpack ? PackedContraction::match(unpack)
             : FailureOr<PackedContraction>(failure());
  if (failed(last) || last->pack || last->pad || !makesRows(*last) ||
      last->getInput() != image)
    return std::nullopt;
  for (auto [expr, position] :
       llvm::zip(last->getInputExprs(), last->getPositions())) {
    std::optional<SlidingWindow> window = getWindow(product, expr, position);
    if (!window || window->stride != 1 || window->taps != 1)
      return std::nullopt;
  }
  return *last;
}

/// Whether the product alone reads `image`, and what makes its input of that.
static bool readsAlone(const PackedContraction &consumer, Value image) {
  auto pad = consumer.pad;
  auto pack = consumer.pack;
  // Kernels have nothing else, but ask for sizes.
  if (isInKernel(pack))
    return true;
  return image.hasOneUse() && (!pad || pad->hasOneUse()) && pack->hasOneUse();
}

/// Whether both are computed as often.
static bool shareBlock(const PackedContraction &lhs,
                       const PackedContraction &rhs) {
  auto first = lhs.product, second = rhs.product;
  return first->getBlock() == second->getBlock();
}

FailureOr<StreamedContraction>
StreamedContraction::match(linalg::UnPackOp unpack) {
  FailureOr<PackedContraction> consumer = PackedContraction::match(unpack);
  if (failed(consumer) || !consumer->pack || !makesRows(*consumer))
    return failure();
  Value image = consumer->getInput();
  FailureOr<PackedContraction> producer = matchProducer(image);
  if (failed(producer) || !readsAlone(*consumer, image) || producer->pack ||
      !makesRows(*producer) || !shareBlock(*producer, *consumer))
    return failure();
  SmallVector<AffineExpr> exprs = consumer->getInputExprs();
  std::optional<SlidingWindow> rows =
      getWindow(consumer->product, exprs[1], consumer->getPositions()[1]);
  if (!rows)
    return failure();
  for (const PaddedWindow &padded : consumer->getWindows())
    if (padded.dim == 1)
      rows->low = padded.low;
  StreamedContraction found{*producer, *consumer, std::nullopt, *rows};
  StreamedContraction pair = found;
  found.last = matchLast(consumer->getResult());
  if (found.last && shareBlock(*found.last, *consumer) && found.fitsStack())
    return found;
  if (pair.fitsStack())
    return pair;
  return failure();
}

StreamedContraction StreamedContraction::dropLast() const {
  StreamedContraction pair = *this;
  pair.last = std::nullopt;
  return pair;
}

int64_t StreamedContraction::getChannels() const {
  int64_t some =
      std::lcm(producer.getPanelChannels(), consumer.getPanelChannels());
  return last ? llvm::alignTo(getImageType().getShape().back(), some) : some;
}

SmallVector<PackedContraction> StreamedContraction::getParts() const {
  SmallVector<PackedContraction> parts{producer, consumer};
  if (last)
    parts.push_back(*last);
  return parts;
}

bool StreamedContraction::fitsStack() const {
  // A worker's stack has that, and more.
  constexpr int64_t mostBytes = 192 << 10;
  int64_t bits = llvm::product_of(getRingShape()) *
                 getImageType().getElementTypeBitWidth();
  if (last)
    bits += llvm::product_of(getRowShape()) *
            consumer.getResultType().getElementTypeBitWidth();
  return bits / 8 <= mostBytes;
}

bool StreamedContraction::paysByRows(unsigned threads) const {
  // What is saved: two dispatches, and sending images between threads.
  constexpr double most = 1.3;
  // Of the time, by far the most is the producer's and the last one's.
  constexpr double share = 0.5;
  ArrayRef<int64_t> shape = getLast().getResultType().getShape();
  if (threads == 0 || ShapedType::isDynamic(shape[0]) ||
      shape[0] * shape[1] == 0)
    return false;
  int64_t parts = llvm::divideCeil(threads, shape[0]);
  int64_t block = llvm::divideCeil(shape[1], parts);
  double idle = double(block) * parts / shape[1];
  double again = parts == 1 ? 0 : rows.getSpan() - rows.stride;
  double made = block * rows.stride;
  return idle * (1 + share * std::max(again, 0.) / made) <= most;
}

SmallVector<int64_t> StreamedContraction::getRingShape() const {
  return {rows.getSpan(), getImageType().getDimSize(2), getChannels()};
}

SmallVector<int64_t> StreamedContraction::getRowShape() const {
  return {1, consumer.getResultType().getDimSize(2), getChannels()};
}
