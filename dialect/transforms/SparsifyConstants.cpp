//===- SparsifyConstants.cpp - onnx-sparsify-constants --------------------===//

#include "dialect/ir/Constants.h"
#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/SparseConstants.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"

#include <cmath>

using namespace mlir;
using namespace mlir::sparse_tensor;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_SPARSIFYCONSTANTS
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

namespace {

/// A matrix of f32 of which the elements that aren't zero are known, in the
/// order of rows.
struct Matrix {
  int64_t rows, columns;
  /// Pairs of row and column.
  SmallVector<int64_t> coordinates;
  SmallVector<float> values;

  int64_t getCount() const { return values.size(); }
  double getDensity() const {
    return double(getCount()) / (double(rows) * double(columns));
  }
  /// The share of blocks of kBlockChannels columns of one row that have a
  /// value; 1 where blocks don't fit.
  double getBlockDensity() const;
  Matrix getTransposed() const;
};

} // namespace

double Matrix::getBlockDensity() const {
  if (columns % kBlockChannels != 0)
    return 1;
  int64_t blocks = 0;
  int64_t last = -1;
  for (int64_t at = 0; at < getCount(); ++at) {
    int64_t block = (coordinates[2 * at] * columns + coordinates[2 * at + 1]) /
                    kBlockChannels;
    blocks += block != last;
    last = block;
  }
  return double(blocks) * kBlockChannels / (double(rows) * double(columns));
}

Matrix Matrix::getTransposed() const {
  Matrix turned{columns, rows, {}, {}};
  SmallVector<int64_t> starts(columns + 1, 0);
  for (int64_t at = 0; at < getCount(); ++at)
    ++starts[coordinates[2 * at + 1] + 1];
  for (int64_t column = 0; column < columns; ++column)
    starts[column + 1] += starts[column];
  turned.coordinates.resize(coordinates.size());
  turned.values.resize(values.size());
  for (int64_t at = 0; at < getCount(); ++at) {
    int64_t to = starts[coordinates[2 * at + 1]]++;
    turned.coordinates[2 * to] = coordinates[2 * at + 1];
    turned.coordinates[2 * to + 1] = coordinates[2 * at];
    turned.values[to] = values[at];
  }
  return turned;
}

/// The elements of a dense constant of f32, without a copy; empty where they
/// aren't bytes.
static ArrayRef<float> getDenseElements(ElementsAttr elements) {
  ArrayRef<char> bytes;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    if (const AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      bytes = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(elements)) {
    if (!dense.isSplat())
      bytes = dense.getRawData();
  }
  if (bytes.size() != size_t(elements.getNumElements()) * sizeof(float))
    return {};
  return ArrayRef(reinterpret_cast<const float *>(bytes.data()),
                  elements.getNumElements());
}

/// The matrix that a constant is, filters as that of features and elements;
/// none where its elements aren't known.
static std::optional<Matrix> getMatrix(ElementsAttr elements) {
  ArrayRef<int64_t> shape = elements.getShapedType().getShape();
  Matrix matrix{
      shape[0], ShapedType::getNumElements(shape.drop_front()), {}, {}};
  if (auto sparse = dyn_cast<SparseElementsAttr>(elements)) {
    SmallVector<std::pair<std::pair<int64_t, int64_t>, float>> entries;
    auto at = sparse.getIndices().value_begin<uint64_t>();
    for (float value : sparse.getValues().getValues<float>()) {
      int64_t row = *at++, column = 0;
      for (int64_t size : shape.drop_front())
        column = column * size + int64_t(*at++);
      entries.push_back({{row, column}, value});
    }
    if (!llvm::is_sorted(entries, llvm::less_first()))
      llvm::stable_sort(entries, llvm::less_first());
    for (auto [place, value] : entries) {
      if (value == 0)
        continue;
      matrix.coordinates.append({place.first, place.second});
      matrix.values.push_back(value);
    }
    return matrix;
  }
  ArrayRef<float> all = getDenseElements(elements);
  if (all.empty())
    return std::nullopt;
  for (auto [at, value] : llvm::enumerate(all)) {
    if (value == 0)
      continue;
    matrix.coordinates.append(
        {int64_t(at) / matrix.columns, int64_t(at) % matrix.columns});
    matrix.values.push_back(value);
  }
  return matrix;
}

/// The share of zeros, where it can be counted.
static double getZeroShare(ElementsAttr elements) {
  if (auto sparse = dyn_cast<SparseElementsAttr>(elements))
    return 1 - double(sparse.getValues().getNumElements()) /
                   double(sparse.getNumElements());
  ArrayRef<float> all = getDenseElements(elements);
  return all.empty() ? 0 : double(llvm::count(all, 0.0f)) / double(all.size());
}

