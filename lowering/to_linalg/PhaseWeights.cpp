//===- PhaseWeights.cpp - Weights of transposed convolutions --------------===//

#include "lowering/to_linalg/PhaseWeights.h"

#include "lowering/ConstantBytes.h"
#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace {

/// What IndexArithmetic does with values, with numbers.
struct Integers {
  int64_t constant(int64_t value) { return value; }
  int64_t add(int64_t lhs, int64_t rhs) { return lhs + rhs; }
  int64_t sub(int64_t lhs, int64_t rhs) { return lhs - rhs; }
  int64_t mul(int64_t lhs, int64_t rhs) { return lhs * rhs; }
  int64_t div(int64_t lhs, int64_t rhs) { return lhs / rhs; }
  int64_t floorMod(int64_t lhs, int64_t rhs) { return lhs % rhs; }
};

/// Where an element of the phases' weights comes from.
template <typename T> struct Source {
  SmallVector<T> position;
  /// In each spatial dimension 0, unless dilation put a 0 there.
  SmallVector<T> gaps;
};

/// The source of the element `at`; `from` are the sizes of the weights.
template <typename T, typename Arithmetic>
Source<T> locate(const omb::PhaseWeights &layout, Arithmetic math,
                 ArrayRef<T> from, ArrayRef<T> taps, ArrayRef<T> at) {
  Source<T> source;
  T features = from[1];
  // at[0] is (which * phases + phase) * features + feature.
  T feature = math.floorMod(at[0], features);
  T phase = math.div(at[0], features);
  SmallVector<T> phases;
  for (int64_t stride : llvm::reverse(layout.strides)) {
    T count = math.constant(stride);
    phases.insert(phases.begin(), math.floorMod(phase, count));
    phase = math.div(phase, count);
  }
  T channels = math.div(from[0], math.constant(layout.group));
  source.position = {math.add(math.mul(phase, channels), at[1]), feature};
  for (auto [dim, stride] : llvm::enumerate(layout.strides)) {
    T tap = math.sub(math.sub(taps[dim], math.constant(1)), at[2 + dim]);
    T spread = math.add(math.mul(tap, math.constant(stride)), phases[dim]);
    T dilation = math.constant(stride == 1 ? 1 : layout.dilations[dim]);
    source.position.push_back(math.div(spread, dilation));
    source.gaps.push_back(math.floorMod(spread, dilation));
  }
  return source;
}

} // namespace

/// The weights of all phases as a constant.
static Value buildConstant(OpBuilder &builder, Location loc,
                           const omb::PhaseWeights &layout,
                           const omb::ConstantBytes &bytes,
                           RankedTensorType from, RankedTensorType type) {
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
      type.getNumElements() * bytes.getWidth(), /*align=*/64);
  char *out = blob.getMutableData().data();
  ArrayRef<int64_t> shape = type.getShape();
  SmallVector<int64_t> at(shape.size(), 0);
  for (int64_t count = type.getNumElements(); count > 0; --count) {
    Source<int64_t> source = locate<int64_t>(
        layout, Integers(), from.getShape(), shape.drop_front(2), at);
    bool isElement =
        llvm::all_of(source.gaps, [](int64_t gap) { return gap == 0; });
    int64_t element = 0;
    for (auto [position, size] :
         llvm::zip_equal(source.position, from.getShape())) {
      isElement &= position < size;
      element = element * size + position;
    }
    if (isElement)
      std::memcpy(out, bytes.at(element), bytes.getWidth());
    else
      std::memset(out, 0, bytes.getWidth());
    out += bytes.getWidth();
    for (int64_t dim = at.size(); dim-- > 0;) {
      if (++at[dim] < shape[dim])
        break;
      at[dim] = 0;
    }
  }
  auto value = DenseResourceElementsAttr::get(
      type, (bytes.getName() + ".phases").str(), std::move(blob));
  return arith::ConstantOp::create(builder, loc, type, value);
}

/// The weights of all phases, gathered when the model runs.
static Value buildGather(OpBuilder &builder, Location loc,
                         const omb::PhaseWeights &layout, Value weights,
                         ArrayRef<Value> from, RankedTensorType type,
                         ArrayRef<Value> sizes) {
  return omb::buildFromIndices(
      builder, loc, type, sizes,
      [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, bodyLoc);
        Source<Value> source = locate<Value>(
            layout, inner, from, sizes.drop_front(2), llvm::to_vector(at));
        Value isElement;
        auto require = [&](Value condition) {
          isElement = isElement ? arith::AndIOp::create(b, bodyLoc, isElement,
                                                        condition)
                                : condition;
        };
        for (auto [dim, gap] : llvm::enumerate(source.gaps)) {
          Value &position = source.position[2 + dim];
          require(inner.isEqual(gap, inner.constant(0)));
          require(inner.isLess(position, from[2 + dim]));
          position = inner.inBounds(position, from[2 + dim]);
        }
        Value element =
            tensor::ExtractOp::create(b, bodyLoc, weights, source.position);
        if (!isElement)
          return element;
        return inner.select(isElement, element,
                            omb::createZero(b, bodyLoc, type.getElementType()));
      });
}

Value omb::PhaseWeights::build(OpBuilder &builder, Location loc,
                               Value weights) const {
  IndexArithmetic index(builder, loc);
  SmallVector<Value> from = index.sizes(weights);
  int64_t phases = 1;
  for (int64_t stride : strides)
    phases *= stride;
  SmallVector<Value> sizes{index.mul(from[1], index.constant(phases * group)),
                           index.div(from[0], index.constant(group))};
  llvm::append_range(sizes, taps);
  SmallVector<int64_t> shape = decomposeMixedValues(index.mixed(sizes)).first;
  auto fromType = cast<RankedTensorType>(weights.getType());
  auto type = RankedTensorType::get(shape, fromType.getElementType());
  FailureOr<ConstantBytes> bytes = ConstantBytes::get(weights);
  if (succeeded(bytes) && type.hasStaticShape())
    return buildConstant(builder, loc, *this, *bytes, fromType, type);
  return buildGather(builder, loc, *this, weights, from, type, sizes);
}
