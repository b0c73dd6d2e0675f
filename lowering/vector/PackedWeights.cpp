//===- PackedWeights.cpp - Constants in the order kernels read ------------===//

#include "lowering/vector/PackedWeights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace {

/// The bytes of a constant, without a copy, and what to call it.
struct Source {
  ArrayRef<char> bytes;
  bool isSplat = false;
  std::string name = "weights";
};

} // namespace

static FailureOr<Source> getSource(ElementsAttr elements) {
  Source source;
  size_t size = elements.getNumElements() *
                elements.getElementType().getIntOrFloatBitWidth() / 8;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    const AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || blob->getData().size() != size)
      return failure();
    source.bytes = blob->getData();
    source.name = resource.getRawHandle().getKey().str();
    return source;
  }
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense)
    return failure();
  source.bytes = dense.getRawData();
  source.isSplat = dense.isSplat();
  return source;
}

namespace {

/// Goes through the packed elements in their order.
class Packer {
public:
  Packer(const Source &source, ArrayRef<int64_t> shape, unsigned width,
         int64_t panel, ArrayRef<int64_t> order, size_t batches, char *out)
      : source(source), width(width), panel(panel), batches(batches), out(out) {
    SmallVector<int64_t> strides(shape.size(), 1);
    for (size_t dim = shape.size(); dim-- > 1;)
      strides[dim - 1] = strides[dim] * shape[dim];
    for (int64_t dim : order) {
      sizes.push_back(shape[dim]);
      steps.push_back(strides[dim]);
    }
  }

  void pack() { packBatches(0, 0); }

private:
  void packBatches(size_t dim, int64_t offset) {
    if (dim < batches) {
      for (int64_t index = 0; index < sizes[dim]; ++index)
        packBatches(dim + 1, offset + index * steps[dim]);
      return;
    }
    for (int64_t first = 0; first < sizes[dim]; first += panel)
      packSums(dim + 1, offset + first * steps[dim],
               std::min(panel, sizes[dim] - first));
  }

  void packSums(size_t dim, int64_t offset, int64_t channels) {
    if (dim < sizes.size()) {
      for (int64_t index = 0; index < sizes[dim]; ++index)
        packSums(dim + 1, offset + index * steps[dim], channels);
      return;
    }
    for (int64_t channel = 0; channel < channels; ++channel) {
      int64_t element = source.isSplat ? 0 : offset + channel * steps[batches];
      std::memcpy(out + channel * width, source.bytes.data() + element * width,
                  width);
    }
    std::memset(out + channels * width, 0, (panel - channels) * width);
    out += panel * width;
  }

  const Source &source;
  unsigned width;
  int64_t panel;
  size_t batches;
  char *out;
  SmallVector<int64_t> sizes, steps;
};

} // namespace

FailureOr<Value> omb::kernels::packWeights(OpBuilder &builder, Value weights,
                                           int64_t panel,
                                           ArrayRef<int64_t> order,
                                           size_t batches) {
  ElementsAttr elements;
  if (!matchPattern(weights, m_Constant(&elements)))
    return failure();
  FailureOr<Source> source = getSource(elements);
  if (failed(source))
    return failure();
  auto type = cast<RankedTensorType>(weights.getType());
  unsigned width = type.getElementTypeBitWidth() / 8;

  SmallVector<int64_t> shape = applyPermutation(type.getShape(), order);
  shape[batches] = llvm::divideCeilSigned(shape[batches], panel);
  shape.push_back(panel);
  auto packedType = RankedTensorType::get(shape, type.getElementType());

  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
      packedType.getNumElements() * width, /*align=*/64);
  Packer(*source, type.getShape(), width, panel, order, batches,
         blob.getMutableData().data())
      .pack();
  auto packed = DenseResourceElementsAttr::get(
      packedType, source->name + ".packed", std::move(blob));
  return arith::ConstantOp::create(builder, weights.getLoc(), packedType,
                                   packed)
      .getResult();
}
