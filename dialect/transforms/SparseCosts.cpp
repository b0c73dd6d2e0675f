//===- SparseCosts.cpp - When sparse weights are faster -------------------===//

#include "dialect/transforms/SparseCosts.h"

#include "dialect/ir/QuantizedTypes.h"
#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/transforms/SparseConstants.h"

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"

#include <cmath>

using namespace mlir;
using namespace omb::onnx;

/// What is never taken.
static constexpr SparseCost kNever{1, 0};

/// Of kernels with AVX-512 as they are measured, without and with a matrix unit
/// for dense products of bytes, of loops on other CPUs, and of GPUs' threads as
/// docs/sparsity.md estimates them.
static constexpr SparseCosts kCosts[] = {
    {"kernels",
     /*channels=*/{{0.05, 2.4}, /*few=*/{0.1, 6.5}, /*fewBytes=*/{0.17, 6.8}},
     /*blocks=*/{{0.02, 1.6}, /*few=*/{0.02, 1.6}, /*fewBytes=*/{0.1, 1.3}},
     /*bytes=*/{0.3, 10.5},
     /*fewRowsOfBytes=*/{0.15, 6},
     /*fewRows=*/3,
     /*fewLanes=*/8,
     /*fewestSaved=*/4e6},
    {"matrix",
     {{0.05, 2.4}, {0.1, 6.5}, {0.17, 6.8}},
     {{0.02, 1.6}, {0.02, 1.6}, {0.1, 1.3}},
     {0.7, 24},
     {0.15, 6},
     3,
     8,
     4e6},
    {"loops",
     {{0.1, 4}, {0.1, 4}, {0.1, 4}},
     {{0.1, 4}, {0.1, 4}, {0.1, 4}},
     kNever,
     kNever,
     3,
     3,
     4e6,
     /*convolutions=*/SparseCost{0.05, 3.5}},
    {"threads",
     {{0.05, 20}, kNever, kNever},
     {{0.05, 14}, kNever, kNever},
     kNever,
     kNever,
     31,
     31,
     5e7,
     kNever},
};

/// A sparse product must be expected to take less than this: estimates are off
/// by some percent.
static constexpr double kWorthIt = 0.85;

/// The elements that a matrix must have: the others are read from a cache.
static constexpr int64_t kFewestElements = 1 << 16;

