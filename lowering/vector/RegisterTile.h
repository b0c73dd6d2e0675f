//===- RegisterTile.h - The block of results kept in registers --*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_REGISTERTILE_H
#define OMB_LOWERING_VECTOR_REGISTERTILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <algorithm>
#include <cstdint>
#include <optional>

namespace omb::kernels {

/// What a tile's size depends on: the number of positions that can be rows of
/// one and of channels (both may be dynamic: many of them).
struct TileDemand {
  int64_t rows;
  int64_t channels;
  /// Whether the input is read as vectors of channels.
  bool isDepthwise;
  /// Whether the rows of the input share a set of the first cache.
  bool sharesSet;
};

/// The vector registers of a CPU, and how many threads use them.
struct VectorUnit {
  unsigned bytes;
  unsigned registers;
  /// How many products of bytes an instruction adds to a number of 32 bits: 4
  /// with VNNI, 2 of 16 bits without; 0 where there is no such instruction.
  unsigned dotBytes = 0;
  /// Whether an instruction adds two products of bf16 to an f32.
  bool dotsBFloats = false;
  /// Whether there is a matrix unit (AMX) for products of bytes, of bf16.
  bool multipliesByteMatrices = false;
  bool multipliesBFloatMatrices = false;
  /// Among how many the work is divided; 0 where nobody knows.
  unsigned threads = 0;

  /// Whether there is a matrix unit for products of bytes, or of bf16. Its rows
  /// are as long as a register.
  bool multipliesMatrices(bool ofBytes) const {
    return bytes == 64 &&
           (ofBytes ? multipliesByteMatrices : multipliesBFloatMatrices);
  }
  unsigned getLanes(unsigned elementBytes) const {
    return bytes / elementBytes;
  }
  /// The same, or those of a part of a register that holds `count` elements
  /// (dynamic: many of them), which takes less time.
  unsigned getLanes(unsigned elementBytes, int64_t count) const;
  /// The most rows of a tile whose rows are `vectors` registers: besides the
  /// sums, a row of weights and one value of the input are in registers. Each
  /// row of the input is a stream, and more of them than this drive each other
  /// out of the first cache (26 rows of 3 KiB: half the speed).
  unsigned getMaxRows(unsigned vectors, bool sharesSet) const {
    return std::min((registers - vectors - 1) / vectors, sharesSet ? 7u : 14u);
  }
};

/// A tile of sums in the registers of a matrix unit: `tiles` times `vectors` of
/// them, each of `rows` positions and 16 channels. A step adds the products of
/// `groups` groups.
struct MatrixTile {
  unsigned rows, tiles, vectors, groups;
};

/// With fewer groups at a time, a matrix unit would idle most of the time.
constexpr unsigned kLeastGroups = 6;

/// The tile for sums of so many groups; none where a matrix unit would idle
/// most of the time.
std::optional<MatrixTile> selectMatrixTile(const TileDemand &demand,
                                           int64_t groups);

/// Whether a matrix unit has registers for all of these, of which each has
/// matrices of one size.
bool fitMatrixUnit(llvm::ArrayRef<MatrixTile> tiles);

/// How many vectors of channels a tile has: what takes the fewest cycles by a
/// model of two multiplications and two loads a cycle.
unsigned selectVectors(const VectorUnit &unit, unsigned lanes,
                       const TileDemand &demand);

/// The rows of the tiles that cover all positions.
unsigned selectRows(const VectorUnit &unit, unsigned vectors,
                    const TileDemand &demand);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_REGISTERTILE_H