//===----------------------------------------------------------------------===//
// Which format
//===----------------------------------------------------------------------===//

namespace {

/// How long a product takes in a format, as a share of the dense one.
struct Cost {
  double fixed, ofDensity;
  double get(double density) const { return fixed + ofDensity * density; }
};

/// The costs of one way to compute products, with weights in either format.
struct Costs {
  StringRef name;
  Cost channels, blocks;
  /// The same of few rows, as many as `fewRows` at most, where weights that are
  /// read from a cache decide.
  Cost fewRowsChannels, fewRowsBlocks;
  double fewRows;
  /// The multiplications that must be saved: what prepares the rows takes some
  /// microseconds more, as many as it takes to do these.
  double fewestSaved;
};

/// Of kernels with AVX-512 as they are measured, of loops on other CPUs, and of
/// GPUs' threads as docs/sparsity.md estimates them.
constexpr Costs kCosts[] = {
    {"kernels", {0.05, 2.4}, {0.02, 1.6}, {0.1, 6.5}, {0.02, 1.6}, 3, 4e6},
    {"loops", {0.1, 4}, {0.1, 4}, {0.1, 4}, {0.1, 4}, 3, 4e6},
    {"threads", {0.05, 20}, {0.05, 14}, {1, 0}, {1, 0}, 31, 5e7},
};

/// A sparse product must be expected to take less than this: estimates are off
/// by some percent.
constexpr double kWorthIt = 0.85;

/// A constant in a sparse format, and the share of the dense time that a
/// product with it is expected to take.
struct Encoded {
  SparseElementsAttr value;
  double cost = 1;
  /// What is stored for it.
  int64_t bytes = 0;

  double getDensity() const {
    return double(value.getValues().getNumElements()) /
           double(value.getNumElements());
  }
  bool isBlocked() const {
    AffineMap map = getSparseTensorEncoding(value.getType()).getDimToLvl();
    return map.getNumResults() > map.getNumDims();
  }
};

/// The elements that a matrix must have: the others are read from a cache.
constexpr int64_t kFewestElements = 1 << 16;

/// The rows of the product `op`. An unknown number is a usual one.
double getRows(Operation *op) {
  constexpr int64_t usualRows = 128;
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  double rows = 1;
  for (int64_t size : type.getShape().drop_back())
    rows *= ShapedType::isDynamic(size) ? usualRows : size;
  return rows;
}

/// The share of the dense time that the product `op` is expected to take. Of an
/// unknown number of rows, one mustn't take longer either.
double getCost(Operation *op, const Encoded &encoded, const Costs &costs) {
  auto type = cast<RankedTensorType>(op->getOperand(0).getType());
  if (type.hasStaticShape() && getRows(op) > costs.fewRows)
    return encoded.cost;
  const Cost &few =
      encoded.isBlocked() ? costs.fewRowsBlocks : costs.fewRowsChannels;
  return std::max(encoded.cost, few.get(encoded.getDensity()));
}

/// Whether the product `op` gains enough.
bool isWorthIt(Operation *op, const Encoded &encoded, const Costs &costs) {
  double cost = getCost(op, encoded, costs), rows = getRows(op);
  double elements = encoded.value.getNumElements();
  if (cost > kWorthIt || elements < kFewestElements)
    return false;
  return rows <= costs.fewRows ||
         (1 - cost) * rows * elements >= costs.fewestSaved;
}

/// The bytes that `matrix` takes where that share of its elements is stored, as
/// many at once as `block`.
int64_t getBytes(const Matrix &matrix, double density, int64_t block) {
  double count = density * double(matrix.rows) * double(matrix.columns) / block;
  int64_t coordinate = matrix.rows <= (1 << 16) ? 2 : 4;
  return int64_t(std::round(count)) * (coordinate + 4 * block) +
         4 * (matrix.columns / block + 1);
}

/// An estimate of the time of a convolution, in products of a direct dense one,
/// of a thread with AVX-512 (docs/sparsity.md).
class ConvolutionCost {
public:
  ConvolutionCost(ConvOp op, const Encoded &encoded, double fewestSaved)
      : encoded(encoded), fewestSaved(fewestSaved) {
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
    return isKnown && sparse <= dense * share && dense - sparse >= fewestSaved;
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
  static constexpr Cost kPointCost{0.25, 2.4}, kWindowCost{0.15, 2.7};

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
    const Cost &cost = isPointwise() ? kPointCost : kWindowCost;
    double share = encoded.isBlocked()
                       ? encoded.cost
                       : cost.get(encoded.getDensity() * getWaste());
    return getProducts() * share + kOfElement * getElements();
  }