const SparseCosts *SparseCosts::get(StringRef name) {
  const SparseCosts *found = llvm::find_if(
      kCosts, [&](const SparseCosts &each) { return each.name == name; });
  return found == std::end(kCosts) ? nullptr : found;
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

ChosenForm ChosenForm::get(const SparseMatrix &matrix, const SparseCosts &costs,
                           bool mayBeOfBlocks) {
  double single = matrix.getDensity();
  if (mayBeOfBlocks && matrix.columns % kBlockChannels == 0) {
    double density = matrix.getBlockDensity();
    if (costs.blocks.many.get(density) < costs.channels.many.get(single))
      return {true, density};
  }
  return {false, single};
}

int64_t ChosenForm::getBytes(const SparseMatrix &matrix,
                             int64_t elementBytes) const {
  int64_t block = isOfBlocks ? kBlockChannels : 1;
  double count =
      storedDensity * double(matrix.rows) * double(matrix.columns) / block;
  int64_t coordinate = matrix.rows <= (1 << 16) ? 2 : 4;
  return int64_t(std::round(count)) * (coordinate + elementBytes * block) +
         4 * (matrix.columns / block + 1);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The rows of the product `op`: of a batch of weights, those of each. An
/// unknown number is a usual one.
static double getRows(Operation *op) {
  constexpr int64_t usualRows = 128;
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  auto weights = cast<RankedTensorType>(op->getOperand(1).getType());
  double rows = 1;
  for (int64_t size :
       type.getShape().drop_back().drop_front(weights.getRank() - 2))
    rows *= ShapedType::isDynamic(size) ? usualRows : size;
  return rows;
}

/// The share of the dense time that the product `op` is expected to take. Of an
/// unknown number of rows, one mustn't take longer either.
static double getProductShare(Operation *op, const EncodedSparse &weights,
                              const SparseCosts &costs) {
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  double density = weights.storedDensity, rows = getRows(op);
  bool isKnown = type.hasStaticShape();
  bool isFew = isKnown && rows <= costs.fewRows;
  bool leavesLanes = !isKnown || (!isFew && rows <= costs.fewLanes);
  if (getQuantized(weights.type) && getQuantized(type)) {
    if (leavesLanes)
      return kNever.get(density);
    return (isFew ? costs.fewRowsOfBytes : costs.bytes).get(density);
  }
  bool isBlocked = weights.isBlocked();
  const SparseCosts::Format &format = isBlocked ? costs.blocks : costs.channels;
  double ofMany = format.many.get(density);
  double ofFew =
      (getQuantized(weights.type) ? format.fewBytes : format.few).get(density);
  if (isFew)
    return ofFew;
  return leavesLanes ? std::max(ofMany, ofFew) : ofMany;
}

/// Whether the product `op` gains enough.
static bool isProductWorthIt(Operation *op, const EncodedSparse &weights,
                             const SparseCosts &costs) {
  double cost = getProductShare(op, weights, costs), rows = getRows(op);
  double elements = weights.value.getNumElements();
  if (cost > kWorthIt || elements < kFewestElements)
    return false;
  return rows <= costs.fewRows ||
         (1 - cost) * rows * elements >= costs.fewestSaved;
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

namespace {

/// An estimate of the time of a convolution, in products of a direct dense one,
/// of a thread with AVX-512 (docs/sparsity.md).
class ConvolutionCost {
public:
  ConvolutionCost(ConvOp op, const EncodedSparse &encoded,
                  const SparseCosts &costs)
      : encoded(encoded), costs(costs) {
    auto images = cast<RankedTensorType>(op.getX().getType());
    auto result = dyn_cast<RankedTensorType>(op.getType());
    filters = cast<RankedTensorType>(op.getW().getType()).getShape();
    strides.assign(filters.size() - 2, 1);
    dilations = strides;
    if (op.getStrides())
      strides.assign(op.getStrides()->begin(), op.getStrides()->end());
    if (op.getDilations())
      dilations.assign(op.getDilations()->begin(), op.getDilations()->end());
    bool isRanked = result && result.getRank() == images.getRank();
    for (int64_t dim = 0; dim < images.getRank(); ++dim) {
      int64_t size = isRanked ? result.getDimSize(dim) : ShapedType::kDynamic;
      isKnown &= dim < 2 || !ShapedType::isDynamic(size);
      outputs.push_back(ShapedType::isDynamic(size) ? 1 : size);
    }
    outputs[1] = filters[0];
  }

  /// Whether enough is gained where the sparse one may take the `share` of the
  /// dense one. Of images of unknown size, there may be few positions.
  bool isWorthIt(double share) const {
    double dense = getDense(), sparse = getSparse();
    return isKnown && sparse <= dense * share &&
           dense - sparse >= costs.fewestSaved;
  }

  /// The share of the dense time; none of images of unknown size.
  std::optional<double> getShare() const {
    return isKnown ? std::optional(getSparse() / getDense()) : std::nullopt;
  }

private:
  /// What a 3x3 convolution takes with fewer multiplications.
  static constexpr double kWinograd = 0.6;
  /// What is beside the products, as a share of them, and for each element that
  /// is read or written: sparse ones turn both.
  static constexpr double kOfDenseElement = 20, kOfElement = 22;
  static constexpr SparseCost kPointCost{0.25, 2.4}, kWindowCost{0.15, 2.7};

  int64_t getTaps() const {
    return ShapedType::getNumElements(filters.drop_front(2));
  }
  double getPositions() const {
    return double(ShapedType::getNumElements(outputs)) / double(outputs[1]);
  }
  double getProducts() const {
    return getPositions() * double(ShapedType::getNumElements(filters));
  }
  double getDense() const {
    if (costs.convolutions)
      return getProducts();
    return getProducts() * (usesWinograd() ? kWinograd : 1) +
           kOfDenseElement * getElements();
  }
  bool isPointwise() const {
    return getTaps() == 1 &&
           llvm::all_of(strides, [](int64_t stride) { return stride == 1; });
  }

  bool usesWinograd() const {
    // Of small images, weights in another form take long to read.
    constexpr double fewestPositions = 100;
    auto isOne = [](int64_t number) { return number == 1; };
    return filters.drop_front(2) == ArrayRef<int64_t>{3, 3} &&
           llvm::all_of(strides, isOne) && llvm::all_of(dilations, isOne) &&
           getPositions() / double(outputs[0]) >= fewestPositions;
  }

  /// The positions that are computed for each of the result, those between its
  /// lines and in the last vector included.
  double getWaste() const {
    constexpr int64_t lanes = 16;
    if (isPointwise())
      return double(llvm::alignTo(int64_t(getPositions()), lanes)) /
             getPositions();
    int64_t flat = 1, step = 1, positions = 1;
    for (size_t dim = strides.size(); dim-- > 0;) {
      int64_t size = outputs[dim + 2];
      flat += (size - 1) * step;
      step *= size + (filters[dim + 2] - 1) * dilations[dim] / strides[dim];
      positions *= size;
    }
    return double(llvm::alignTo(flat, lanes)) / double(positions);
  }

  /// Those that are read and written.
  double getElements() const {
    double read = getPositions() * double(filters[1]);
    for (auto [stride, taps] : llvm::zip(strides, filters.drop_front(2)))
      read *= double(std::min(stride, taps));
    return read + getPositions() * double(filters[0]);
  }

  double getSparse() const {
    if (costs.convolutions)
      return getProducts() * costs.convolutions->get(encoded.storedDensity);
    const SparseCost &cost = isPointwise() ? kPointCost : kWindowCost;
    double share = encoded.isBlocked()
                       ? costs.blocks.many.get(encoded.storedDensity)
                       : cost.get(encoded.getDensity() * getWaste());
    return getProducts() * share + kOfElement * getElements();
  }

  const EncodedSparse &encoded;
  const SparseCosts &costs;
  ArrayRef<int64_t> filters;
  SmallVector<int64_t> strides, dilations, outputs;
  bool isKnown = true;
};

} // namespace

//===----------------------------------------------------------------------===//
// Both
//===----------------------------------------------------------------------===//

bool EncodedSparse::isBlocked() const {
  AffineMap map = sparse_tensor::getSparseTensorEncoding(type).getDimToLvl();
  return map.getNumResults() > map.getNumDims();
}

std::optional<double> omb::onnx::estimateShare(Operation *op,
                                               const EncodedSparse &weights,
                                               const SparseCosts &costs) {
  if (auto convolution = dyn_cast<ConvOp>(op))
    return ConvolutionCost(convolution, weights, costs).getShare();
  return getProductShare(op, weights, costs);
}

bool omb::onnx::isWorthIt(Operation *op, const EncodedSparse &weights,
                          const SparseCosts &costs, double threshold) {
  if (auto convolution = dyn_cast<ConvOp>(op))
    return ConvolutionCost(convolution, weights, costs)
        .isWorthIt(std::min(kWorthIt, 2 * kWorthIt * (1 - threshold)));
  return isProductWorthIt(op, weights, costs);
}
