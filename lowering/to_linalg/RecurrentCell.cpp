//===- RecurrentCell.cpp - What LSTM, GRU and RNN share -------------------===//

#include "lowering/to_linalg/RecurrentCell.h"

#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Transcendentals.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace omb;

//===----------------------------------------------------------------------===//
// Activation functions
//===----------------------------------------------------------------------===//

namespace {

using BuildFunction = Value (*)(Scalars &, Value, float alpha, float beta);

/// An activation function, with the alpha and beta that it takes by default.
struct FunctionInfo {
  BuildFunction build;
  std::optional<float> alpha;
  std::optional<float> beta;
};

} // namespace

static Value buildSigmoid(Scalars &s, Value x, float, float) {
  Value one = s.constant(x, 1);
  return s.div(one, s.add(one, buildExp(s, s.neg(x))));
}

static Value buildHardSigmoid(Scalars &s, Value x, float alpha, float beta) {
  return s.max(s.min(s.add(s.mul(x, alpha), beta), 1.0), 0.0);
}

static Value buildSoftplus(Scalars &s, Value x, float, float) {
  Value small = buildLog1P(s, buildExp(s, s.neg(s.abs(x))));
  return s.add(s.max(x, 0.0), small);
}

static std::optional<FunctionInfo> getFunctionInfo(StringRef name) {
  auto affine = [](Scalars &s, Value x, float alpha, float beta) {
    return s.add(s.mul(x, alpha), beta);
  };
  auto elu = [](Scalars &s, Value x, float alpha, float) {
    return s.select(s.less(x, 0.0), s.mul(buildExpM1(s, x), alpha), x);
  };
  auto leakyRelu = [](Scalars &s, Value x, float alpha, float) {
    return s.select(s.less(x, 0.0), s.mul(x, alpha), x);
  };
  auto relu = [](Scalars &s, Value x, float, float) { return s.max(x, 0.0); };
  auto scaledTanh = [](Scalars &s, Value x, float alpha, float beta) {
    return s.mul(buildTanh(s, s.mul(x, beta)), alpha);
  };
  auto softsign = [](Scalars &s, Value x, float, float) {
    return s.div(x, s.add(s.abs(x), 1.0));
  };
  auto tanh = [](Scalars &s, Value x, float, float) { return buildTanh(s, x); };
  auto thresholdedRelu = [](Scalars &s, Value x, float alpha, float) {
    return s.select(s.less(x, alpha), s.constant(x, 0), x);
  };
  return llvm::StringSwitch<std::optional<FunctionInfo>>(name)
      .CaseLower("affine", FunctionInfo{affine, 1, 0})
      .CaseLower("elu", FunctionInfo{elu, 1, std::nullopt})
      .CaseLower("hardsigmoid", FunctionInfo{buildHardSigmoid, 0.2f, 0.5f})
      .CaseLower("leakyrelu", FunctionInfo{leakyRelu, 0.01f, std::nullopt})
      .CaseLower("relu", FunctionInfo{relu, std::nullopt, std::nullopt})
      .CaseLower("scaledtanh", FunctionInfo{scaledTanh, 1, 1})
      .CaseLower("sigmoid",
                 FunctionInfo{buildSigmoid, std::nullopt, std::nullopt})
      .CaseLower("softplus",
                 FunctionInfo{buildSoftplus, std::nullopt, std::nullopt})
      .CaseLower("softsign", FunctionInfo{softsign, std::nullopt, std::nullopt})
      .CaseLower("tanh", FunctionInfo{tanh, std::nullopt, std::nullopt})
      .CaseLower("thresholdedrelu",
                 FunctionInfo{thresholdedRelu, 1, std::nullopt})
      .Default(std::nullopt);
}

Value CellFunction::build(Scalars &s, Value x) const {
  if (clip)
    x = s.max(s.min(x, double(*clip)), -double(*clip));
  return getFunctionInfo(name)->build(s, x, alpha, beta);
}

