//===- Recurrent.cpp - Lowering of recurrent networks ---------------------===//

#include "dialect/ir/ops/Recurrent.h"
#include "lowering/to_linalg/GraphRegions.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/RecurrentCell.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

using Kind = CellInput::Kind;

/// Whether `tensor`, which may be null, has this rank after conversion.
static bool isOfRank(Value tensor, int64_t rank) {
  if (!tensor)
    return true;
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  return type && type.getRank() == rank;
}

/// Whether the static sizes of the operands fit: the number of directions and
/// of gates.
static bool fits(const RecurrentOperands &operands, int64_t numGates,
                 int64_t numDirections) {
  auto sizeOf = [](Value tensor, int64_t dim) {
    return cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  };
  auto isOneOf = [](int64_t size, int64_t expected) {
    return ShapedType::isDynamic(size) || ShapedType::isDynamic(expected) ||
           size == expected;
  };
  int64_t hidden = sizeOf(operands.r, 2);
  int64_t rows = ShapedType::isDynamic(hidden) ? hidden : hidden * numGates;
  int64_t biases = ShapedType::isDynamic(rows) ? rows : rows * 2;
  return isOneOf(sizeOf(operands.w, 0), numDirections) &&
         isOneOf(sizeOf(operands.r, 0), numDirections) &&
         isOneOf(sizeOf(operands.w, 1), rows) &&
         isOneOf(sizeOf(operands.r, 1), rows) &&
         isOneOf(sizeOf(operands.w, 2), sizeOf(operands.x, 2)) &&
         (!operands.b || (isOneOf(sizeOf(operands.b, 0), numDirections) &&
                          isOneOf(sizeOf(operands.b, 1), biases)));
}

namespace {

/// What the cell of an op adds to the layer.
struct Cell {
  virtual ~Cell() = default;
  /// The states after step `step`, the hidden one first. `input` are the gates
  /// as far as the input and bias make them, [batch, gates].
  virtual SmallVector<Value> build(Value input, ValueRange states) = 0;
};

struct RNNCell : Cell {
  RNNCell(RecurrentLayer &layer, const RecurrentOperands &operands,
          int64_t direction, ArrayRef<CellFunction> functions)
      : layer(layer), functions(functions),
        weights(layer.getTransposed(operands.r, direction, 0, 1)) {}

  SmallVector<Value> build(Value input, ValueRange states) override {
    Value sum = layer.multiply(states[0], weights, input);
    return layer.computeElements(
        {{sum, Kind::PerBatchAndNeuron}}, layer.getElementType(),
        [&](Scalars &s, ValueRange x) {
          return SmallVector<Value>{functions[0].build(s, x[0])};
        });
  }

  RecurrentLayer &layer;
  ArrayRef<CellFunction> functions;
  Value weights;
};

/// Gates: update, reset, hidden.
struct GRUCell : Cell {
  GRUCell(RecurrentLayer &layer, const RecurrentOperands &operands,
          int64_t direction, ArrayRef<CellFunction> functions, bool isLinear)
      : layer(layer), functions(functions), isLinear(isLinear),
        gateWeights(layer.getTransposed(operands.r, direction, 0, 2)),
        hiddenWeights(layer.getTransposed(operands.r, direction, 2, 1)) {
    if (isLinear && operands.b)
      hiddenBias = layer.getVectors(operands.b, direction, 5, 1);
  }

  SmallVector<Value> build(Value input, ValueRange states) override {
    Value gates =
        layer.multiply(states[0], gateWeights, layer.takeGates(input, 0, 2));
    CellInput update{layer.takeGates(gates, 0), Kind::PerBatchAndNeuron};
    CellInput reset{layer.takeGates(gates, 1), Kind::PerBatchAndNeuron};
    CellInput hidden{layer.takeGates(input, 2), Kind::PerBatchAndNeuron};
    CellInput before{states[0], Kind::PerBatchAndNeuron};
    if (isLinear)
      return buildLinear(update, reset, hidden, before);
    Value kept = states[0];
    if (!layer.isZero(kept))
      kept = layer.computeElements(
          {reset, before}, layer.getElementType(),
          [&](Scalars &s, ValueRange x) {
            return SmallVector<Value>{s.mul(functions[0].build(s, x[0]), x[1])};
          })[0];
    hidden.tensor = layer.multiply(kept, hiddenWeights, hidden.tensor);
    return layer.computeElements(
        {update, hidden, before}, layer.getElementType(),
        [&](Scalars &s, ValueRange x) {
          return SmallVector<Value>{mix(s, x[0], x[1], x[2])};
        });
  }

  /// The hidden gate of linear_before_reset: g(input + reset * (H * R + Rb)).
  SmallVector<Value> buildLinear(CellInput update, CellInput reset,
                                 CellInput hidden, CellInput before) {
    Value product = layer.multiply(before.tensor, hiddenWeights, zeros());
    SmallVector<CellInput> inputs{
        update, reset, hidden, before, {product, Kind::PerBatchAndNeuron}};
    if (hiddenBias)
      inputs.push_back({hiddenBias, Kind::PerNeuron});
    return layer.computeElements(
        inputs, layer.getElementType(), [&](Scalars &s, ValueRange x) {
          Value recurrent = hiddenBias ? s.add(x[4], x[5]) : x[4];
          Value gate = functions[0].build(s, x[1]);
          Value sum = s.add(x[2], s.mul(gate, recurrent));
          return SmallVector<Value>{mix(s, x[0], sum, x[3])};
        });
  }

