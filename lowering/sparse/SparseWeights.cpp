//===- SparseWeights.cpp - Constants as their stored elements -------------===//

#include "lowering/sparse/SparseWeights.h"

#include "lowering/ConstantBytes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace mlir::sparse_tensor;

SparseElementsAttr omb::getSparseElements(Value value) {
  SparseElementsAttr elements;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !getSparseTensorEncoding(type) ||
      !matchPattern(value, m_Constant(&elements)))
    return nullptr;
  return elements;
}

/// The channels of a block of the encoding of [k, n]; 1 of single channels, 0
/// of another format.
static int64_t getBlockSize(SparseTensorEncodingAttr encoding) {
  ArrayRef<LevelType> levels = encoding.getLvlTypes();
  AffineMap map = encoding.getDimToLvl();
  AffineExpr k, n;
  bindDims(encoding.getContext(), k, n);
  auto isDense = [](LevelType level) { return isDenseLT(level); };
  auto isCompressed = [](LevelType level) {
    return isCompressedLT(level) && isUniqueLT(level) && isOrderedLT(level);
  };
  if (levels.size() < 2 || map.getNumDims() != 2 || map.getResult(1) != k ||
      !isDense(levels[0]) || !isCompressed(levels[1]))
    return 0;
  if (levels.size() == 2)
    return map.getResult(0) == n ? 1 : 0;
  auto inBlock = dyn_cast<AffineBinaryOpExpr>(map.getResult(2));
  auto size = inBlock ? dyn_cast<AffineConstantExpr>(inBlock.getRHS())
                      : AffineConstantExpr();
  if (levels.size() != 3 || !isDense(levels[2]) || !size ||
      map.getResult(0) != n.floorDiv(size.getValue()) ||
      map.getResult(2) != n % size.getValue())
    return 0;
  return size.getValue();
}

SparseTensorEncodingAttr omb::getChunkEncoding(MLIRContext *context,
                                               int64_t chunk) {
  AffineExpr k, n;
  bindDims(context, k, n);
  LevelType dense(LevelFormat::Dense), compressed(LevelFormat::Compressed);
  return SparseTensorEncodingAttr::get(
      context, {dense, dense, compressed},
      AffineMap::get(2, 0, {k.floorDiv(chunk), n, k % chunk}, context),
      AffineMap(), /*posWidth=*/0, /*crdWidth=*/0);
}

int64_t omb::getChunkSize(SparseTensorEncodingAttr encoding) {
  AffineMap map = encoding.getDimToLvl();
  if (map.getNumResults() != 3)
    return 0;
  auto first = dyn_cast<AffineBinaryOpExpr>(map.getResult(0));
  auto size = first ? dyn_cast<AffineConstantExpr>(first.getRHS())
                    : AffineConstantExpr();
  if (!size || size.getValue() <= 0)
    return 0;
  auto chunks = getChunkEncoding(encoding.getContext(), size.getValue());
  bool isOfChunks = chunks.getDimToLvl() == map &&
                    chunks.getLvlTypes() == encoding.getLvlTypes();
  return isOfChunks ? size.getValue() : 0;
}