std::optional<SmallVector<CellFunction>>
omb::getCellFunctions(ArrayRef<StringRef> names, ArrayRef<float> alphas,
                      ArrayRef<float> betas, std::optional<float> clip,
                      size_t count, std::string &why) {
  if (names.size() < count) {
    why = "it has " + std::to_string(names.size()) +
          " activation functions instead of " + std::to_string(count);
    return std::nullopt;
  }
  // Each function takes the next of the values, if it takes one at all.
  auto takeNext = [](ArrayRef<float> &values, std::optional<float> standard) {
    if (!standard || values.empty())
      return standard.value_or(0);
    float value = values.front();
    values = values.drop_front();
    return value;
  };
  SmallVector<CellFunction> functions;
  for (StringRef name : names.take_front(count)) {
    std::optional<FunctionInfo> info = getFunctionInfo(name);
    if (!info) {
      why = ("the activation function '" + name + "' is unknown").str();
      return std::nullopt;
    }
    functions.push_back({name.str(), takeNext(alphas, info->alpha),
                         takeNext(betas, info->beta), clip});
  }
  return functions;
}

//===----------------------------------------------------------------------===//
// Weights and states
//===----------------------------------------------------------------------===//

RecurrentLayer::RecurrentLayer(OpBuilder &builder, Location loc,
                               const RecurrentOperands &operands,
                               int64_t numGates, bool isBatchFirst)
    : builder(builder), loc(loc), operands(operands), numGates(numGates),
      isBatchFirst(isBatchFirst) {
  IndexArithmetic index(builder, loc);
  elementType = cast<RankedTensorType>(operands.x.getType()).getElementType();
  computeType = getAccumulatorType(elementType);
  sequence = index.size(operands.x, isBatchFirst ? 1 : 0);
  batch = index.size(operands.x, isBatchFirst ? 0 : 1);
  hidden = index.size(operands.r, 2);
  auto requireSize = [&](Value tensor, int64_t dim, const Twine &name) {
    if (tensor)
      index.require(index.isEqual(index.size(tensor, dim), batch),
                    name + " has another batch size than X");
  };
  requireSize(operands.initialH, isBatchFirst ? 0 : 1, "initial_h");
  requireSize(operands.sequenceLens, 0, "sequence_lens");
}

Value RecurrentLayer::multiple(int64_t count) const {
  IndexArithmetic index(builder, loc);
  return index.mul(hidden, index.constant(count));
}

Value RecurrentLayer::createEmpty(Type type, ValueRange sizes) {
  return tensor::EmptyOp::create(builder, loc, getAsOpFoldResult(sizes), type);
}

Value RecurrentLayer::takeSlice(Value tensor, ArrayRef<OpFoldResult> offsets,
                                ArrayRef<OpFoldResult> sizes,
                                ArrayRef<int64_t> dropped) {
  SmallVector<int64_t> shape;
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (!llvm::is_contained(dropped, int64_t(dim)))
      shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  Type type = cast<RankedTensorType>(tensor.getType()).getElementType();
  return tensor::ExtractSliceOp::create(builder, loc,
                                        RankedTensorType::get(shape, type),
                                        tensor, offsets, sizes, strides);
}

Value RecurrentLayer::insertSlice(Value slice, Value tensor,
                                  ArrayRef<OpFoldResult> offsets,
                                  ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::InsertSliceOp::create(builder, loc, slice, tensor, offsets,
                                       sizes, strides);
}

Value RecurrentLayer::getTransposed(Value weights, int64_t direction,
                                    int64_t gate, int64_t count) {
  IndexArithmetic index(builder, loc);
  Value rows = multiple(count), columns = index.size(weights, 2);
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  Value matrix = takeSlice(
      weights,
      {builder.getIndexAttr(direction), getAsOpFoldResult(multiple(gate)),
       zero},
      {one, getAsOpFoldResult(rows), getAsOpFoldResult(columns)}, {0});
  Value init = createEmpty(elementType, {columns, rows});
  return linalg::TransposeOp::create(builder, loc, matrix, init,
                                     ArrayRef<int64_t>{1, 0})
      ->getResult(0);
}

