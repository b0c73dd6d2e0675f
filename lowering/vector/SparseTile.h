//===- SparseTile.h - Rows of a product with sparse weights -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_SPARSETILE_H
#define OMB_LOWERING_VECTOR_SPARSETILE_H

#include "lowering/vector/RegisterTile.h"

namespace omb::kernels {

/// How a product with weights whose channels are stored one by one goes
/// through its rows: `vectors` of `lanes` rows at a time, or, where `lanes` is
/// 1, number by number.
struct SparseTile {
  unsigned lanes;
  unsigned vectors;

  /// How many values of a channel are multiplied at once: as many that sums of
  /// few rows don't wait for themselves.
  int64_t getMultiple() const { return lanes == 1 ? 4 : 1; }
  int64_t getRows() const { return int64_t(lanes) * vectors; }

  /// The positions of the largest tile of an image.
  static int64_t getMostImageRows(const VectorUnit &unit);
  /// Of `rows` positions of an image.
  static SparseTile getOfImage(const VectorUnit &unit, int64_t rows);
  /// Of `rows` rows, which may be dynamic, of `inner` elements of f32.
  static SparseTile get(const VectorUnit &unit, int64_t rows, int64_t inner);
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SPARSETILE_H
