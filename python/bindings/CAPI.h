//===- CAPI.h - What the Python bindings need beyond MLIR's C API -*- C -*-===//

#ifndef OMB_PYTHON_BINDINGS_CAPI_H
#define OMB_PYTHON_BINDINGS_CAPI_H

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Registers the onnx dialect and those that it is lowered to.
MLIR_CAPI_EXPORTED void ombRegisterDialects(MlirDialectRegistry registry);

/// Registers the project's passes and pipelines, and upstream ones of use
/// beside them. Once a process.
MLIR_CAPI_EXPORTED void ombRegisterPasses(void);

/// Calls `callback` with the name of every op that has a lowering to linalg.
MLIR_CAPI_EXPORTED void ombForEachLoweredOperator(MlirStringCallback callback,
                                                  void *userData);

/// The bytes of a dense or dense_resource elements attribute as MLIR keeps
/// them; owned by the attribute. A null pointer where it is neither, or where
/// the resource is gone. A splat has the bytes of one element.
MLIR_CAPI_EXPORTED MlirStringRef ombElementsGetRawData(MlirAttribute elements);

/// The sparse elements attribute of `type`, whose encoding is kept, with
/// `count` values at coordinates of as many i64 each as the type has
/// dimensions. Null where `valueBytes` aren't those of so many values.
MLIR_CAPI_EXPORTED MlirAttribute
ombSparseElementsGet(MlirType type, size_t count, const int64_t *coordinates,
                     const void *values, size_t valueBytes);

#ifdef __cplusplus
}
#endif

#endif // OMB_PYTHON_BINDINGS_CAPI_H
