//===- RaggedSequence.cpp - Sequences as two tensors ----------------------===//

#include "dialect/transforms/RaggedSequence.h"

#include "dialect/ir/Assert.h"
#include "dialect/ir/Constants.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Elementwise.h"
#include "dialect/ir/ops/Logical.h"
#include "dialect/ir/ops/Reduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace omb::onnx;

static Type getUnranked(Value like) {
  return UnrankedTensorType::get(
      cast<TensorType>(like.getType()).getElementType());
}

//===----------------------------------------------------------------------===//
// TensorGraph
//===----------------------------------------------------------------------===//

Value TensorGraph::constant(ArrayRef<int64_t> vector) {
  return createConstant(builder, loc, vector);
}

Value TensorGraph::boolean(bool scalar) {
  return createBoolean(builder, loc, scalar);
}

/// Zero bits: 0, false, +0.0 of every element type.
static DenseElementsAttr getZero(RankedTensorType type) {
  Type element = type.getElementType();
  if (auto complex = dyn_cast<ComplexType>(element)) {
    auto zero = APFloat::getZero(
        cast<FloatType>(complex.getElementType()).getFloatSemantics());
    return DenseElementsAttr::get(type, std::complex<APFloat>(zero, zero));
  }
  if (auto number = dyn_cast<FloatType>(element))
    return DenseElementsAttr::get(type,
                                  APFloat::getZero(number.getFloatSemantics()));
  return DenseElementsAttr::get(
      type, APInt::getZero(element.getIntOrFloatBitWidth()));
}

Value TensorGraph::zeros(RankedTensorType type, int64_t size) {
  SmallVector<int64_t> sizes(type.getShape());
  for (int64_t &each : sizes)
    each = ShapedType::isDynamic(each) ? size : each;
  auto full = RankedTensorType::get(sizes, type.getElementType());
  if (full.getNumElements() == 0 || sizes.empty())
    return createConstant(builder, loc, ElementsAttr(getZero(full)));
  auto one = RankedTensorType::get({1}, type.getElementType());
  return ConstantOfShapeOp::create(builder, loc, full, constant(sizes),
                                   getZero(one));
}

Value TensorGraph::shape(Value tensor, int64_t begin,
                         std::optional<int64_t> end) {
  return ShapeOp::create(
      builder, loc,
      RankedTensorType::get({ShapedType::kDynamic}, builder.getI64Type()),
      tensor, end ? builder.getI64IntegerAttr(*end) : IntegerAttr(),
      builder.getI64IntegerAttr(begin));
}

Value TensorGraph::reshape(Value tensor, Value shape, Type type) {
  // Sizes of 0 are sizes.
  return ReshapeOp::create(builder, loc, type ? type : getUnranked(tensor),
                           tensor, shape, builder.getI64IntegerAttr(1));
}

Value TensorGraph::flatten(Value tensor) {
  return reshape(tensor, constant({-1}));
}

Value TensorGraph::transpose(Value tensor, ArrayRef<int64_t> order) {
  return TransposeOp::create(builder, loc, getUnranked(tensor), tensor,
                             builder.getDenseI64ArrayAttr(order));
}

Value TensorGraph::concat(ValueRange tensors, int64_t axis, Type type) {
  return ConcatOp::create(builder, loc,
                          type ? type : getUnranked(tensors.front()), tensors,
                          builder.getI64IntegerAttr(axis));
}

Value TensorGraph::slice(Value tensor, Value begin, Value end, int64_t axis) {
  return SliceOp::create(builder, loc, getUnranked(tensor), tensor, begin, end,
                         constant({axis}), Value());
}

Value TensorGraph::toInt64(Value tensor) {
  Type type = UnrankedTensorType::get(builder.getI64Type());
  if (cast<TensorType>(tensor.getType()).getElementType().isInteger(64))
    return tensor;
  constexpr int64_t kInt64 = 7; // TensorProto.INT64
  return CastOp::create(builder, loc, type, tensor, builder.getStringAttr("up"),
                        builder.getI64IntegerAttr(1),
                        builder.getI64IntegerAttr(kInt64));
}

Value TensorGraph::add(Value lhs, Value rhs) {
  return AddOp::create(builder, loc, getUnranked(lhs), lhs, rhs);
}

Value TensorGraph::sub(Value lhs, Value rhs) {
  return SubOp::create(builder, loc, getUnranked(lhs), lhs, rhs);
}

Value TensorGraph::ceilDiv(Value lhs, Value rhs) {
  return DivOp::create(builder, loc, getUnranked(lhs),
                       add(lhs, sub(rhs, constant({1}))), rhs);
}

Value TensorGraph::sum(Value vector) {
  return ReduceSumOp::create(builder, loc, getUnranked(vector), vector,
                             constant({0}), builder.getI64IntegerAttr(1),
                             builder.getI64IntegerAttr(0));
}

Value TensorGraph::rowProducts(Value matrix) {
  return ReduceProdOp::create(builder, loc, getUnranked(matrix), matrix,
                              constant({1}), builder.getI64IntegerAttr(0),
                              builder.getI64IntegerAttr(0));
}