  const Encoded &encoded;
  double fewestSaved;
  ArrayRef<int64_t> filters;
  SmallVector<int64_t> strides, dilations, outputs;
  bool isKnown = true;
};

/// Whether blocks are expected to be faster than single channels, and what is
/// expected of the faster format; the value isn't made.
std::pair<bool, Encoded> chooseBlocks(const Matrix &matrix,
                                      const Costs &costs) {
  double single = matrix.getDensity();
  double channels = costs.channels.get(single);
  if (matrix.columns % kBlockChannels == 0) {
    double density = matrix.getBlockDensity();
    double blocks = costs.blocks.get(density);
    if (blocks < channels)
      return {true,
              {nullptr, blocks, getBytes(matrix, density, kBlockChannels)}};
  }
  return {false, {nullptr, channels, getBytes(matrix, single, 1)}};
}

//===----------------------------------------------------------------------===//
// In which form
//===----------------------------------------------------------------------===//

/// How an operation reads a constant.
enum class Form {
  Matrix,
  Transposed,
  /// As filters of one position each, or of others.
  PointFilters,
  Filters
};
constexpr size_t kForms = 4;

/// That of the filters of `op`.
Form getForm(ConvOp op) {
  auto isOne = [](int64_t number) { return number == 1; };
  auto type = cast<RankedTensorType>(op.getW().getType());
  bool isPoint = llvm::all_of(type.getShape().drop_front(2), isOne) &&
                 (!op.getStrides() || llvm::all_of(*op.getStrides(), isOne));
  return isPoint ? Form::PointFilters : Form::Filters;
}

/// A constant of `type` with the elements of `matrix`: of a row, those of
/// filters are all dimensions but the first.
SparseElementsAttr createElements(RankedTensorType type, const Matrix &matrix) {
  SmallVector<int64_t> places;
  places.reserve(matrix.getCount() * type.getRank());
  for (int64_t at = 0; at < matrix.getCount(); ++at) {
    places.resize(places.size() + type.getRank());
    int64_t rest = matrix.coordinates[2 * at + 1];
    int64_t *last = places.end();
    for (int64_t dim = type.getRank() - 1; dim > 0; --dim) {
      *--last = rest % type.getDimSize(dim);
      rest /= type.getDimSize(dim);
    }
    *--last = matrix.coordinates[2 * at];
  }
  auto values = RankedTensorType::get(matrix.getCount(), type.getElementType());
  return createSparseElements(
      type, places, DenseElementsAttr::get(values, ArrayRef(matrix.values)));
}

/// What `elements` become, in the format that is expected to be the fastest;
/// null where they aren't known.
Encoded encode(ElementsAttr elements, Form form, const Costs &costs) {
  std::optional<Matrix> matrix = getMatrix(elements);
  if (!matrix)
    return {};
  MLIRContext *context = elements.getContext();
  ShapedType from = elements.getShapedType();
  int64_t rank = from.getRank();
  if (form == Form::Transposed)
    matrix = matrix->getTransposed();
  if (form == Form::Matrix || form == Form::Transposed) {
    auto [isOfBlocks, encoded] = chooseBlocks(*matrix, costs);
    auto type = RankedTensorType::get(
        {matrix->rows, matrix->columns}, from.getElementType(),
        isOfBlocks ? getBlockEncoding(context) : getChannelEncoding(context));
    encoded.value = createElements(type, *matrix);
    return encoded;
  }
  // Blocks of filters with several taps have no kernel.
  Matrix turned = matrix->getTransposed();
  double density = matrix->getDensity();
  auto [isOfBlocks, encoded] =
      form == Form::PointFilters
          ? chooseBlocks(turned, costs)
          : std::pair(false, Encoded{nullptr, costs.channels.get(density),
                                     getBytes(turned, density, 1)});
  auto type =
      RankedTensorType::get(from.getShape(), from.getElementType(),
                            isOfBlocks ? getFilterBlockEncoding(context, rank)
                                       : getFilterEncoding(context, rank));
  encoded.value = createElements(type, *matrix);
  return encoded;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// A constant and how it is read.
struct Source {
  ConstantOp constant;
  Form form;
};

struct SparsifyConstants
    : omb::onnx::impl::SparsifyConstantsBase<SparsifyConstants> {
  using SparsifyConstantsBase::SparsifyConstantsBase;

  void runOnOperation() override {
    if (mode != "off" && mode != "auto" && mode != "on") {
      getOperation().emitError()
          << "mode is off, auto or on, not " << std::string(mode);
      return signalPassFailure();
    }
    costs = llvm::find_if(
        kCosts, [&](const Costs &each) { return each.name == costsOf; });
    if (costs == std::end(kCosts)) {
      getOperation().emitError()
          << "costs are of kernels, loops or threads, not "
          << std::string(costsOf);
      return signalPassFailure();
    }
    if (mode == "off")
      return;
    getOperation().walk([&](Operation *op) {
      if (isa<MatMulOp, GemmOp, ConvOp>(op) && mayBeSparse(op->getOpOperand(1)))
        sparsify(op);
    });
    zeros.clear();
    for (auto &each : made)
      each.clear();
  }

private:
  /// The constant that the second factor is; null where it is computed.
  static Source getSource(Operation *op) {
    Value value = op->getOperand(1);
    auto gemm = dyn_cast<GemmOp>(op);
    auto convolution = dyn_cast<ConvOp>(op);
    bool isTransposed = gemm && gemm.getTransB();
    while (Operation *from = value.getDefiningOp()) {
      if (auto constant = dyn_cast<ConstantOp>(from)) {
        if (convolution)
          return {constant, getForm(convolution)};
        return {constant, isTransposed ? Form::Transposed : Form::Matrix};
      }
      if (isa<TransposeOp>(from) && !convolution) {
        auto perm = cast<TransposeOp>(from).getPerm();
        // Without a permutation the dimensions are reversed.
        isTransposed ^= !perm || *perm == ArrayRef<int64_t>{1, 0};
      } else if (!isa<IdentityOp>(from)) {
        break;
      }
      value = from->getOperand(0);
    }
    return {};
  }

  /// Whether `op` is expected to be faster with sparse weights. What makes
  /// dense convolutions faster raises the threshold.
  bool gains(Operation *op, const Encoded &encoded) const {
    if (auto convolution = dyn_cast<ConvOp>(op))
      return ConvolutionCost(convolution, encoded, costs->fewestSaved)
          .isWorthIt(std::min(kWorthIt, 2 * kWorthIt * (1 - threshold)));
    return isWorthIt(op, encoded, *costs);
  }

  void sparsify(Operation *op) {
    // Loops and threads are of products.
    if (isa<ConvOp>(op) && costs->name != "kernels")
      return;
    Source source = getSource(op);
    ElementsAttr elements;
    if (!source.constant ||
        !matchPattern(source.constant.getResult(), m_Constant(&elements)))
      return;
    auto type = cast<RankedTensorType>(op->getOperand(1).getType());
    if (isSparse(type) && isLoweredSparse(op->getOpOperand(1)))
      return;
    // Most weights have no zeros: a count of them is enough.
    auto [count, isNew] = zeros.try_emplace(elements, 0.0);
    if (isNew)
      count->second = getZeroShare(elements);
    bool mustBe = mode == "on" && isa<SparseElementsAttr>(elements);
    if (!mustBe && count->second < threshold)
      return;
    // What several products read is made once; equal constants are merged.
    auto [found, isFirst] =
        made[static_cast<size_t>(source.form)].try_emplace(elements);
    if (isFirst)
      found->second = encode(elements, source.form, *costs);
    const Encoded &encoded = found->second;
    if (!encoded.value)
      return;
    bool isTaken = mode == "on" || gains(op, encoded);
    if (annotate)
      describe(op, encoded, isTaken);
    if (!isTaken)
      return;
    OpBuilder builder(op);
    Value sparse =
        createConstant(builder, source.constant.getLoc(), encoded.value);
    op->setOperand(1, sparse);
    if (auto gemm = dyn_cast<GemmOp>(op))
      gemm.setTransB(0);
  }

  /// Says in an attribute of a product what was found out of its weights.
  void describe(Operation *op, const Encoded &encoded, bool isTaken) const {
    std::optional<double> cost = getCost(op, encoded);
    if (!cost)
      return;
    Builder builder(op);
    int64_t dense = encoded.value.getNumElements() * int64_t(sizeof(float));
    SmallVector<NamedAttribute> found;
    auto add = [&](StringRef name, Attribute value) {
      found.push_back(builder.getNamedAttr(name, value));
    };
    add("form",
        builder.getStringAttr(encoded.isBlocked() ? "blocks" : "channels"));
    add("sparse", builder.getBoolAttr(isTaken));
    add("cost", builder.getF64FloatAttr(*cost));
    add("bytes", builder.getI64IntegerAttr(encoded.bytes));
    add("dense_bytes", builder.getI64IntegerAttr(dense));
    op->setAttr("onnx.sparse_estimate", builder.getDictionaryAttr(found));
  }

  std::optional<double> getCost(Operation *op, const Encoded &encoded) const {
    if (auto convolution = dyn_cast<ConvOp>(op))
      return ConvolutionCost(convolution, encoded, costs->fewestSaved)
          .getShare();
    return ::getCost(op, encoded, *costs);
  }

  const Costs *costs = nullptr;
  /// The share of zeros of each constant.
  llvm::DenseMap<Attribute, double> zeros;
  /// What each becomes in each form.
  std::array<llvm::DenseMap<Attribute, Encoded>, kForms> made;
};

} // namespace
