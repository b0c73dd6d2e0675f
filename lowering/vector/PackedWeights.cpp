//===- PackedWeights.cpp - Constants in the order kernels read ------------===//

#include "lowering/vector/PackedWeights.h"

#include "lowering/ConstantBytes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace {

/// Goes through the packed elements in their order.
class Packer {
public:
  Packer(const omb::ConstantBytes &source, ArrayRef<int64_t> shape,
         int64_t panel, ArrayRef<int64_t> order, size_t batches, char *out)
      : source(source), width(source.getWidth()), panel(panel),
        batches(batches), out(out) {
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
      std::memcpy(out + channel * width,
                  source.at(offset + channel * steps[batches]), width);
    }
    std::memset(out + channels * width, 0, (panel - channels) * width);
    out += panel * width;
  }

  const omb::ConstantBytes &source;
  int64_t width;
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
  FailureOr<ConstantBytes> source = ConstantBytes::get(weights);
  if (failed(source))
    return failure();
  auto type = cast<RankedTensorType>(weights.getType());

  SmallVector<int64_t> shape = applyPermutation(type.getShape(), order);
  shape[batches] = llvm::divideCeilSigned(shape[batches], panel);
  shape.push_back(panel);
  auto packedType = RankedTensorType::get(shape, type.getElementType());

  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
      packedType.getNumElements() * source->getWidth(), /*align=*/64);
  Packer(*source, type.getShape(), panel, order, batches,
         blob.getMutableData().data())
      .pack();
  auto packed = DenseResourceElementsAttr::get(
      packedType, (source->getName() + ".packed").str(), std::move(blob));
  return arith::ConstantOp::create(builder, weights.getLoc(), packedType,
                                   packed)
      .getResult();
}
