//===- OmbModule.cpp - onnx_mlir_bridge._mlir._mlir_libs._omb -------------===//

#include "python/bindings/CAPI.h"

#include "mlir-c/BuiltinAttributes.h"
#include "mlir/Bindings/Python/NanobindAdaptors.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;

static std::vector<std::string> getLoweredOperators() {
  std::vector<std::string> names;
  ombForEachLoweredOperator(
      [](MlirStringRef name, void *userData) {
        static_cast<std::vector<std::string> *>(userData)->emplace_back(
            name.data, name.length);
      },
      &names);
  return names;
}

static nb::object getElementsData(MlirAttribute elements) {
  MlirStringRef bytes = ombElementsGetRawData(elements);
  if (!bytes.data)
    return nb::none();
  return nb::steal(PyMemoryView_FromMemory(const_cast<char *>(bytes.data),
                                           bytes.length, PyBUF_READ));
}

static MlirAttribute getSparseElements(
    MlirType type,
    nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>
        coordinates,
    nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>
        values) {
  MlirAttribute elements =
      ombSparseElementsGet(type, coordinates.shape(0), coordinates.data(),
                           values.data(), values.shape(0));
  if (mlirAttributeIsNull(elements))
    throw nb::value_error("not as many values as coordinates");
  return elements;
}

static nb::object getStoredElements(MlirAttribute elements) {
  if (!mlirAttributeIsASparseElements(elements))
    return nb::none();
  return nb::int_(mlirElementsAttrGetNumElements(
      mlirSparseElementsAttrGetValues(elements)));
}

NB_MODULE(_omb, module) {
  module.doc() = "The onnx dialect and the passes of this project.";
  module.def("register_dialects", &ombRegisterDialects, nb::arg("registry"),
             "Adds the onnx dialect and those it is lowered to.");
  module.def("lowered_operators", &getLoweredOperators,
             "Names of the ops that have a lowering to linalg.");
  module.def("elements_data", &getElementsData, nb::arg("elements"),
             "A read-only memoryview of the bytes of a dense or dense_resource "
             "elements attribute, valid while its context lives; None where it "
             "holds none. A splat gives one element's bytes.");
  module.def("sparse_elements", &getSparseElements, nb::arg("type"),
             nb::arg("coordinates"), nb::arg("values"),
             "A sparse elements attribute of `type`, whose encoding is kept: "
             "int64 coordinates of [values, rank], and the values' bytes, "
             "which are copied.");
  module.def("stored_elements", &getStoredElements, nb::arg("elements"),
             "How many elements a sparse elements attribute stores; None of "
             "another one.");
  ombRegisterPasses();
}
