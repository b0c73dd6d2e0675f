//===- RegisterTile.h - The block of results kept in registers --*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_REGISTERTILE_H
#define OMB_LOWERING_VECTOR_REGISTERTILE_H

#include "llvm/ADT/SmallVector.h"
#include <algorithm>
#include <cstdint>

namespace omb::kernels {

/// The vector registers of a CPU.
struct VectorUnit {
  unsigned bytes;
  unsigned registers;

  unsigned getLanes(unsigned elementBytes) const {
    return bytes / elementBytes;
  }
  /// The most rows of a tile whose rows are `vectors` registers: besides the
  /// sums, a row of weights and one value of the input are in registers. Each
  /// row of the input is a stream, and more of them than this drive each other
  /// out of the first cache (26 rows of 3 KiB: half the speed).
  unsigned getMaxRows(unsigned vectors) const {
    return std::min((registers - vectors - 1) / vectors, 14u);
  }
};

/// How many vectors of channels a tile has for an output of `rows` positions
/// and `channels` channels (dynamic: many of them): what takes the fewest
/// cycles by a model of two multiplications and two loads a cycle. A depthwise
/// convolution loads its input as vectors.
unsigned selectVectors(const VectorUnit &unit, unsigned lanes, int64_t rows,
                       int64_t channels, bool isDepthwise);

/// The rows of the tiles that cover `rows` positions (dynamic: many): as even
/// as can be.
unsigned selectRows(const VectorUnit &unit, unsigned vectors, int64_t rows);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_REGISTERTILE_H