Value RecurrentLayer::getVectors(Value vectors, int64_t direction,
                                 int64_t first, int64_t count) {
  return takeSlice(
      vectors,
      {builder.getIndexAttr(direction), getAsOpFoldResult(multiple(first))},
      {builder.getIndexAttr(1), getAsOpFoldResult(multiple(count))}, {0});
}

Value RecurrentLayer::getBias(int64_t direction, int64_t separate) {
  if (!operands.b)
    return nullptr;
  Value inputBias = getVectors(operands.b, direction, 0, numGates);
  Value recurrentBias = getVectors(operands.b, direction, numGates, numGates);
  Value limit = multiple(numGates - separate);
  Value init = createEmpty(computeType, multiple(numGates));
  SmallVector<AffineMap> maps(3, builder.getMultiDimIdentityMap(1));
  SmallVector<utils::IteratorType> iterators{utils::IteratorType::parallel};
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), ValueRange{inputBias, recurrentBias}, init,
      maps, iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange x) {
        Scalars s(b, bodyLoc, elementType);
        Value sum = s.add(s.widen(x[0]), s.widen(x[1]));
        if (separate > 0) {
          Value position = linalg::IndexOp::create(s, 0);
          Value isJoint = arith::CmpIOp::create(s, arith::CmpIPredicate::slt,
                                                position, limit);
          sum = s.select(isJoint, sum, s.widen(x[0]));
        }
        linalg::YieldOp::create(s, sum);
      });
  return generic.getResult(0);
}

