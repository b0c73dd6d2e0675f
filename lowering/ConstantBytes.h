//===- ConstantBytes.h - Constants byte by byte -----------------*- C++ -*-===//

#ifndef OMB_LOWERING_CONSTANTBYTES_H
#define OMB_LOWERING_CONSTANTBYTES_H

#include "mlir/IR/Value.h"

namespace omb {

/// The elements of a constant tensor, of types of whole bytes, without a copy.
class ConstantBytes {
public:
  /// Fails for what is no constant, or has no bytes.
  static llvm::FailureOr<ConstantBytes> get(mlir::Value value);

  /// The bytes of one element; `element` counts them all, in their order.
  const char *at(int64_t element) const {
    return data.data() + (isSplat ? 0 : element * width);
  }
  int64_t getWidth() const { return width; }
  /// What to call it: the name of a resource.
  llvm::StringRef getName() const { return name; }

private:
  llvm::ArrayRef<char> data;
  llvm::StringRef name = "weights";
  int64_t width = 0;
  bool isSplat = false;
};

} // namespace omb

#endif // OMB_LOWERING_CONSTANTBYTES_H
