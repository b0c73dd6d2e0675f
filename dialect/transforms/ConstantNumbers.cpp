//===- ConstantNumbers.cpp - The elements of constants --------------------===//

#include "dialect/transforms/ConstantNumbers.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;

/// The integer of `width` bits that is at `index` in `data`, whose elements are
/// bytes or, as far as `isPacked`, parts of bytes.
static int64_t readInteger(ArrayRef<char> data, int64_t index, unsigned width,
                           bool isSigned, bool isPacked) {
  uint64_t bits = 0;
  if (width < 8) {
    int64_t perByte = isPacked ? 8 / width : 1;
    bits = uint8_t(data[index / perByte]) >> (index % perByte * width);
  } else {
    std::memcpy(&bits, data.data() + index * (width / 8), width / 8);
  }
  APInt value(width, bits, /*isSigned=*/false, /*implicitTrunc=*/true);
  return isSigned ? value.getSExtValue() : value.getZExtValue();
}

bool omb::onnx::readIntegers(ElementsAttr elements,
                             SmallVector<int64_t> &found) {
  auto type = dyn_cast<IntegerType>(elements.getElementType());
  if (!type)
    return false;
  bool isSigned = !type.isUnsigned();
  if (auto dense = dyn_cast<DenseElementsAttr>(elements)) {
    for (const APInt &value : dense.getValues<APInt>())
      found.push_back(isSigned ? value.getSExtValue() : value.getZExtValue());
    return true;
  }
  auto resource = dyn_cast<DenseResourceElementsAttr>(elements);
  const AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob)
    return false;
  int64_t count = elements.getNumElements();
  unsigned width = type.getWidth();
  bool isPacked = width < 8 && int64_t(blob->getData().size()) != count;
  if (int64_t(blob->getData().size()) * 8 < count * width)
    return false;
  for (int64_t index = 0; index < count; ++index)
    found.push_back(
        readInteger(blob->getData(), index, width, isSigned, isPacked));
  return true;
}

bool omb::onnx::readFloats(ElementsAttr elements, SmallVector<double> &found) {
  auto type = dyn_cast<FloatType>(elements.getElementType());
  if (!type)
    return false;
  auto add = [&](APFloat value) {
    bool losesInfo;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    found.push_back(value.convertToDouble());
  };
  if (auto dense = dyn_cast<DenseElementsAttr>(elements)) {
    llvm::for_each(dense.getValues<APFloat>(), add);
    return true;
  }
  auto resource = dyn_cast<DenseResourceElementsAttr>(elements);
  const AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  unsigned width = type.getWidth();
  int64_t count = elements.getNumElements();
  if (!blob || width % 8 != 0 ||
      int64_t(blob->getData().size()) != count * (width / 8))
    return false;
  for (int64_t index = 0; index < count; ++index)
    add(APFloat(type.getFloatSemantics(),
                APInt(width,
                      readInteger(blob->getData(), index, width,
                                  /*isSigned=*/false, false),
                      /*isSigned=*/false, /*implicitTrunc=*/true)));
  return true;
}