Value TensorGraph::select(Value condition, Value yes, Value no) {
  return WhereOp::create(builder, loc, getUnranked(yes), condition, yes, no);
}

Value TensorGraph::isLess(Value lhs, Value rhs) {
  return LessOp::create(builder, loc,
                        UnrankedTensorType::get(builder.getI1Type()), lhs, rhs);
}

void TensorGraph::requireInRange(Value position, Value limit,
                                 const Twine &message) {
  auto extract = [&](Value tensor) -> Value {
    auto one = RankedTensorType::get({1}, builder.getI64Type());
    if (tensor.getType() != one)
      tensor = reshape(tensor, constant({1}), one);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    return tensor::ExtractOp::create(builder, loc, tensor, zero);
  };
  // A negative position is a large unsigned one.
  Value isInside =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                            extract(position), extract(limit));
  omb::createAssert(builder, loc, isInside, message);
}

//===----------------------------------------------------------------------===//
// RaggedSequence
//===----------------------------------------------------------------------===//

SmallVector<Type> RaggedSequence::getTypes(RankedTensorType element) {
  Type int64 = IntegerType::get(element.getContext(), 64);
  return {
      RankedTensorType::get({ShapedType::kDynamic}, element.getElementType()),
      RankedTensorType::get({ShapedType::kDynamic, element.getRank()}, int64)};
}

int64_t RaggedSequence::getRank() const {
  return cast<RankedTensorType>(shapes.getType()).getDimSize(1);
}

RaggedSequence RaggedSequence::construct(TensorGraph &graph, ValueRange tensors,
                                         RankedTensorType element) {
  SmallVector<Type> types = getTypes(element);
  if (tensors.empty())
    return {graph.zeros(cast<RankedTensorType>(types[0]), 0),
            graph.zeros(cast<RankedTensorType>(types[1]), 0)};
  SmallVector<Value> values, shapes;
  Value row = graph.constant({1, element.getRank()});
  for (Value tensor : tensors) {
    values.push_back(graph.flatten(tensor));
    shapes.push_back(graph.reshape(graph.shape(tensor), row));
  }
  return {graph.concat(values, 0, types[0]), graph.concat(shapes, 0, types[1])};
}

Value RaggedSequence::length(TensorGraph &graph) const {
  return graph.shape(shapes, 0, 1);
}

Value RaggedSequence::position(TensorGraph &graph, Value position,
                               int64_t past) const {
  Value count = length(graph);
  Value limit = past ? graph.add(count, graph.constant({past})) : count;
  Value result;
  if (position) {
    position = graph.reshape(graph.toInt64(position), graph.constant({1}));
    result = graph.select(graph.isLess(position, graph.constant({0})),
                          graph.add(position, count), position);
  } else {
    result = graph.sub(limit, graph.constant({1}));
  }
  graph.requireInRange(result, limit,
                       "the position in the sequence is out of range");
  return result;
}

Value RaggedSequence::offset(TensorGraph &graph, Value position) const {
  return graph.sum(
      graph.rowProducts(graph.slice(shapes, graph.constant({0}), position)));
}

/// The position behind `position`.
static Value getNext(TensorGraph &graph, Value position) {
  return graph.add(position, graph.constant({1}));
}

Value RaggedSequence::at(TensorGraph &graph, Value position, Type type) const {
  Value row = graph.slice(shapes, position, getNext(graph, position));
  Value begin = offset(graph, position);
  Value end = graph.add(begin, graph.rowProducts(row));
  return graph.reshape(graph.slice(values, begin, end),
                       graph.reshape(row, graph.constant({getRank()})), type);
}

/// The end of every dimension, for slices.
static Value getEnd(TensorGraph &graph) {
  return graph.constant({std::numeric_limits<int64_t>::max()});
}

RaggedSequence RaggedSequence::insert(TensorGraph &graph, Value tensor,
                                      Value position) const {
  Value row =
      graph.reshape(graph.shape(tensor), graph.constant({1, getRank()}));
  Value flat = graph.flatten(tensor);
  if (!position)
    return {graph.concat({values, flat}, 0, values.getType()),
            graph.concat({shapes, row}, 0, shapes.getType())};
  Value begin = graph.constant({0}), end = getEnd(graph);
  Value middle = offset(graph, position);
  return {graph.concat({graph.slice(values, begin, middle), flat,
                        graph.slice(values, middle, end)},
                       0, values.getType()),
          graph.concat({graph.slice(shapes, begin, position), row,
                        graph.slice(shapes, position, end)},
                       0, shapes.getType())};
}

RaggedSequence RaggedSequence::erase(TensorGraph &graph, Value position) const {
  Value begin = graph.constant({0}), end = getEnd(graph);
  Value next = getNext(graph, position);
  return {graph.concat({graph.slice(values, begin, offset(graph, position)),
                        graph.slice(values, offset(graph, next), end)},
                       0, values.getType()),
          graph.concat({graph.slice(shapes, begin, position),
                        graph.slice(shapes, next, end)},
                       0, shapes.getType())};
}
