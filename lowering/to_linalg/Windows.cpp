//===- Windows.cpp - Windows over tensors ---------------------------------===//

#include "lowering/to_linalg/Windows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using omb::IndexArithmetic;
using omb::WindowDim;

Value omb::getExtent(IndexArithmetic index, Value kernel, int64_t dilation) {
  Value one = index.constant(1);
  return index.add(index.mul(index.sub(kernel, one), index.constant(dilation)),
                   one);
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// Padding for a window at every `stride`-th element.
static void computeSame(IndexArithmetic index, bool isUpper, WindowDim &dim) {
  Value zero = index.constant(0);
  Value stride = index.constant(dim.stride);
  dim.count = index.ceilDiv(dim.input, stride);
  Value last = index.mul(index.sub(dim.count, index.constant(1)), stride);
  Value total =
      index.max(index.sub(index.add(last, dim.extent), dim.input), zero);
  Value smaller = index.div(total, index.constant(2));
  Value larger = index.sub(total, smaller);
  dim.low = isUpper ? smaller : larger;
  dim.high = isUpper ? larger : smaller;
  dim.reach = dim.high;
}

/// As many windows as fit into the padded input.
static void computeFloor(IndexArithmetic index, WindowDim &dim) {
  Value stride = index.constant(dim.stride);
  Value padded = index.add(dim.input, index.add(dim.low, dim.high));
  Value free = index.sub(padded, dim.extent);
  // Rounded to zero: 0 where there is no room.
  dim.count = index.div(index.add(free, stride), stride);
  dim.reach = dim.high;
}

/// One more window than fits, if it starts before the padding at the end.
static void computeCeil(IndexArithmetic index, WindowDim &dim) {
  Value zero = index.constant(0);
  Value one = index.constant(1);
  Value stride = index.constant(dim.stride);
  Value starts = index.add(
      index.add(dim.input, dim.low),
      index.min(index.add(index.sub(dim.high, dim.extent), stride), zero));
  dim.count = index.div(index.add(starts, index.sub(stride, one)), stride);
  Value end =
      index.add(index.mul(index.sub(dim.count, one), stride), dim.extent);
  dim.reach =
      index.max(index.sub(end, index.add(dim.input, dim.low)), dim.high);
}

static WindowDim computeWindow(IndexArithmetic index,
                               const omb::onnx::WindowAttributes &attributes,
                               int64_t position, Value input, Value kernel,
                               StringRef name) {
  WindowDim dim;
  dim.input = input;
  dim.kernel = kernel;
  dim.stride = attributes.strides[position];
  dim.dilation = attributes.dilations[position];
  dim.extent = omb::getExtent(index, kernel, dim.dilation);
  if (attributes.isSame()) {
    computeSame(index, attributes.autoPad == omb::onnx::AutoPad::SameUpper,
                dim);
    return dim;
  }
  dim.low = index.constant(attributes.padsLow[position]);
  dim.high = index.constant(attributes.padsHigh[position]);
  if (attributes.ceilMode)
    computeCeil(index, dim);
  else
    computeFloor(index, dim);
  index.require(index.isLess(index.constant(0), dim.count),
                name + " has no room for a window in spatial dimension " +
                    Twine(position));
  return dim;
}

SmallVector<WindowDim>
omb::computeWindows(IndexArithmetic index,
                    const onnx::WindowAttributes &attributes, ValueRange input,
                    ValueRange kernel, StringRef name) {
  SmallVector<WindowDim> windows;
  for (int64_t dim = 0; dim < attributes.getRank(); ++dim)
    windows.push_back(
        computeWindow(index, attributes, dim, input[dim], kernel[dim], name));
  return windows;
}

SmallVector<int64_t> omb::getStrides(ArrayRef<WindowDim> windows) {
  return llvm::map_to_vector(windows,
                             [](const WindowDim &dim) { return dim.stride; });
}

SmallVector<int64_t> omb::getDilations(ArrayRef<WindowDim> windows) {
  return llvm::map_to_vector(windows,
                             [](const WindowDim &dim) { return dim.dilation; });
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// Cuts off what comes after a window that is the only one.
static Value cropToOnlyWindow(OpBuilder &builder, Location loc, Value padded,
                              ArrayRef<WindowDim> windows,
                              RankedTensorType result) {
  IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes = index.sizes(padded);
  bool isCropped = false;
  for (auto [position, dim] : llvm::enumerate(windows)) {
    Value &size = sizes[2 + position];
    if (result.getDimSize(2 + position) != 1 || size == dim.extent)
      continue;
    std::optional<int64_t> known = getConstantIntValue(size);
    isCropped |= !known || known != getConstantIntValue(dim.extent);
    size = dim.extent;
  }
  if (!isCropped)
    return padded;
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, padded, offsets,
                                        getAsOpFoldResult(sizes), strides);
}

Value omb::padWindows(OpBuilder &builder, Location loc, Value input,
                      ArrayRef<WindowDim> windows, RankedTensorType result,
                      Value element) {
  SmallVector<OpFoldResult> low(2, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> high(low);
  for (const WindowDim &dim : windows) {
    low.push_back(getAsOpFoldResult(dim.low));
    high.push_back(getAsOpFoldResult(dim.reach));
  }
  auto isZero = [](OpFoldResult size) { return isZeroInteger(size); };
  if (!llvm::all_of(low, isZero) || !llvm::all_of(high, isZero))
    input = tensor::PadOp::create(builder, loc, /*resultType=*/Type(), input,
                                  low, high, element);
  return cropToOnlyWindow(builder, loc, input, windows, result);
}

Value omb::reduceWindows(OpBuilder &builder, Location loc, Value padded,
                         ArrayRef<WindowDim> windows, ValueRange others,
                         Value init, WindowBody body) {
  auto type = cast<RankedTensorType>(init.getType());
  if (llvm::is_contained(type.getShape(), 0))
    return init;
  int64_t rank = windows.size();
  int64_t outer = 2 + rank;
  SmallVector<AffineExpr> at, within;
  for (int64_t dim = 0; dim < outer; ++dim)
    at.push_back(builder.getAffineDimExpr(dim));
  SmallVector<AffineExpr> from(ArrayRef<AffineExpr>(at).take_front(2));
  SmallVector<Value> kernel;
  for (auto [position, dim] : llvm::enumerate(windows)) {
    within.push_back(builder.getAffineDimExpr(outer + position));
    from.push_back(at[2 + position] * dim.stride +
                   within.back() * dim.dilation);
    kernel.push_back(dim.kernel);
  }
  // linalg takes the size of the windows from a tensor that nothing reads.
  Value shape = tensor::EmptyOp::create(builder, loc, getAsOpFoldResult(kernel),
                                        type.getElementType());
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(outer + rank, 0, exprs, builder.getContext());
  };
  SmallVector<Value> inputs = {padded, shape};
  SmallVector<AffineMap> maps = {map(from), map(within)};
  llvm::append_range(inputs, others);
  maps.append(others.size() + 1, map(at));
  SmallVector<utils::IteratorType> iterators(outer,
                                             utils::IteratorType::parallel);
  iterators.append(rank, utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, inputs, init, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        Value result =
            body(b, bodyLoc, elements.front(),
                 elements.drop_front(2).drop_back(), elements.back());
        linalg::YieldOp::create(b, bodyLoc, result);
      });
  return generic.getResult(0);
}

