//===- SparseMatrix.cpp - The elements of a constant without zeros --------===//

#include "dialect/transforms/SparseMatrix.h"

#include "dialect/ir/QuantizedTypes.h"
#include "dialect/transforms/ConstantNumbers.h"
#include "dialect/transforms/SparseConstants.h"

#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace omb::onnx;
using mlir::quant::QuantizedType;

/// The elements of a dense constant, without a copy; empty where they aren't
/// known one by one.
template <typename T>
static ArrayRef<T> getDenseElements(ElementsAttr elements) {
  ArrayRef<char> bytes;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    if (const AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      bytes = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(elements)) {
    if (!dense.isSplat())
      bytes = dense.getRawData();
  }
  if (bytes.size() != size_t(elements.getNumElements()) * sizeof(T))
    return {};
  return ArrayRef(reinterpret_cast<const T *>(bytes.data()),
                  elements.getNumElements());
}

/// Calls `visit` with the position and the value of each element of a dense
/// constant; false where they aren't known.
template <typename Visit>
static bool visitDense(const SparseSource &source, Visit visit) {
  auto visitAll = [&](auto all, auto getValue) {
    for (auto [at, element] : llvm::enumerate(all))
      visit(int64_t(at), getValue(at, element));
    return !all.empty();
  };
  QuantizedType quantized = getQuantized(source.type);
  if (!quantized)
    return visitAll(getDenseElements<float>(source.elements),
                    [](int64_t, float value) { return value; });
  ZeroPoints zeros(source.type);
  auto subtract = [&](int64_t at, int64_t integer) -> float {
    return integer - zeros.at(at);
  };
  if (quantized.isSigned())
    return visitAll(getDenseElements<int8_t>(source.elements), subtract);
  return visitAll(getDenseElements<uint8_t>(source.elements), subtract);
}

/// The same of those that a sparse one stores.
template <typename Visit>
static bool visitStored(const SparseSource &source, Visit visit) {
  auto sparse = cast<SparseElementsAttr>(source.elements);
  auto at = sparse.getIndices().value_begin<uint64_t>();
  auto getPosition = [&] {
    int64_t position = 0;
    for (int64_t size : source.type.getShape())
      position = position * size + int64_t(*at++);
    return position;
  };
  if (!getQuantized(source.type)) {
    for (float value : sparse.getValues().getValues<float>())
      visit(getPosition(), value);
    return true;
  }
  SmallVector<int64_t> integers;
  if (!readIntegers(sparse.getValues(), integers))
    return false;
  ZeroPoints zeros(source.type);
  for (int64_t integer : integers) {
    int64_t position = getPosition();
    visit(position, float(integer - zeros.at(position)));
  }
  return true;
}

template <typename Visit>
static bool visitElements(const SparseSource &source, Visit visit) {
  return source.isSparse() ? visitStored(source, visit)
                           : visitDense(source, visit);
}

double SparseSource::getZeroShare() const {
  int64_t others = 0;
  if (!visitElements(*this,
                     [&](int64_t, float value) { others += value != 0; }))
    return 0;
  return 1 - double(others) / double(type.getNumElements());
}

std::optional<SparseMatrix> SparseMatrix::get(const SparseSource &source) {
  ArrayRef<int64_t> shape = source.type.getShape();
  SparseMatrix matrix{
      shape[0], ShapedType::getNumElements(shape.drop_front()), {}, {}};
  SmallVector<std::pair<int64_t, float>> entries;
  if (!visitElements(source, [&](int64_t position, float value) {
        if (value != 0)
          entries.push_back({position, value});
      }))
    return std::nullopt;
  if (!llvm::is_sorted(entries, llvm::less_first()))
    llvm::stable_sort(entries, llvm::less_first());
  for (auto [position, value] : entries) {
    matrix.coordinates.append(
        {position / matrix.columns, position % matrix.columns});
    matrix.values.push_back(value);
  }
  return matrix;
}

double SparseMatrix::getBlockDensity() const {
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

SparseMatrix SparseMatrix::getTransposed() const {
  SparseMatrix turned{columns, rows, {}, {}};
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

/// The integers that `type` stores for these numbers of a matrix.
static DenseElementsAttr createIntegers(const SparseMatrix &matrix,
                                        RankedTensorType type) {
  IntegerType storage = getStorageType(getQuantized(type));
  ZeroPoints zeros(type);
  SmallVector<APInt> integers;
  for (int64_t at = 0; at < matrix.getCount(); ++at) {
    int64_t position = matrix.coordinates[2 * at] * matrix.columns +
                       matrix.coordinates[2 * at + 1];
    integers.emplace_back(storage.getWidth(),
                          int64_t(matrix.values[at]) + zeros.at(position),
                          !storage.isUnsigned(), /*implicitTrunc=*/true);
  }
  return DenseElementsAttr::get(
      RankedTensorType::get(matrix.getCount(), storage), integers);
}

SparseElementsAttr SparseMatrix::createElements(RankedTensorType type) const {
  SmallVector<int64_t> places;
  places.reserve(getCount() * type.getRank());
  for (int64_t at = 0; at < getCount(); ++at) {
    places.resize(places.size() + type.getRank());
    int64_t rest = coordinates[2 * at + 1];
    int64_t *last = places.end();
    for (int64_t dim = type.getRank() - 1; dim > 0; --dim) {
      *--last = rest % type.getDimSize(dim);
      rest /= type.getDimSize(dim);
    }
    *--last = coordinates[2 * at];
  }
  if (getQuantized(type))
    return createSparseElements(cast<RankedTensorType>(getStored(type)), places,
                                createIntegers(*this, type));
  auto stored = RankedTensorType::get(getCount(), type.getElementType());
  return createSparseElements(type, places,
                              DenseElementsAttr::get(stored, ArrayRef(values)));
}