Value RecurrentLayer::getInitialState(Value state, int64_t direction,
                                      Type type) {
  Value init = createEmpty(type, {batch, hidden});
  if (!state) {
    Value zero = createZero(builder, loc, type);
    return linalg::FillOp::create(builder, loc, zero, init).getResult(0);
  }
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  int64_t dim = isBatchFirst ? 1 : 0;
  SmallVector<OpFoldResult> offsets(3, zero),
      sizes{one, getAsOpFoldResult(batch), getAsOpFoldResult(hidden)};
  offsets[dim] = builder.getIndexAttr(direction);
  if (isBatchFirst)
    std::swap(sizes[0], sizes[1]);
  Value slice = takeSlice(state, offsets, sizes, {dim});
  if (type == elementType)
    return slice;
  auto widen = [](Scalars &, ValueRange x) { return SmallVector<Value>(x); };
  return computeElements({{slice, CellInput::PerBatchAndNeuron}}, type,
                         widen)[0];
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

bool RecurrentLayer::isZero(Value state) {
  return state.getDefiningOp<linalg::FillOp>() != nullptr;
}

Value RecurrentLayer::multiply(Value lhs, Value rhs, Value init) {
  // IREE 3.13 gets a product with a filled tensor wrong without optimization:
  // both get the same buffer.
  if (isZero(lhs))
    return init;
  if (llvm::is_contained(cast<RankedTensorType>(init.getType()).getShape(), 0))
    return init;
  return linalg::MatmulOp::create(builder, loc, ValueRange{lhs, rhs},
                                  ValueRange{init})
      .getResult(0);
}

Value RecurrentLayer::broadcastRows(Value vector, Value rows, Value columns) {
  Value init = createEmpty(computeType, {rows, columns});
  if (vector)
    return linalg::BroadcastOp::create(builder, loc, vector, init,
                                       ArrayRef<int64_t>{0})
        ->getResult(0);
  Value zero = createZero(builder, loc, computeType);
  return linalg::FillOp::create(builder, loc, zero, init).getResult(0);
}

Value RecurrentLayer::projectInput(int64_t direction, Value bias) {
  IndexArithmetic index(builder, loc);
  Value x = operands.x, input = index.size(operands.x, 2);
  if (isBatchFirst) {
    Value init = createEmpty(elementType, {sequence, batch, input});
    x = linalg::TransposeOp::create(builder, loc, x, init,
                                    ArrayRef<int64_t>{1, 0, 2})
            ->getResult(0);
  }
  SmallVector<ReassociationIndices> groups{{0, 1}, {2}};
  Value rows = index.mul(sequence, batch), columns = multiple(numGates);
  Value flat = tensor::CollapseShapeOp::create(builder, loc, x, groups);
  Value weights = getTransposed(operands.w, direction, 0, numGates);
  Value product = multiply(flat, weights, broadcastRows(bias, rows, columns));
  SmallVector<Value> sizes{sequence, batch, columns};
  SmallVector<OpFoldResult> mixed = getAsOpFoldResult(sizes);
  auto type =
      RankedTensorType::get(decomposeMixedValues(mixed).first, computeType);
  return tensor::ExpandShapeOp::create(builder, loc, type, product, groups,
                                       mixed);
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

Value RecurrentLayer::takeStep(Value projected, Value step) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  return takeSlice(
      projected, {step, zero, zero},
      {one, getAsOpFoldResult(batch), getAsOpFoldResult(multiple(numGates))},
      {0});
}

Value RecurrentLayer::takeGates(Value gates, int64_t first, int64_t count) {
  return takeSlice(
      gates, {builder.getIndexAttr(0), getAsOpFoldResult(multiple(first))},
      {getAsOpFoldResult(batch), getAsOpFoldResult(multiple(count))}, {});
}

SmallVector<Value> RecurrentLayer::computeElements(ArrayRef<CellInput> inputs,
                                                   TypeRange types,
                                                   CellBody body) {
  AffineExpr entry, neuron;
  MLIRContext *context = builder.getContext();
  bindDims(context, entry, neuron);
  SmallVector<Value> tensors, inits;
  SmallVector<AffineMap> maps;
  for (const CellInput &input : inputs) {
    tensors.push_back(input.tensor);
    if (input.kind == CellInput::PerBatchAndNeuron)
      maps.push_back(builder.getMultiDimIdentityMap(2));
    else
      maps.push_back(AffineMap::get(
          2, 0, input.kind == CellInput::PerNeuron ? neuron : entry));
  }
  for (Type type : types) {
    inits.push_back(createEmpty(type, {batch, hidden}));
    maps.push_back(builder.getMultiDimIdentityMap(2));
  }
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, ValueRange(inits).getTypes(), tensors, inits, maps,
      iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        Scalars s(b, bodyLoc, elementType);
        SmallVector<Value> widened;
        for (Value element : elements.take_front(inputs.size()))
          widened.push_back(s.widen(element));
        SmallVector<Value> results;
        for (auto [value, type] : llvm::zip_equal(body(s, widened), types))
          results.push_back(s.narrow(value, type));
        linalg::YieldOp::create(s, results);
      });
  return SmallVector<Value>(generic.getResults());
}

void RecurrentLayer::keepEnded(Value step, ValueRange before,
                               SmallVectorImpl<Value> &after, Value &y) {
  Value number =
      arith::IndexCastOp::create(builder, loc, builder.getI32Type(), step);
  SmallVector<CellInput> inputs{{operands.sequenceLens, CellInput::PerBatch}};
  SmallVector<Type> types{elementType};
  for (auto [was, is] : llvm::zip_equal(before, after)) {
    inputs.push_back({was, CellInput::PerBatchAndNeuron});
    inputs.push_back({is, CellInput::PerBatchAndNeuron});
    types.push_back(cast<RankedTensorType>(was.getType()).getElementType());
  }
  SmallVector<Value> results =
      computeElements(inputs, types, [&](Scalars &s, ValueRange x) {
        Value isRunning =
            arith::CmpIOp::create(s, arith::CmpIPredicate::slt, number, x[0]);
        SmallVector<Value> selected{
            s.select(isRunning, x[2], s.constant(x[2], 0))};
        for (size_t state = 0; state < before.size(); ++state)
          selected.push_back(
              s.select(isRunning, x[2 + 2 * state], x[1 + 2 * state]));
        return selected;
      });
  y = results[0];
  after.assign(std::next(results.begin()), results.end());
}

