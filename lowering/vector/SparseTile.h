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
  /// Of `inner` elements of each row, how many are multiplied with all of some
  /// channels before the next ones: what is read of a tile then stays in the
  /// first cache. 0 where all are, also of weights that have so few values, as
  /// a share of all, that sums would be read and written for one or two.
  int64_t getChunk(int64_t inner, double density) const;

  /// The positions of the largest tile of an image.
  static int64_t getMostImageRows(const VectorUnit &unit);
  /// Of `rows` positions of an image.
  static SparseTile getOfImage(const VectorUnit &unit, int64_t rows);
  /// Of `rows` rows, which may be dynamic, of `inner` elements of f32.
  static SparseTile get(const VectorUnit &unit, int64_t rows, int64_t inner);
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SPARSETILE_H
