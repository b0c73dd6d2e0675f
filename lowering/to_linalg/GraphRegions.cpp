//===- GraphRegions.cpp - Graph attributes as regions of scf --------------===//

#include "lowering/to_linalg/GraphRegions.h"

#include "dialect/ir/OnnxDialect.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

bool omb::areCastable(Type from, Type to) {
  auto fromTensor = dyn_cast_if_present<RankedTensorType>(from);
  auto toTensor = dyn_cast_if_present<RankedTensorType>(to);
  return fromTensor && toTensor &&
         fromTensor.getElementType() == toTensor.getElementType() &&
         succeeded(verifyCompatibleShape(fromTensor, toTensor));
}

SmallVector<Value> omb::inlineGraph(ConversionPatternRewriter &rewriter,
                                    const TypeConverter &converter,
                                    Location loc, onnx::GraphBody graph,
                                    ValueRange arguments) {
  // Ops of the graph are converted after this; until then casts stand between
  // their types and the converted ones.
  auto castTo = [&](Value value, Type type) -> Value {
    if (value.getType() == type)
      return value;
    return UnrealizedConversionCastOp::create(rewriter, loc, type, value)
        .getResult(0);
  };
  SmallVector<Value> inputs;
  for (auto [value, argument] :
       llvm::zip_equal(arguments, graph.block->getArguments()))
    inputs.push_back(castTo(value, argument.getType()));
  Operation *yield = graph.getYield();
  SmallVector<Value> outputs(yield->getOperands());
  // What an output is, where it is an argument.
  for (Value &output : outputs)
    if (auto argument = dyn_cast<BlockArgument>(output);
        argument && argument.getOwner() == graph.block)
      output = inputs[argument.getArgNumber()];
  Block *target = rewriter.getInsertionBlock();
  rewriter.eraseOp(yield);
  rewriter.inlineBlockBefore(graph.block, target, target->end(), inputs);
  rewriter.setInsertionPointToEnd(target);
  for (Value &output : outputs)
    output = castTo(output, converter.convertType(output.getType()));
  return outputs;
}

//===----------------------------------------------------------------------===//
// Scan outputs
//===----------------------------------------------------------------------===//

/// The size of dimension `dim` of `type`, read from a value that `op` uses;
/// null where none is known to have it.
static Value findSize(ConversionPatternRewriter &rewriter, Operation *op,
                      RankedTensorType type, int64_t dim) {
  omb::IndexArithmetic index(rewriter, op->getLoc());
  if (!type.isDynamicDim(dim))
    return index.constant(type.getDimSize(dim));
  auto names = dyn_cast_if_present<omb::onnx::DimsAttr>(type.getEncoding());
  if (!names || names.getNames()[dim].empty())
    return nullptr;
  llvm::SetVector<Value> candidates(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), candidates);
  for (Value candidate : candidates) {
    auto known = dyn_cast<RankedTensorType>(candidate.getType());
    auto knownNames =
        known ? dyn_cast_if_present<omb::onnx::DimsAttr>(known.getEncoding())
              : nullptr;
    if (!knownNames)
      continue;
    auto found = llvm::find(knownNames.getNames(), names.getNames()[dim]);
    Value converted = rewriter.getRemappedValue(candidate);
    if (found != knownNames.getNames().end() && converted)
      return index.size(converted, found - knownNames.getNames().begin());
  }
  return nullptr;
}

/// `element` with a dimension of unknown size at `axis`.
static RankedTensorType getStackedType(RankedTensorType element, int64_t axis,
                                       bool isGrowing) {
  SmallVector<int64_t> shape(element.getShape());
  // Before the first iteration nothing is known of a growing tensor's sizes.
  for (int64_t &size : shape)
    size = isGrowing ? ShapedType::kDynamic : size;
  shape.insert(shape.begin() + axis, ShapedType::kDynamic);
  return RankedTensorType::get(shape,
                               omb::getLoweredType(element.getElementType()));
}

Value omb::ScanOutput::initialize(ConversionPatternRewriter &rewriter,
                                  Operation *op, Value count) {
  Location loc = op->getLoc();
  IndexArithmetic index(rewriter, loc);
  SmallVector<Value> sizes;
  for (int64_t dim = 0; count && dim < element.getRank(); ++dim) {
    sizes.push_back(findSize(rewriter, op, element, dim));
    if (!sizes.back())
      count = nullptr;
  }
  tripCount = count;
  if (!tripCount)
    sizes.assign(element.getRank(), index.constant(0));
  sizes.insert(sizes.begin() + axis, count ? count : index.constant(0));
  return createEmpty(rewriter, loc, getStackedType(element, axis, !tripCount),
                     sizes);
}

Value omb::ScanOutput::grow(OpBuilder &builder, Location loc, Value stacked,
                            Value value) const {
  IndexArithmetic index(builder, loc);
  SmallVector<Value> oldSizes = index.sizes(stacked);
  SmallVector<Value> sizes = index.sizes(value);
  sizes.insert(sizes.begin() + axis,
               index.add(oldSizes[axis], index.constant(1)));
  Value larger = createEmpty(builder, loc,
                             cast<RankedTensorType>(stacked.getType()), sizes);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets[axis] = builder.getIndexAttr(isReversed ? 1 : 0);
  return tensor::InsertSliceOp::create(builder, loc, stacked, larger, offsets,
                                       getAsOpFoldResult(oldSizes), strides);
}

Value omb::ScanOutput::append(OpBuilder &builder, Location loc, Value stacked,
                              Value value, Value iteration) const {
  IndexArithmetic index(builder, loc);
  Value position = iteration;
  if (!tripCount) {
    stacked = grow(builder, loc, stacked, value);
    position = isReversed ? index.constant(0) : iteration;
  } else if (isReversed) {
    position = index.sub(index.sub(tripCount, index.constant(1)), iteration);
  }
  SmallVector<OpFoldResult> sizes = getAsOpFoldResult(index.sizes(value));
  sizes.insert(sizes.begin() + axis, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets[axis] = position;
  return tensor::InsertSliceOp::create(builder, loc, value, stacked, offsets,
                                       sizes, strides);
}
