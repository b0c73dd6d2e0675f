//===- AttentionTile.h - How attention is divided ---------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ATTENTIONTILE_H
#define OMB_LOWERING_VECTOR_ATTENTIONTILE_H

#include "lowering/vector/Attention.h"
#include "lowering/vector/RegisterTile.h"

namespace omb::kernels {

/// How a kernel of attention is divided.
///
/// A workgroup takes tiles of queries, `queryVectors` vectors of them, for each
/// of which it goes through the keys and values, `chunk` at a time. The scores
/// of a chunk stay in a first cache. They are computed in register tiles of
/// `keyRows` keys with the queries in lanes, the result in such of `resultRows`
/// queries with `resultVectors` vectors of values.
struct AttentionTile {
  unsigned lanes;
  unsigned queryVectors;
  unsigned keyRows;
  unsigned resultLanes;
  unsigned resultVectors;
  unsigned resultRows;
  int64_t chunk;

  static AttentionTile get(const Attention &attention, const VectorUnit &unit);

  int64_t getQueries() const { return int64_t(queryVectors) * lanes; }
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ATTENTIONTILE_H
