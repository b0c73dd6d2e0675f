//===- SubByte.cpp - Elements of less than a byte -------------------------===//

#include "lowering/to_linalg/SubByte.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

bool omb::isSubByte(Type elementType) {
  return elementType.isIntOrFloat() && !elementType.isInteger(1) &&
         elementType.getIntOrFloatBitWidth() < 8;
}

/// Whether the bits above the element's are copies of its sign.
static bool isSignExtended(Type type) {
  return isa<IntegerType>(type) && !type.isUnsignedInteger();
}

Value omb::fitSubByte(OpBuilder &builder, Location loc, Value x, Type type) {
  unsigned width = type.getIntOrFloatBitWidth();
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantOp::create(
        builder, loc, builder.getIntegerAttr(x.getType(), number));
  };
  if (!isSignExtended(type))
    return arith::AndIOp::create(builder, loc, x, constant((1 << width) - 1));
  Value amount = constant(8 - width);
  Value high = arith::ShLIOp::create(builder, loc, x, amount);
  return arith::ShRSIOp::create(builder, loc, high, amount);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// The byte that holds the element with the bits `bits`.
static char widenBits(unsigned bits, Type type) {
  APInt narrow(8, bits);
  narrow = narrow.trunc(type.getIntOrFloatBitWidth());
  return static_cast<char>(
      (isSignExtended(type) ? narrow.sext(8) : narrow.zext(8)).getZExtValue());
}

static DenseElementsAttr widenDense(DenseElementsAttr elements,
                                    RankedTensorType type) {
  Type from = elements.getElementType();
  SmallVector<char> bytes;
  auto add = [&](const APInt &bits) {
    bytes.push_back(widenBits(bits.getZExtValue(), from));
  };
  if (isa<FloatType>(from)) {
    for (const APFloat &value : elements.getValues<APFloat>())
      add(value.bitcastToAPInt());
  } else {
    for (const APInt &value : elements.getValues<APInt>())
      add(value);
  }
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

/// A new resource, beside the one that stays: weights may be large, and no
/// other attribute keeps them out of the context's tables.
static TypedAttr widenResource(DenseResourceElementsAttr elements,
                               RankedTensorType type) {
  AsmResourceBlob *blob = elements.getRawHandle().getBlob();
  if (!blob)
    return {};
  ArrayRef<char> given = blob->getData();
  Type from = elements.getType().getElementType();
  uint64_t count = type.getNumElements();
  unsigned width = from.getIntOrFloatBitWidth();
  bool isPacked = given.size() != count;
  if (isPacked &&
      (8 % width != 0 || given.size() != llvm::divideCeil(count * width, 8)))
    return {};
  AsmResourceBlob wide = HeapAsmResourceBlob::allocate(count, /*align=*/64);
  MutableArrayRef<char> bytes = wide.getMutableData();
  for (uint64_t index = 0; index < count; ++index) {
    uint64_t bit = index * (isPacked ? width : 8);
    unsigned byte = static_cast<unsigned char>(given[bit / 8]);
    bytes[index] = widenBits(byte >> (bit % 8), from);
  }
  return DenseResourceElementsAttr::get(type, elements.getRawHandle().getKey(),
                                        std::move(wide));
}

TypedAttr omb::widenSubByte(ElementsAttr elements) {
  ShapedType from = elements.getShapedType();
  auto type = RankedTensorType::get(from.getShape(),
                                    IntegerType::get(elements.getContext(), 8));
  if (auto dense = dyn_cast<DenseElementsAttr>(elements))
    return widenDense(dense, type);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements))
    return widenResource(resource, type);
  return {};
}
