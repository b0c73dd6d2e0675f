//===- SparseTypes.cpp - Constants that are mostly zeros ------------------===//

#include "dialect/ir/SparseTypes.h"

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/QuantizedTypes.h"
#include "dialect/ir/ops/Constant.h"

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace omb::onnx;

bool omb::onnx::isSparse(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa_and_nonnull<sparse_tensor::SparseTensorEncodingAttr>(
                       tensor.getEncoding());
}

std::string omb::onnx::findSparsityObstacle(Operation *op) {
  auto constant = dyn_cast<ConstantOp>(op);
  ElementsAttr value =
      constant ? constant.getSparseValueAttr() : ElementsAttr();
  for (Type type : op->getResultTypes()) {
    if (!isSparse(type) && !(value && isSparse(value.getType())))
      continue;
    if (!isa_and_nonnull<SparseElementsAttr>(value))
      return "only a constant of 'sparse_value' is sparse";
    Type stored = getQuantized(type) ? getStored(type) : type;
    if (value.getType() != stored)
      return "its value has another type";
    if (isa<StringType>(value.getElementType()))
      return "strings aren't sparse";
    quant::QuantizedType quantized = getQuantized(type);
    if (quantized && QuantizationParameters::get(quantized)->blockSize != 0)
      return "it is quantized in blocks";
  }
  return "";
}

/// The bytes of an element in an attribute.
static int64_t getWidth(Type element) {
  if (auto complex = dyn_cast<ComplexType>(element))
    return 2 * getWidth(complex.getElementType());
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// Puts the stored elements in their places.
static void scatter(SparseElementsAttr elements, MutableArrayRef<char> bytes,
                    int64_t width) {
  ArrayRef<int64_t> shape = elements.getType().getShape();
  DenseElementsAttr values = elements.getValues();
  ArrayRef<char> stored = values.getRawData();
  auto at = elements.getIndices().value_begin<uint64_t>();
  for (int64_t number = 0, count = values.getNumElements(); number < count;
       ++number) {
    int64_t position = 0;
    for (int64_t size : shape)
      position = position * size + static_cast<int64_t>(*at++);
    std::copy_n(stored.begin() + (values.isSplat() ? 0 : number * width), width,
                bytes.begin() + position * width);
  }
}

/// The same of booleans, of which attributes have bits.
static DenseElementsAttr makeDenseBooleans(SparseElementsAttr elements,
                                           RankedTensorType type) {
  SmallVector<bool> all(type.getNumElements(), false);
  auto at = elements.getIndices().value_begin<uint64_t>();
  for (bool value : elements.getValues().getValues<bool>()) {
    int64_t position = 0;
    for (int64_t size : type.getShape())
      position = position * size + static_cast<int64_t>(*at++);
    all[position] = value;
  }
  return DenseElementsAttr::get(type, all);
}

/// A constant of `type` whose elements take `width` bytes, `fill` writes those
/// that `elements` doesn't store.
static ElementsAttr makeDense(SparseElementsAttr elements,
                              RankedTensorType type, int64_t width,
                              function_ref<void(MutableArrayRef<char>)> fill) {
  int64_t size = type.getNumElements() * width;
  // MLIR's Python bindings have no class for dense complex elements.
  constexpr int64_t mostInline = 1024;
  if (size <= mostInline && !isa<ComplexType>(type.getElementType())) {
    SmallVector<char> bytes(size);
    fill(bytes);
    scatter(elements, bytes, width);
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  }
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(size, /*align=*/64);
  fill(blob.getMutableData());
  scatter(elements, blob.getMutableData(), width);
  return DenseResourceElementsAttr::get(type, "dense", std::move(blob));
}

ElementsAttr omb::onnx::makeDense(SparseElementsAttr elements) {
  auto type = RankedTensorType::get(elements.getType().getShape(),
                                    elements.getType().getElementType());
  if (type.getElementType().isInteger(1))
    return makeDenseBooleans(elements, type);
  return ::makeDense(elements, type, getWidth(type.getElementType()),
                     [](MutableArrayRef<char> bytes) {
                       std::fill(bytes.begin(), bytes.end(), 0);
                     });
}

ElementsAttr omb::onnx::makeDense(SparseElementsAttr elements,
                                  RankedTensorType type) {
  auto stored = cast<RankedTensorType>(getStored(type));
  int64_t width = getWidth(stored.getElementType());
  ZeroPoints zeros(type);
  return ::makeDense(elements, stored, width, [&](MutableArrayRef<char> bytes) {
    for (int64_t at = 0; at < type.getNumElements(); ++at) {
      uint64_t zero = zeros.at(at);
      for (int64_t byte = 0; byte < width; ++byte)
        bytes[at * width + byte] = char(zero >> (8 * byte));
    }
  });
}
