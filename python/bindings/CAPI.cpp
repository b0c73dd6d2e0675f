//===- CAPI.cpp - What the Python bindings need beyond MLIR's C API -------===//

#include "python/bindings/CAPI.h"

#include "dialect/transforms/Passes.h"
#include "lowering/Registration.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

void ombRegisterDialects(MlirDialectRegistry registry) {
  omb::registerDialects(*unwrap(registry));
}

void ombRegisterPasses() {
  omb::registerPasses();
  omb::registerUpstreamPasses();
}

void ombForEachLoweredOperator(MlirStringCallback callback, void *userData) {
  DialectRegistry registry;
  omb::registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  omb::OnnxTypeConverter converter;
  RewritePatternSet patterns(&context);
  omb::populateOnnxToLinalgPatterns(converter, patterns);
  omb::onnx::populateDecomposeSequencesPatterns(converter, patterns);
  for (const auto &pattern : patterns.getNativePatterns())
    if (std::optional<OperationName> root = pattern->getRootKind())
      callback(wrap(root->getStringRef()), userData);
}

static MlirStringRef wrapBytes(ArrayRef<char> bytes) {
  return mlirStringRefCreate(bytes.data(), bytes.size());
}

MlirStringRef ombElementsGetRawData(MlirAttribute elements) {
  Attribute attribute = unwrap(elements);
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute))
    if (!isa<DenseStringElementsAttr>(attribute))
      return wrapBytes(dense.getRawData());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute))
    if (const AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      return wrapBytes(blob->getData());
  return mlirStringRefCreate(nullptr, 0);
}

MlirAttribute ombSparseElementsGet(MlirType type, size_t count,
                                   const int64_t *coordinates,
                                   const void *values, size_t valueBytes) {
  auto tensor = cast<RankedTensorType>(unwrap(type));
  auto size = static_cast<int64_t>(count);
  auto valueType = RankedTensorType::get(size, tensor.getElementType());
  ArrayRef<char> bytes(static_cast<const char *>(values), valueBytes);
  bool isSplat;
  if (!DenseElementsAttr::isValidRawBuffer(valueType, bytes, isSplat))
    return MlirAttribute{nullptr};
  auto coordinateType = RankedTensorType::get(
      {size, tensor.getRank()}, IntegerType::get(tensor.getContext(), 64));
  auto at = cast<DenseIntElementsAttr>(DenseElementsAttr::get(
      coordinateType, ArrayRef(coordinates, count * tensor.getRank())));
  return wrap(SparseElementsAttr::get(
      tensor, at, DenseElementsAttr::getFromRawBuffer(valueType, bytes)));
}
