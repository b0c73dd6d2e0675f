//===- ByteContraction.h - Products of bytes as CPUs have them --*- C++ -*-===//
//
// Instructions multiply unsigned bytes with signed ones and add several
// products to an integer of 32 bits. Products of signed bytes become such:
//
//   sum x * w = sum (x + 128) * w - 128 * sum w
//
//===----------------------------------------------------------------------===//

#ifndef OMB_LOWERING_VECTOR_BYTECONTRACTION_H
#define OMB_LOWERING_VECTOR_BYTECONTRACTION_H

#include "lowering/vector/ChannelContraction.h"

namespace omb::kernels {

/// The input of a product of bytes plus 128, with zeros appended to its last
/// dimension up to a multiple of `group`. Of bytes that 128 was subtracted
/// from, these.
mlir::Value createUnsignedInput(mlir::OpBuilder &builder,
                                const ChannelContraction &contraction,
                                int64_t group);

/// `factor` times the sums of the weights for each channel: [batches,
/// channels], in i32. Plus `bias`, a constant with an element for each channel,
/// or null.
mlir::Value createWeightsOffset(mlir::OpBuilder &builder,
                                const ChannelContraction &contraction,
                                int32_t factor, mlir::Value bias);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_BYTECONTRACTION_H