  Value zeros() {
    return layer.getInitialState(nullptr, 0, layer.getComputeType());
  }

  /// (1 - z) * h + z * H
  Value mix(Scalars &s, Value update, Value hidden, Value before) {
    Value z = functions[0].build(s, update);
    Value h = functions[1].build(s, hidden);
    return s.add(s.mul(s.sub(s.constant(z, 1), z), h), s.mul(z, before));
  }

  RecurrentLayer &layer;
  ArrayRef<CellFunction> functions;
  bool isLinear;
  Value gateWeights;
  Value hiddenWeights;
  Value hiddenBias;
};

/// Gates: input, output, forget, cell. States: hidden, cell.
struct LSTMCell : Cell {
  LSTMCell(RecurrentLayer &layer, const RecurrentOperands &operands,
           Value peepholes, int64_t direction, ArrayRef<CellFunction> functions,
           bool isCoupled)
      : layer(layer), functions(functions), isCoupled(isCoupled),
        weights(layer.getTransposed(operands.r, direction, 0, 4)) {
    for (int64_t gate = 0; peepholes && gate < 3; ++gate)
      peeps.push_back(
          {layer.getVectors(peepholes, direction, gate, 1), Kind::PerNeuron});
  }

  SmallVector<Value> build(Value input, ValueRange states) override {
    Value gates = layer.multiply(states[0], weights, input);
    SmallVector<CellInput> inputs;
    for (int64_t gate = 0; gate < 4; ++gate)
      inputs.push_back({layer.takeGates(gates, gate), Kind::PerBatchAndNeuron});
    inputs.push_back({states[1], Kind::PerBatchAndNeuron});
    llvm::append_range(inputs, peeps);
    return layer.computeElements(
        inputs, {layer.getElementType(), layer.getComputeType()},
        [&](Scalars &s, ValueRange x) { return buildElement(s, x); });
  }

  SmallVector<Value> buildElement(Scalars &s, ValueRange x) {
    const CellFunction &f = functions[0], &g = functions[1], &h = functions[2];
    Value input = x[0], output = x[1], forget = x[2], before = x[4];
    auto peep = [&](Value gate, int64_t index, Value cell) {
      return peeps.empty() ? gate : s.add(gate, s.mul(x[5 + index], cell));
    };
    input = f.build(s, peep(input, 0, before));
    forget = isCoupled ? s.sub(s.constant(input, 1), input)
                       : f.build(s, peep(forget, 2, before));
    Value cell = s.add(s.mul(forget, before), s.mul(input, g.build(s, x[3])));
    output = f.build(s, peep(output, 1, cell));
    return {s.mul(output, h.build(s, cell)), cell};
  }

  RecurrentLayer &layer;
  ArrayRef<CellFunction> functions;
  bool isCoupled;
  Value weights;
  SmallVector<CellInput> peeps;
};

template <typename OpT> struct Traits;
template <> struct Traits<RNNOp> {
  static constexpr int64_t numGates = 1, numFunctions = 1, numStates = 1;
  static constexpr StringRef functions[] = {"Tanh"};
};
template <> struct Traits<GRUOp> {
  static constexpr int64_t numGates = 3, numFunctions = 2, numStates = 1;
  static constexpr StringRef functions[] = {"Sigmoid", "Tanh"};
};
template <> struct Traits<LSTMOp> {
  static constexpr int64_t numGates = 4, numFunctions = 3, numStates = 2;
  static constexpr StringRef functions[] = {"Sigmoid", "Tanh", "Tanh"};
};

template <typename OpT> struct RecurrentToSCF : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;
  using OpAdaptor = typename OpConversionPattern<OpT>::OpAdaptor;
  using OpTraits = Traits<OpT>;