Value omb::reducePositions(OpBuilder &builder, Location loc, ValueRange counts,
                           Value init, PositionBody body) {
  auto type = cast<RankedTensorType>(init.getType());
  int64_t outer = type.getRank(), loops = outer + counts.size();
  // linalg takes the counts from a tensor that nothing reads.
  Value shape = tensor::EmptyOp::create(builder, loc, getAsOpFoldResult(counts),
                                        type.getElementType());
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < loops; ++dim)
    exprs.push_back(builder.getAffineDimExpr(dim));
  auto map = [&](ArrayRef<AffineExpr> some) {
    return AffineMap::get(loops, 0, some, builder.getContext());
  };
  ArrayRef<AffineExpr> all(exprs);
  SmallVector<AffineMap> maps = {map(all.drop_front(outer)),
                                 map(all.take_front(outer))};
  SmallVector<utils::IteratorType> iterators(outer,
                                             utils::IteratorType::parallel);
  iterators.append(counts.size(), utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, shape, init, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        SmallVector<Value> counters;
        for (int64_t dim = 0; dim < loops; ++dim)
          counters.push_back(linalg::IndexOp::create(b, bodyLoc, dim));
        ValueRange at(counters);
        linalg::YieldOp::create(b, bodyLoc,
                                body(b, bodyLoc, at.take_front(outer),
                                     at.drop_front(outer), elements.back()));
      });
  return generic.getResult(0);
}
