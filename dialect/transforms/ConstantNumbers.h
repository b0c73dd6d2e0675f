//===- ConstantNumbers.h - The elements of constants ------------*- C++ -*-===//

#ifndef OMB_DIALECT_TRANSFORMS_CONSTANTNUMBERS_H
#define OMB_DIALECT_TRANSFORMS_CONSTANTNUMBERS_H

#include "mlir/IR/BuiltinAttributes.h"

namespace omb::onnx {

/// Appends the elements of a dense constant of integers to `found`. False for
/// what has others, or no bytes.
bool readIntegers(mlir::ElementsAttr elements,
                  llvm::SmallVector<int64_t> &found);
/// The same for floats of whole bytes.
bool readFloats(mlir::ElementsAttr elements, llvm::SmallVector<double> &found);

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_CONSTANTNUMBERS_H
