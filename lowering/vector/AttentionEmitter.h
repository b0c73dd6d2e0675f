//===- AttentionEmitter.h - Vector code of attention ------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ATTENTIONEMITTER_H
#define OMB_LOWERING_VECTOR_ATTENTIONEMITTER_H

#include "lowering/vector/AttentionTile.h"
#include "lowering/vector/IndexWriter.h"

#include "llvm/ADT/DenseMap.h"

namespace omb::kernels {

/// Where a kernel of attention finds what it reads, and leaves its result.
struct AttentionMemory {
  /// The memory of the tensors; that of null is the result's.
  llvm::DenseMap<mlir::Value, mlir::Value> tensors;
  /// What has become of the indices.
  llvm::DenseMap<mlir::Value, mlir::Value> indices;
  llvm::SmallVector<mlir::OpFoldResult> resultSizes;
};

/// Writes the code that computes the result of tiles of queries. The softmax is
/// computed while going through the keys: where a chunk has a larger score than
/// those before it, what was summed is scaled to that.
class AttentionEmitter : IndexWriter {
public:
  /// To be made outside of loops over tiles: makes memory for one.
  AttentionEmitter(mlir::OpBuilder &builder, const Attention &attention,
                   const AttentionTile &tile, const AttentionMemory &memory);

  /// The tile of `vectors` vectors of queries from `first` on, of which `count`
  /// exist: `size` if that is known. `loops` are the loops' values, of which
  /// those of the batches are read.
  void emit(mlir::ValueRange loops, mlir::Value first, unsigned vectors,
            mlir::Value count, int64_t size);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// A part of the memory of a tensor: where it starts for a batch, and the
  /// dimension that each loop of the tile goes along.
  struct Window {
    mlir::Value memory;
    Values start;
    llvm::SmallDenseMap<unsigned, unsigned> dims;
  };
  using Place = std::pair<unsigned, mlir::Value>;

  /// Keys and values that are gone through at once.
  struct Chunk {
    mlir::Value begin, end, count;
    int64_t size;
    /// Null where there is one only.
    mlir::Value isFirst, isLast;
  };

  Window getWindow(const TensorAccess &access);
  Values getIndices(const Window &window, llvm::ArrayRef<Place> places);

  void packQueries();
  /// Of `lanes` queries from `lane` on, the elements from `element` on.
  void packBlock(mlir::Value lane, mlir::Value element, int64_t elements);
  void packElement(mlir::Value lane, mlir::Value element);
  void storeQueries(mlir::Value queries, mlir::Value element, mlir::Value lane);
  /// Reads what the steps need for all keys.
  void readSteps();
  void readRow(mlir::OpOperand *operand);
  /// Turns what the steps need of a chunk, so that the queries are in lanes.
  void readMasks(const Chunk &chunk);
  mlir::Value getRead(mlir::OpOperand *operand, const TensorAccess &read,
                      const Chunk &chunk, mlir::Value key, unsigned vector);

  /// Goes through a chunk; gives the maxima and the sums of the exponentials.
  std::pair<Values, Values> emitChunk(const Chunk &chunk, Values maxima,
                                      Values sums);
  void emitScores(const Chunk &chunk);
  Values emitMaxima(const Chunk &chunk, Values maxima);
  Values emitExponentials(const Chunk &chunk, mlir::ValueRange maxima);
  void emitResult(const Chunk &chunk);
  /// The result's elements from `element` on, of which the last vector has
  /// `lastLanes`.
  void emitPanel(const Chunk &chunk, mlir::Value element, unsigned vectors,
                 int64_t lastLanes);
  void emitResultTile(const Chunk &chunk, mlir::Value element, unsigned vectors,
                      mlir::Value mask, mlir::Value row, unsigned rows);
  Values getStartSums(const Chunk &chunk, llvm::ArrayRef<Values> places,
                      unsigned vectors, mlir::Value mask, mlir::Value row);

  mlir::Value
  apply(llvm::ArrayRef<AttentionStep> steps, mlir::Value value, int64_t lanes,
        llvm::function_ref<mlir::Value(mlir::OpOperand *, const TensorAccess &)>
            read);
  /// A loop over keys that carries values.
  Values emitLoop(mlir::Value end, Values carried,
                  llvm::function_ref<Values(mlir::Value, Values)> body);
  mlir::Value createBuffer(int64_t rows, mlir::Type element);
  mlir::Value load(mlir::Value memory, mlir::ValueRange at,
                   mlir::Value mask = nullptr);
  void store(mlir::Value vector, mlir::Value memory, mlir::ValueRange at,
             mlir::Value mask = nullptr);
  mlir::Value loadScalar(mlir::Value memory, mlir::ValueRange at);
  mlir::Value broadcast(mlir::Value scalar);
  mlir::Value splat(double number);
  mlir::Value getMask(mlir::Value lanes);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value getLane(unsigned vector);
  /// The query at a lane, or the last one where there are no more.
  mlir::Value getQuery(mlir::Value lane);

  const Attention &attention;
  const AttentionTile &tile;
  const AttentionMemory &memory;
  mlir::VectorType type;
  mlir::Value keyCount, queryCount;
  /// The tile's queries, [sum, query]; the scores of a chunk, [key, query];
  /// factors of the rows of the result, [2, query]: of what is there, and of
  /// the new sum.
  mlir::Value panel, scores, factors;
  /// Of the steps' operands that depend on queries: [key or 1, query].
  llvm::DenseMap<mlir::OpOperand *, mlir::Value> buffers;

  // Of the tile that code is written for:
  mlir::ValueRange loops;
  mlir::Value first, count;
  int64_t size = 0;
  unsigned vectors = 0;
  Window queries, keys, values, result;
  llvm::DenseMap<mlir::OpOperand *, Window> reads;
  llvm::DenseMap<mlir::OpOperand *, mlir::Value> uniform;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ATTENTIONEMITTER_H
