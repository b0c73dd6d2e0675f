//===- PackedWeights.cpp - Constants in the order kernels read ------------===//

#include "lowering/vector/PackedWeights.h"

#include "lowering/ConstantBytes.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace {

/// Goes through the packed elements in their order.
class Packer {
public:
  Packer(const omb::ConstantBytes &source, ArrayRef<int64_t> shape,
         int64_t panel, ArrayRef<int64_t> order, size_t batches, int64_t group,
         char *out)
      : source(source), width(source.getWidth()), panel(panel),
        batches(batches), group(group), out(out) {
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
    if (group > 1 && dim + 1 == sizes.size()) {
      for (int64_t first = 0; first < sizes[dim]; first += group)
        packGroup(offset + first * steps[dim],
                  std::min(group, sizes[dim] - first), channels);
      return;
    }
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

  /// The first `count` values of a group, for each channel.
  void packGroup(int64_t offset, int64_t count, int64_t channels) {
    std::memset(out, 0, panel * group * width);
    for (int64_t channel = 0; channel < channels; ++channel)
      for (int64_t index = 0; index < count; ++index)
        std::memcpy(
            out + (channel * group + index) * width,
            source.at(offset + channel * steps[batches] + index * steps.back()),
            width);
    out += panel * group * width;
  }

  const omb::ConstantBytes &source;
  int64_t width;
  int64_t panel;
  size_t batches;
  int64_t group;
  char *out;
  SmallVector<int64_t> sizes, steps;
};

} // namespace

FailureOr<Value> omb::kernels::packWeights(OpBuilder &builder, Value weights,
                                           int64_t panel,
                                           ArrayRef<int64_t> order,
                                           size_t batches, int64_t group) {
  FailureOr<ConstantBytes> source = ConstantBytes::get(weights);
  if (failed(source))
    return failure();
  auto type = cast<RankedTensorType>(weights.getType());

  SmallVector<int64_t> shape = applyPermutation(type.getShape(), order);
  shape[batches] = llvm::divideCeilSigned(shape[batches], panel);
  if (group > 1)
    shape.back() = llvm::divideCeilSigned(shape.back(), group);
  shape.push_back(panel);
  if (group > 1)
    shape.push_back(group);
  auto packedType = RankedTensorType::get(shape, type.getElementType());

  return createConstantBytes(builder, weights.getLoc(), packedType,
                             source->getName() + ".packed",
                             [&](MutableArrayRef<char> out) {
                               Packer(*source, type.getShape(), panel, order,
                                      batches, group, out.data())
                                   .pack();
                             });
}
