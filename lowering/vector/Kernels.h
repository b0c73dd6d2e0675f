//===- Kernels.h - Functions that become vector code ------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_KERNELS_H
#define OMB_LOWERING_VECTOR_KERNELS_H

#include "llvm/ADT/StringRef.h"

namespace omb::kernels {

/// The attribute of the functions that omb-outline-kernels makes. They take
/// tensors, then indices, then the dynamic sizes of the result.
constexpr llvm::StringLiteral kKernelAttrName = "omb.kernel";

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_KERNELS_H