Value RecurrentLayer::insertStep(Value y, Value all, Value step,
                                 int64_t direction) {
  OpFoldResult origin = builder.getIndexAttr(0), one = builder.getIndexAttr(1),
               at = builder.getIndexAttr(direction),
               position = getAsOpFoldResult(step),
               entries = getAsOpFoldResult(batch),
               neurons = getAsOpFoldResult(hidden);
  if (isBatchFirst)
    return insertSlice(y, all, {origin, position, at, origin},
                       {entries, one, one, neurons});
  return insertSlice(y, all, {position, at, origin, origin},
                     {one, one, entries, neurons});
}

SmallVector<Value> RecurrentLayer::iterate(int64_t direction, bool isReversed,
                                           ValueRange states, Value all,
                                           StepBody body) {
  IndexArithmetic index(builder, loc);
  Value zero = index.constant(0), one = index.constant(1);
  Value last = index.sub(sequence, one);
  auto buildStep = [&](Value iteration, ValueRange values) {
    // A reversed sequence that is shorter starts when its last element comes.
    Value step = isReversed ? index.sub(last, iteration) : iteration;
    ValueRange before = values.take_front(states.size());
    SmallVector<Value> next = body(step, before);
    Value y = next.front();
    if (operands.sequenceLens)
      keepEnded(step, before, next, y);
    if (all)
      next.push_back(insertStep(y, values.back(), step, direction));
    return next;
  };
  SmallVector<Value> initial(states);
  if (all)
    initial.push_back(all);
  if (getConstantIntValue(sequence) == 1)
    return buildStep(zero, initial);
  auto loop = scf::ForOp::create(
      builder, loc, zero, sequence, one, initial,
      [&](OpBuilder &, Location, Value iteration, ValueRange values) {
        scf::YieldOp::create(builder, loc, buildStep(iteration, values));
      });
  return SmallVector<Value>(loop.getResults());
}

Value RecurrentLayer::createAllStates(int64_t numDirections) {
  IndexArithmetic index(builder, loc);
  Value directions = index.constant(numDirections);
  if (isBatchFirst)
    return createEmpty(elementType, {batch, sequence, directions, hidden});
  return createEmpty(elementType, {sequence, directions, batch, hidden});
}

Value RecurrentLayer::createFinalStates(int64_t numDirections) {
  IndexArithmetic index(builder, loc);
  Value directions = index.constant(numDirections);
  if (isBatchFirst)
    return createEmpty(elementType, {batch, directions, hidden});
  return createEmpty(elementType, {directions, batch, hidden});
}

Value RecurrentLayer::insertFinalState(Value state, Value finals,
                                       int64_t direction) {
  auto type = cast<RankedTensorType>(state.getType());
  if (type.getElementType() != elementType) {
    auto narrow = [](Scalars &, ValueRange x) { return SmallVector<Value>(x); };
    state = computeElements({{state, CellInput::PerBatchAndNeuron}},
                            elementType, narrow)[0];
  }
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1),
               at = builder.getIndexAttr(direction),
               entries = getAsOpFoldResult(batch),
               neurons = getAsOpFoldResult(hidden);
  if (isBatchFirst)
    return insertSlice(state, finals, {zero, at, zero},
                       {entries, one, neurons});
  return insertSlice(state, finals, {at, zero, zero}, {one, entries, neurons});
}
