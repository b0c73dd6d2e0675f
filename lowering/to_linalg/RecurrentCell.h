//===- RecurrentCell.h - What LSTM, GRU and RNN share -----------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_RECURRENTCELL_H
#define OMB_LOWERING_TO_LINALG_RECURRENTCELL_H

#include "lowering/to_linalg/Scalars.h"

#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// One of the activation functions of a cell.
struct CellFunction {
  std::string name;
  float alpha;
  float beta;
  std::optional<float> clip;

  /// f(x), of x clipped to [-clip, clip].
  mlir::Value build(Scalars &s, mlir::Value x) const;
};

/// The functions that the attributes of an op describe, `count` of them. Sets
/// `why` where one is unknown or missing.
std::optional<llvm::SmallVector<CellFunction>>
getCellFunctions(llvm::ArrayRef<llvm::StringRef> names,
                 llvm::ArrayRef<float> alphas, llvm::ArrayRef<float> betas,
                 std::optional<float> clip, size_t count, std::string &why);

/// An operand of the elementwise part of a cell: one element for each batch
/// entry and neuron, or the same for all of a kind.
struct CellInput {
  mlir::Value tensor;
  enum Kind { PerBatchAndNeuron, PerNeuron, PerBatch } kind;
};

/// The operands of the three ops, converted. B, sequence_lens and initial_h may
/// be null.
struct RecurrentOperands {
  mlir::Value x;
  mlir::Value w;
  mlir::Value r;
  mlir::Value b;
  mlir::Value sequenceLens;
  mlir::Value initialH;
};

/// Builds one direction of a recurrent network: the input's part of the gates
/// for all steps in one matrix product, then a loop over the steps. Gates and
/// cell states are computed in f32 at least, and what is multiplied by a matrix
/// has the element type of the op.
class RecurrentLayer {
public:
  RecurrentLayer(mlir::OpBuilder &builder, mlir::Location loc,
                 const RecurrentOperands &operands, int64_t numGates,
                 bool isBatchFirst);

  mlir::Type getElementType() const { return elementType; }
  mlir::Type getComputeType() const { return computeType; }

  /// The [rows, columns] matrix of `direction` in W or R, transposed; of R,
  /// `count` gates from `gate` on.
  mlir::Value getTransposed(mlir::Value weights, int64_t direction,
                            int64_t gate, int64_t count);
  /// `count` vectors of a value for each neuron, out of B or P.
  mlir::Value getVectors(mlir::Value vectors, int64_t direction, int64_t first,
                         int64_t count);
  /// Wb + Rb; of the last `separate` gates Wb only. Null without B.
  mlir::Value getBias(int64_t direction, int64_t separate);
  /// The initial state of `direction`, 0 where `state` is null.
  mlir::Value getInitialState(mlir::Value state, int64_t direction,
                              mlir::Type type);
  /// X * W^T + bias for all steps: [sequence, batch, gates].
  mlir::Value projectInput(int64_t direction, mlir::Value bias);

  /// lhs * rhs + init; `init` where `lhs` is a state that isZero.
  mlir::Value multiply(mlir::Value lhs, mlir::Value rhs, mlir::Value init);
  /// Whether `state` is the absent initial state.
  static bool isZero(mlir::Value state);
  /// An init of `vector` in every row, or of 0.
  mlir::Value broadcastRows(mlir::Value vector, mlir::Value rows,
                            mlir::Value columns);
  /// Step `step` of what projectInput returned: [batch, gates].
  mlir::Value takeStep(mlir::Value projected, mlir::Value step);
  /// `count` of the gates in [batch, gates].
  mlir::Value takeGates(mlir::Value gates, int64_t first, int64_t count = 1);

  using CellBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      Scalars &, mlir::ValueRange)>;
  /// Tensors [batch, hidden] of `types`. Elements come and go in the compute
  /// type.
  llvm::SmallVector<mlir::Value>
  computeElements(llvm::ArrayRef<CellInput> inputs, mlir::TypeRange types,
                  CellBody body);

  /// Computes the states after a step from those before it and the step's
  /// number. The first state is the hidden one.
  using StepBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value step, mlir::ValueRange states)>;
  /// Runs the steps of `direction`; returns the final states and then `all`
  /// (may be null), the op's Y, with the hidden states of all steps put in.
  llvm::SmallVector<mlir::Value> iterate(int64_t direction, bool isReversed,
                                         mlir::ValueRange states,
                                         mlir::Value all, StepBody body);

  /// The op's Y, and Y_h or Y_c, before anything is put in.
  mlir::Value createAllStates(int64_t numDirections);
  mlir::Value createFinalStates(int64_t numDirections);
  /// `finals` with the final `state` of `direction` put in.
  mlir::Value insertFinalState(mlir::Value state, mlir::Value finals,
                               int64_t direction);

private:
  mlir::Value takeSlice(mlir::Value tensor,
                        llvm::ArrayRef<mlir::OpFoldResult> offsets,
                        llvm::ArrayRef<mlir::OpFoldResult> sizes,
                        llvm::ArrayRef<int64_t> dropped);
  mlir::Value insertSlice(mlir::Value slice, mlir::Value tensor,
                          llvm::ArrayRef<mlir::OpFoldResult> offsets,
                          llvm::ArrayRef<mlir::OpFoldResult> sizes);
  /// `all` with the hidden state `y` of a step put in.
  mlir::Value insertStep(mlir::Value y, mlir::Value all, mlir::Value step,
                         int64_t direction);
  mlir::Value createEmpty(mlir::Type type, mlir::ValueRange sizes);
  /// What happens to batch entries whose sequence has ended: their states
  /// stay, and their hidden state in Y is 0.
  void keepEnded(mlir::Value step, mlir::ValueRange before,
                 llvm::SmallVectorImpl<mlir::Value> &after, mlir::Value &y);
  mlir::Value multiple(int64_t count) const;

  mlir::OpBuilder &builder;
  mlir::Location loc;
  const RecurrentOperands &operands;
  int64_t numGates;
  bool isBatchFirst;
  mlir::Type elementType;
  mlir::Type computeType;
  mlir::Value sequence;
  mlir::Value batch;
  mlir::Value hidden;
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_RECURRENTCELL_H
