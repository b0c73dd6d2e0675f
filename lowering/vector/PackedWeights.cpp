//===- PackedWeights.cpp - Constants in the order kernels read ------------===//

#include "lowering/vector/PackedWeights.h"

#include "lowering/ConstantBytes.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace {

/// Writes one element of the packed weights.
class ElementCopy {
public:
  /// From one type to the same, from f32 to a narrower one, or from signed
  /// bytes to f32.
  ElementCopy(Type from, Type to)
      : width(to.getIntOrFloatBitWidth() / 8), isConverted(from != to),
        isOfBytes(from.isInteger(8)), isBFloat(to.isBF16()) {}

  int64_t getWidth() const { return width; }

  void operator()(char *to, const char *from) const {
    if (!isConverted) {
      std::memcpy(to, from, width);
      return;
    }
    if (isOfBytes) {
      auto number = float(int8_t(*from));
      std::memcpy(to, &number, sizeof(number));
      return;
    }
    uint32_t bits;
    std::memcpy(&bits, from, sizeof(bits));
    uint16_t narrow = isBFloat ? toBFloat(bits) : toHalf(bits);
    std::memcpy(to, &narrow, sizeof(narrow));
  }

private:
  static uint16_t toBFloat(uint32_t bits) {
    if ((bits & 0x7fffffff) > 0x7f800000)
      return (bits >> 16) | 0x40; // stays not a number
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  }

  static uint16_t toHalf(uint32_t bits) {
    bool losesInfo;
    APFloat value(APFloat::IEEEsingle(), APInt(32, bits));
    value.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    return value.bitcastToAPInt().getZExtValue();
  }

  int64_t width;
  bool isConverted, isOfBytes, isBFloat;
};

/// Goes through the packed elements in their order.
class Packer {
public:
  Packer(const omb::ConstantBytes &source, ArrayRef<int64_t> shape,
         int64_t panel, ArrayRef<int64_t> order, size_t batches, int64_t group,
         const ElementCopy &copy, char *out)
      : source(source), copy(copy), width(copy.getWidth()), panel(panel),
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
    for (int64_t channel = 0; channel < channels; ++channel)
      copy(out + channel * width, source.at(offset + channel * steps[batches]));
    std::memset(out + channels * width, 0, (panel - channels) * width);
    out += panel * width;
  }

  /// The first `count` values of a group, for each channel.
  void packGroup(int64_t offset, int64_t count, int64_t channels) {
    std::memset(out, 0, panel * group * width);
    for (int64_t channel = 0; channel < channels; ++channel)
      for (int64_t index = 0; index < count; ++index)
        copy(out + (channel * group + index) * width,
             source.at(offset + channel * steps[batches] +
                       index * steps.back()));
    out += panel * group * width;
  }

  const omb::ConstantBytes &source;
  const ElementCopy &copy;
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
                                           size_t batches, int64_t group,
                                           Type element) {
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
  auto packedType = RankedTensorType::get(shape, element);
  ElementCopy copy(type.getElementType(), element);

  return createConstantBytes(builder, weights.getLoc(), packedType,
                             source->getName() + ".packed",
                             [&](MutableArrayRef<char> out) {
                               Packer(*source, type.getShape(), panel, order,
                                      batches, group, copy, out.data())
                                   .pack();
                             });
}