  LogicalResult
  matchAndRewrite(OpT op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    StringRef direction = op.getDirection();
    if (!llvm::is_contained({"forward", "reverse", "bidirectional"}, direction))
      return rewriter.notifyMatchFailure(op, "the direction '" + direction +
                                                 "' is unknown");
    int64_t numDirections = direction == "bidirectional" ? 2 : 1;
    RecurrentOperands operands{adaptor.getX(),
                               adaptor.getW(),
                               adaptor.getR(),
                               adaptor.getB(),
                               adaptor.getSequenceLens(),
                               adaptor.getInitialH()};
    auto [initialC, peepholes] = getCellOperands(adaptor);
    if (!isOfRank(operands.x, 3) || !isOfRank(operands.w, 3) ||
        !isOfRank(operands.r, 3) || !isOfRank(operands.b, 2) ||
        !isOfRank(operands.sequenceLens, 1) ||
        !isOfRank(operands.initialH, 3) || !isOfRank(initialC, 3) ||
        !isOfRank(peepholes, 2))
      return rewriter.notifyMatchFailure(
          op, "an operand has an unknown or a wrong rank");
    if (!fits(operands, OpTraits::numGates, numDirections))
      return rewriter.notifyMatchFailure(
          op, "the sizes of X, W, R and B don't fit");
    std::string why;
    std::optional<SmallVector<CellFunction>> functions =
        getFunctions(op, numDirections, why);
    if (!functions)
      return rewriter.notifyMatchFailure(op, why);

    bool isBatchFirst = op.getLayout() != 0;
    RecurrentLayer layer(rewriter, op.getLoc(), operands, OpTraits::numGates,
                         isBatchFirst);
    Value all = op.getY() ? layer.createAllStates(numDirections) : Value();
    SmallVector<Value> finals;
    for (int64_t state = 0; state < OpTraits::numStates; ++state)
      finals.push_back(layer.createFinalStates(numDirections));
    for (int64_t index = 0; index < numDirections; ++index) {
      auto own =
          ArrayRef<CellFunction>(*functions)
              .slice(index * OpTraits::numFunctions, OpTraits::numFunctions);
      SmallVector<Value> states =
          buildDirection(op, operands, initialC, peepholes, layer, index,
                         direction == "reverse" || index == 1, own, all);
      for (auto [final, state] : llvm::zip(finals, states))
        final = layer.insertFinalState(state, final, index);
      if (all)
        all = states.back();
    }
    return replace(op, all, finals, rewriter);
  }

private:
  /// initial_c and P.
  static std::pair<Value, Value> getCellOperands(OpAdaptor adaptor) {
    if constexpr (std::is_same_v<OpT, LSTMOp>)
      return {adaptor.getInitialC(), adaptor.getP()};
    return {};
  }

  static std::optional<SmallVector<CellFunction>>
  getFunctions(OpT op, int64_t numDirections, std::string &why) {
    SmallVector<StringRef> names;
    if (ArrayAttr given = op.getActivationsAttr()) {
      for (StringAttr name : given.getAsRange<StringAttr>())
        names.push_back(name.getValue());
    } else {
      for (int64_t index = 0; index < numDirections; ++index)
        llvm::append_range(names, OpTraits::functions);
    }
    std::optional<float> clip;
    if (FloatAttr given = op.getClipAttr())
      clip = given.getValue().convertToFloat();
    return getCellFunctions(names,
                            op.getActivationAlpha().value_or(ArrayRef<float>()),
                            op.getActivationBeta().value_or(ArrayRef<float>()),
                            clip, numDirections * OpTraits::numFunctions, why);
  }

  /// The final states of one direction, and then `all` with its part put in.
  static SmallVector<Value>
  buildDirection(OpT op, const RecurrentOperands &operands, Value initialC,
                 Value peepholes, RecurrentLayer &layer, int64_t direction,
                 bool isReversed, ArrayRef<CellFunction> functions, Value all) {
    SmallVector<Value> states{layer.getInitialState(
        operands.initialH, direction, layer.getElementType())};
    std::unique_ptr<Cell> cell;
    int64_t numSeparate = 0;
    if constexpr (std::is_same_v<OpT, LSTMOp>) {
      states.push_back(
          layer.getInitialState(initialC, direction, layer.getComputeType()));
      cell = std::make_unique<LSTMCell>(layer, operands, peepholes, direction,
                                        functions, op.getInputForget() != 0);
    } else if constexpr (std::is_same_v<OpT, GRUOp>) {
      bool isLinear = op.getLinearBeforeReset() != 0;
      numSeparate = isLinear ? 1 : 0;
      cell = std::make_unique<GRUCell>(layer, operands, direction, functions,
                                       isLinear);
    } else {
      cell = std::make_unique<RNNCell>(layer, operands, direction, functions);
    }
    Value projected =
        layer.projectInput(direction, layer.getBias(direction, numSeparate));
    return layer.iterate(
        direction, isReversed, states, all, [&](Value step, ValueRange before) {
          return cell->build(layer.takeStep(projected, step), before);
        });
  }

  LogicalResult replace(OpT op, Value all, ArrayRef<Value> finals,
                        ConversionPatternRewriter &rewriter) const {
    SmallVector<Value> computed;
    if (op.getY())
      computed.push_back(all);
    if (op.getYH())
      computed.push_back(finals[0]);
    if constexpr (std::is_same_v<OpT, LSTMOp>)
      if (op.getYC())
        computed.push_back(finals[1]);
    for (auto [value, result] : llvm::zip_equal(computed, op->getResults())) {
      Type type = this->getTypeConverter()->convertType(result.getType());
      if (!areCastable(value.getType(), type))
        return rewriter.notifyMatchFailure(
            op, "a result has a type that the operands don't give");
      value = castTensor(rewriter, op.getLoc(), value, type);
    }
    rewriter.replaceOp(op, computed);
    return success();
  }
};

} // namespace

void omb::populateRecurrentToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {
  patterns.add<RecurrentToSCF<LSTMOp>, RecurrentToSCF<GRUOp>,
               RecurrentToSCF<RNNOp>>(converter, patterns.getContext());
}
