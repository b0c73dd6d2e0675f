//===- Storage.cpp - Bytes of constants as IREE keeps them ----------------===//

#include "lowering/iree/Parameters.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

/// The bits of one element, 0 where IREE has no storage for it.
static unsigned getElementBits(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * getElementBits(complex.getElementType());
  return type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 0;
}

static ArrayRef<char> getBytes(DenseResourceElementsAttr elements) {
  const AsmResourceBlob *blob = elements.getRawHandle().getBlob();
  return blob ? blob->getData() : ArrayRef<char>();
}

static DenseElementsAttr asBytes(MLIRContext *context, ArrayRef<char> bytes) {
  auto type = RankedTensorType::get(static_cast<int64_t>(bytes.size()),
                                    IntegerType::get(context, 8));
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

/// `count` elements of one byte each, packed to `bits` bits.
static SmallVector<char> packBytes(ArrayRef<char> bytes, unsigned bits) {
  unsigned perByte = 8 / bits;
  unsigned mask = (1u << bits) - 1;
  SmallVector<char> packed(llvm::divideCeil(bytes.size(), perByte), 0);
  for (auto [index, byte] : llvm::enumerate(bytes))
    packed[index / perByte] |=
        static_cast<char>((byte & mask) << (index % perByte * bits));
  return packed;
}

static ElementsAttr packDense(DenseElementsAttr elements, unsigned bits) {
  if (bits % 8 == 0)
    return elements;
  SmallVector<char> bytes;
  if (elements.getElementType().isInteger()) {
    // MLIR keeps i1 as bits and other narrow integers as bytes; going through
    // the values is right for both.
    for (const APInt &value : elements.getValues<APInt>())
      bytes.push_back(static_cast<char>(value.getZExtValue()));
  } else {
    for (const APFloat &value : elements.getValues<APFloat>())
      bytes.push_back(static_cast<char>(value.bitcastToAPInt().getZExtValue()));
  }
  MLIRContext *context = elements.getContext();
  return asBytes(context, bits == 1 ? bytes : packBytes(bytes, bits));
}

ElementsAttr omb::packElements(ElementsAttr elements) {
  ShapedType type = elements.getShapedType();
  unsigned bits = getElementBits(type.getElementType());
  if (bits == 0 || (bits % 8 != 0 && 8 % bits != 0))
    return {};
  if (auto dense = dyn_cast<DenseElementsAttr>(elements))
    return packDense(dense, bits);
  auto resource = dyn_cast<DenseResourceElementsAttr>(elements);
  if (!resource)
    return {};
  ArrayRef<char> bytes = getBytes(resource);
  uint64_t count = type.getNumElements();
  uint64_t size = bits == 1 ? count : llvm::divideCeil(count * bits, 8);
  if (bytes.size() == size)
    return elements;
  if (bits < 8 && bytes.size() == count)
    return asBytes(elements.getContext(), packBytes(bytes, bits));
  return {};
}

DenseElementsAttr omb::inlineElements(ElementsAttr elements) {
  if (auto dense = dyn_cast<DenseElementsAttr>(elements))
    return dense;
  auto resource = dyn_cast<DenseResourceElementsAttr>(elements);
  if (!resource)
    return {};
  ArrayRef<char> bytes = getBytes(resource);
  ShapedType type = elements.getShapedType();
  int64_t count = type.getNumElements();
  unsigned bits = getElementBits(type.getElementType());
  if (bits == 1) {
    if (static_cast<int64_t>(bytes.size()) != count)
      return {};
    SmallVector<bool> values(
        llvm::map_range(bytes, [](char byte) { return byte != 0; }));
    return DenseElementsAttr::get(type, values);
  }
  SmallVector<char> unpacked;
  if (bits != 0 && bits < 8 &&
      bytes.size() == llvm::divideCeil(count * bits, 8)) {
    for (int64_t index = 0; index < count; ++index) {
      int64_t bit = index * bits;
      unpacked.push_back((bytes[bit / 8] >> (bit % 8)) & ((1 << bits) - 1));
    }
    bytes = unpacked;
  }
  if (static_cast<int64_t>(bytes.size()) !=
      count * static_cast<int64_t>(llvm::divideCeil(bits, 8)))
    return {};
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}
