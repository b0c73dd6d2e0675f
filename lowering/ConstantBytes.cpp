//===- ConstantBytes.cpp - Constants byte by byte -------------------------===//

#include "lowering/ConstantBytes.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

FailureOr<omb::ConstantBytes> omb::ConstantBytes::get(Value value) {
  ElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    return failure();
  ConstantBytes bytes;
  bytes.width = elements.getElementType().getIntOrFloatBitWidth() / 8;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    const AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || int64_t(blob->getData().size()) !=
                     elements.getNumElements() * bytes.width)
      return failure();
    bytes.data = blob->getData();
    bytes.name = resource.getRawHandle().getKey();
    return bytes;
  }
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense)
    return failure();
  bytes.data = dense.getRawData();
  bytes.isSplat = dense.isSplat();
  return bytes;
}