FailureOr<omb::SparseWeights>
omb::SparseWeights::get(SparseElementsAttr elements) {
  auto type = cast<RankedTensorType>(elements.getType());
  SparseWeights weights;
  bool isOfBytes = type.getElementType().isInteger(8);
  if (type.getRank() != 2 || !(isOfBytes || type.getElementType().isF32()))
    return failure();
  weights.chunk = getChunkSize(getSparseTensorEncoding(type));
  if (weights.chunk == 0)
    weights.block = getBlockSize(getSparseTensorEncoding(type));
  if (weights.block == 0 || type.getDimSize(1) % weights.block != 0)
    return failure();
  // Without chunks, there is one.
  int64_t chunk = weights.chunk == 0 ? type.getDimSize(0) : weights.chunk;
  // A coordinate and a position are numbers of 32 bits.
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  int64_t count = elements.getValues().getNumElements();
  if (type.getDimSize(0) > most || count > most / weights.block)
    return failure();
  weights.storage = Float32Type::get(type.getContext());
  weights.chooseCoordinates(chunk);

  auto indices = llvm::to_vector(elements.getIndices().getValues<uint64_t>());
  auto numbers =
      isOfBytes
          ? llvm::to_vector_of<float>(elements.getValues().getValues<int8_t>())
          : llvm::to_vector(elements.getValues().getValues<float>());
  // By k, then, in this order, by channels or blocks of them.
  SmallVector<int64_t> order(count), sorted(count);
  std::iota(order.begin(), order.end(), 0);
  auto isBefore = [&](int64_t lhs, int64_t rhs) {
    return indices[2 * lhs] < indices[2 * rhs];
  };
  if (!llvm::is_sorted(order, isBefore))
    llvm::stable_sort(order, isBefore);
  int64_t ofChunk = type.getDimSize(1) / weights.block;
  auto getOuter = [&](int64_t at) {
    return int64_t(indices[2 * at]) / chunk * ofChunk +
           int64_t(indices[2 * at + 1]) / weights.block;
  };
  int64_t chunks = llvm::divideCeil(type.getDimSize(0), chunk);
  SmallVector<int64_t> starts(chunks * ofChunk + 1, 0);
  for (int64_t at : order)
    ++starts[getOuter(at) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  SmallVector<int64_t> next(starts);
  for (int64_t at : order)
    sorted[next[getOuter(at)]++] = at;

  weights.positions.push_back(0);
  for (size_t outer = 0; outer + 1 < starts.size(); ++outer) {
    // Of elements with the same coordinates, the last one counts.
    std::optional<uint64_t> last;
    for (int64_t number = starts[outer]; number < starts[outer + 1]; ++number) {
      int64_t at = sorted[number];
      if (last != indices[2 * at]) {
        last = indices[2 * at];
        weights.coordinates.push_back(*last % chunk);
        weights.values.append(weights.block, 0.0f);
      }
      weights.values[weights.values.size() - weights.block +
                     indices[2 * at + 1] % weights.block] = numbers[at];
    }
    weights.positions.push_back(weights.coordinates.size());
  }
  return weights;
}

void omb::SparseWeights::chooseCoordinates(int64_t size) {
  coordinateBits = size <= 1 << 8 ? 8 : size <= 1 << 16 ? 16 : 32;
}

void omb::SparseWeights::divide(int64_t inner, int64_t size) {
  assert(block == 1 && chunk == 0 && "of single channels, not divided");
  SparseWeights divided;
  divided.positions.push_back(0);
  // Where the values of a channel go on.
  SmallVector<int32_t> next(ArrayRef<int32_t>(positions).drop_back());
  for (int64_t first = 0; first < inner; first += size) {
    for (auto [channel, at] : llvm::enumerate(next)) {
      for (; at < positions[channel + 1] && coordinates[at] < first + size;
           ++at) {
        divided.coordinates.push_back(coordinates[at] - first);
        divided.values.push_back(values[at]);
      }
      divided.positions.push_back(divided.coordinates.size());
    }
  }
  positions = std::move(divided.positions);
  coordinates = std::move(divided.coordinates);
  values = std::move(divided.values);
  chunk = size;
  chooseCoordinates(size);
}

void omb::SparseWeights::pad(int64_t count, int64_t inner) {
  SparseWeights padded;
  padded.positions.push_back(0);
  for (size_t outer = 0; outer + 1 < positions.size(); ++outer) {
    int64_t at = positions[outer], end = positions[outer + 1];
    int64_t left =
        std::min<int64_t>(llvm::alignTo(end - at, count), inner) - (end - at);
    // The first of those that have no values, in their order.
    for (int64_t k = 0; at < end || left > 0; ++k) {
      bool isStored = at < end && coordinates[at] == k;
      if (!isStored && left == 0)
        std::tie(k, isStored) = std::pair<int64_t, bool>(coordinates[at], true);
      padded.coordinates.push_back(k);
      if (!isStored) {
        padded.values.append(block, 0.0f);
        --left;
        continue;
      }
      padded.values.append(values.begin() + at * block,
                           values.begin() + (at + 1) * block);
      ++at;
    }
    padded.positions.push_back(padded.coordinates.size());
  }
  positions = std::move(padded.positions);
  coordinates = std::move(padded.coordinates);
  values = std::move(padded.values);
}

void omb::SparseWeights::chooseStorage(FloatType narrow) {
  auto isByte = [](float value) {
    return value >= -128 && value <= 127 && value == std::rint(value);
  };
  if (llvm::all_of(values, isByte))
    storage = IntegerType::get(storage.getContext(), 8);
  else if (narrow)
    storage = narrow;
}

/// The bits of `value`, rounded to a float of 16 bits.
static uint16_t getNarrowBits(float value, FloatType type) {
  bool losesInfo;
  APFloat rounded(value);
  rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
  return rounded.bitcastToAPInt().getZExtValue();
}

/// A constant of these numbers, one at least, as `T`.
template <typename T, typename From>
static Value createNumbers(OpBuilder &builder, Location loc, Type element,
                           StringRef name, ArrayRef<From> numbers) {
  int64_t size = std::max<int64_t>(numbers.size(), 1);
  auto type = RankedTensorType::get(size, element);
  return omb::createConstantBytes(
      builder, loc, type, name, [&](MutableArrayRef<char> bytes) {
        MutableArrayRef<T> stored(reinterpret_cast<T *>(bytes.data()), size);
        stored.front() = T();
        for (auto [to, from] : llvm::zip(stored, numbers))
          to = static_cast<T>(from);
      });
}

omb::SparseWeights::Buffers
omb::SparseWeights::createBuffers(OpBuilder &builder, Location loc) const {
  Value starts = createNumbers<int32_t>(builder, loc, builder.getI32Type(),
                                        "positions", ArrayRef(positions));
  return {starts, createCoordinates(builder, loc), createValues(builder, loc)};
}

Value omb::SparseWeights::createCoordinates(OpBuilder &builder,
                                            Location loc) const {
  Type type = builder.getIntegerType(coordinateBits);
  StringRef name = "coordinates";
  ArrayRef<int32_t> all(coordinates);
  if (coordinateBits == 8)
    return createNumbers<uint8_t>(builder, loc, type, name, all);
  if (coordinateBits == 16)
    return createNumbers<uint16_t>(builder, loc, type, name, all);
  return createNumbers<int32_t>(builder, loc, type, name, all);
}

Value omb::SparseWeights::createValues(OpBuilder &builder, Location loc) const {
  StringRef name = "values";
  if (storage.isF32())
    return createNumbers<float>(builder, loc, storage, name, ArrayRef(values));
  auto narrow = dyn_cast<FloatType>(storage);
  if (!narrow)
    return createNumbers<int8_t>(builder, loc, storage, name, ArrayRef(values));
  SmallVector<uint16_t> bits(llvm::map_range(
      values, [&](float value) { return getNarrowBits(value, narrow); }));
  return createNumbers<uint16_t>(builder, loc, storage, name, ArrayRef(bits));
}

Value omb::SparseWeights::assemble(OpBuilder &builder, Location loc,
                                   RankedTensorType type) const {
  auto withoutSize = [&](Value numbers) -> Value {
    auto dynamic = RankedTensorType::get(ShapedType::kDynamic,
                                         getElementTypeOrSelf(numbers));
    return tensor::CastOp::create(builder, loc, dynamic, numbers);
  };
  Buffers buffers = createBuffers(builder, loc);
  auto encoding = getSparseTensorEncoding(type);
  auto assembled = RankedTensorType::get(
      type.getShape(), storage,
      SparseTensorEncodingAttr::get(
          builder.getContext(), encoding.getLvlTypes(), encoding.getDimToLvl(),
          encoding.getLvlToDim(), /*posWidth=*/32,
          /*crdWidth=*/coordinateBits));
  return AssembleOp::create(
      builder, loc, assembled,
      ValueRange{buffers.positions, withoutSize(buffers.coordinates)},
      withoutSize(buffers.values));
}
